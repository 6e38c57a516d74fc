"""Whether the sandbox host is there, for the operator."""

from collections.abc import Mapping
from typing import Final

import aiohttp

from app.settings import Settings

_TIMEOUT: Final = aiohttp.ClientTimeout(total=5)


async def probe(settings: Settings) -> str | None:
    """What is wrong with the host at LOCUM_SANDBOX_URL, in words for the operator; None if it takes our token."""
    return (await ask(settings))[0]


async def ask(settings: Settings) -> tuple[str | None, Mapping[str, str]]:
    """The same, and what holds a session to each of its limits there, as the host tells it."""
    headers = {"Authorization": f"Bearer {settings.required_sandbox_token}"}
    url = f"{settings.sandbox_url}/stats"
    try:
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as http, http.get(url, headers=headers) as answer:
            if answer.status == 200:
                return None, dict((await answer.json()).get("held", {}))
            status = answer.status
    except (aiohttp.ClientError, OSError, ValueError) as error:
        return f"{settings.sandbox_url} does not answer: {error}", {}
    if status == 401:
        return f"{settings.sandbox_url} has another LOCUM_SANDBOX_TOKEN", {}
    return f"{settings.sandbox_url} answers with status {status}", {}
