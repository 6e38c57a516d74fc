"""Logging: one line an event on standard error, for people or as JSON. Other libraries' lines take the same way.

Secrets have no business in log lines, and are cut out of those that hold one all the same: those of this process's
settings wherever they stand; others by their looks: keys, bearer tokens, and the passwords of URLs.
"""

import logging
import re
import sys
from typing import Any, Final

import orjson
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from app.settings import SandboxSettings
from app.text import storable_value

_CUT = "[secret]"
_SECRET_NAMES: Final = frozenset({"api_key", "authorization", "password", "secret", "token"})
_SECRETS: Final = re.compile(
    r"""(?P<bearer>\bBearer\s+)[^\s"',]+ | (?P<user>://[^/\s:@]*:)[^/\s@]+(?=@) | \bsk-[\w-]{8,}""",
    re.IGNORECASE | re.VERBOSE,
)

#: A shorter one is no secret, and a word that lines are full of.
_SHORTEST: Final = 6

#: Those of this process, which `configure_logging` is told.
_known: re.Pattern[str] | None = None

#: Libraries that tell more than an operator wants to know, and the level from which on they are heard.
_QUIETER: Final = {
    "uvicorn.access": logging.CRITICAL,  # the access log is ours: see app.middleware
    "uvicorn": logging.WARNING,
    "celery": logging.WARNING,
    "kombu": logging.WARNING,
    "amqp": logging.WARNING,
    "asyncio": logging.WARNING,
    "alembic": logging.WARNING,
    "sqlalchemy": logging.WARNING,
}


def configure_logging(settings: SandboxSettings) -> None:
    """Sets up structlog and the standard library's logging for this process, as `log_level` and `log_format` say."""
    global _known  # noqa: PLW0603 - a process logs in one way
    long_ones = sorted((known for known in settings.secrets() if len(known) >= _SHORTEST), key=len, reverse=True)
    _known = re.compile("|".join(map(re.escape, long_ones))) if long_ones else None
    level = logging.getLevelNamesMapping()[settings.log_level.upper()]
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
    ]
    structlog.configure(
        processors=[*shared[:-1], *_endings(settings)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.WriteLoggerFactory(file=sys.stderr),
        cache_logger_on_first_use=True,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_endings(settings)],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name, lowest in _QUIETER.items():
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
        logger.setLevel(max(level, lowest))
    logging.captureWarnings(capture=True)


def cut_secrets(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """A structlog processor: the event without the secrets that are in it."""
    for name, value in event.items():
        event[name] = _cut(name, value)
    return event


def _cut(name: object, value: Any) -> Any:
    if isinstance(name, str) and name.lower() in _SECRET_NAMES:
        return _CUT
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict):
        return {key: _cut(key, inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_cut(name, inner) for inner in value]
    return without_secrets(value if isinstance(value, str) else repr(value))


def without_secrets(text: str) -> str:
    """`text` with every secret of this process's settings, key, bearer token and password of a URL cut out."""
    if _known is not None:
        text = _known.sub(_CUT, text)
    return _SECRETS.sub(lambda found: (found["bearer"] or found["user"] or "") + _CUT, text)


def _endings(settings: SandboxSettings) -> list[Processor]:
    """The last processors, which make the line."""
    # Exceptions become text before secrets are cut, so that those in messages go too.
    text: list[Processor] = [structlog.processors.format_exc_info, cut_secrets]
    if settings.log_format == "json":
        return [*text, structlog.processors.JSONRenderer(serializer=_dumps)]
    return [*text, structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]


def _dumps(event: Any, **_: Any) -> str:
    try:
        return orjson.dumps(event, default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
    except TypeError:  # what is logged of a failure may be the very text that failed
        return orjson.dumps(storable_value(event), default=repr, option=orjson.OPT_NON_STR_KEYS).decode()
