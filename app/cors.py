"""Cross-origin requests: which pages of other origins may call the API from a browser (WHATWG Fetch, 3.2)."""

from typing import Final

from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware

from app.settings import Settings

#: Besides those that every page may read: what OpenAI's clients look at.
_EXPOSED: Final = (
    "content-disposition",
    "idempotent-replayed",
    "openai-poll-after-ms",
    "openai-processing-ms",
    "openai-version",
    "retry-after",
    "retry-after-ms",
    "x-ratelimit-limit-requests",
    "x-ratelimit-remaining-requests",
    "x-ratelimit-reset-requests",
    "x-request-id",
)
_PREFLIGHT_SECONDS: Final = 600


def middleware(settings: Settings) -> list[Middleware]:
    """Returns what answers preflights and marks answers for the origins in `cors_origins`; nothing where it is empty.

    Keys travel in a header, never in a cookie, so credentials are not allowed.
    """
    if not settings.cors_origins:
        return []
    return [
        Middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["*"],
            expose_headers=_EXPOSED,
            max_age=_PREFLIGHT_SECONDS,
        )
    ]
