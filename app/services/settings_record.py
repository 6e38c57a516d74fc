"""Changed settings in the audit log: a process that starts compares its own with those that the log knows.

The log gets the names of what has changed and a digest of each value, never a value. Digests have a salt, so that they
tell nothing that is worth a look; those of secrets cost so much work that weak ones cannot be tried through either.
"""

import hashlib
import secrets
from typing import Any, Final
from urllib.parse import urlsplit, urlunsplit

from pydantic_core import to_json
from sqlalchemy.ext.asyncio import AsyncSession

from app.services import audit
from app.services.audit import Actor
from app.settings import SandboxSettings, Settings, secrets_in

_TYPE: Final = "organization.updated"
#: Of the one process or the one machine: several that serve together need not have them in common.
_LOCAL: Final = {"host", "port", "data_dir", "log_level", "log_format"}
_LOOPBACK: Final = {"127.0.0.1", "::1", "localhost"}


async def note(session: AsyncSession, by: Actor, settings: Settings) -> list[str]:
    """Writes down what has changed since the last time, if anything has; gives the names of the variables."""
    await audit.lock(session)
    last = await audit.newest(session, _TYPE)
    salt = last.details["salt"] if last is not None else secrets.token_hex(16)
    before: dict[str, str] = last.details["digests"] if last is not None else {}
    present = digests(settings, salt)
    changed = sorted(name for name in {*before, *present} if before.get(name) != present.get(name))
    if changed or last is None:
        details = {"changes_requested": {"changed_settings": changed}, "digests": present, "salt": salt}
        await audit.append(session, by, _TYPE, details)
    return changed


def digests(settings: Settings, salt: str) -> dict[str, str]:
    """The digest of every setting that is not left at its default, by the name of its variable."""
    found = {}
    for name, field in Settings.model_fields.items():
        value = getattr(settings, name)
        if name in _LOCAL or value == field.get_default(call_default_factory=True) or _is_of_the_host(name):
            continue
        found[f"LOCUM_{name.upper()}"] = _digest(value, salt + name)
    return found


def _is_of_the_host(name: str) -> bool:
    """Whether a setting is the sandbox host's, which is another process. Its token is made anew by each `locum up`."""
    return name in SandboxSettings.model_fields


def _digest(value: Any, salt: str) -> str:
    if any(secrets_in(value)):
        revealed = (
            to_json(_without_port(value), serialize_unknown=True, fallback=str) + "\0".join(secrets_in(value)).encode()
        )
        return hashlib.scrypt(revealed, salt=salt.encode(), n=2**12, r=8, p=1, dklen=16).hex()
    return hashlib.sha256(salt.encode() + to_json(_without_port(value), fallback=str)).hexdigest()[:32]


def _without_port(value: Any) -> Any:
    """A URL of this machine without its port, which is another one each time `locum up` starts."""
    if not isinstance(value, str) or "://" not in value:
        return value
    parts = urlsplit(value)
    if parts.hostname not in _LOOPBACK:
        return value
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition(":")[0] or parts.netloc))
