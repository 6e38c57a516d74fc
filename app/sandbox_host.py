"""Whether the sandbox host is there, for the operator."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import aiohttp

from app.settings import Settings

_TIMEOUT: Final = aiohttp.ClientTimeout(total=5)


@dataclass(frozen=True, slots=True)
class Told:
    """What the host says of itself: what is wrong with it, what holds a session to each of its limits there, and which
    lines of defence its machine lacks."""

    problem: str | None
    held: Mapping[str, str] = field(default_factory=dict)
    lacks: Mapping[str, str] = field(default_factory=dict)


async def ask(settings: Settings) -> Told:
    """Asks the host."""
    headers = {"Authorization": f"Bearer {settings.required_sandbox_token}"}
    url = f"{settings.sandbox_url}/stats"
    try:
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as http, http.get(url, headers=headers) as answer:
            if answer.status == 200:
                said = await answer.json()
                return Told("; ".join(said["troubles"]) or None, said["held"], said["lacks"])
            status = answer.status
    except (aiohttp.ClientError, OSError, ValueError, KeyError) as error:
        return Told(f"{settings.sandbox_url} does not answer: {error}")
    if status == 401:
        return Told(f"{settings.sandbox_url} has another LOCUM_SANDBOX_TOKEN")
    return Told(f"{settings.sandbox_url} answers with status {status}")
