"""Whether the sandbox host is there, for the operator."""

from typing import Final

import aiohttp

from app.settings import Settings

_TIMEOUT: Final = aiohttp.ClientTimeout(total=5)


async def probe(settings: Settings) -> str | None:
    """What is wrong with the host at LOCUM_SANDBOX_URL, in words for the operator; None if it takes our token."""
    headers = {"Authorization": f"Bearer {settings.required_sandbox_token}"}
    url = f"{settings.sandbox_url}/stats"
    try:
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as http, http.get(url, headers=headers) as answer:
            status = answer.status
    except (aiohttp.ClientError, OSError) as error:
        return f"{settings.sandbox_url} does not answer: {error}"
    if status == 401:
        return f"{settings.sandbox_url} has another LOCUM_SANDBOX_TOKEN"
    return None if status == 200 else f"{settings.sandbox_url} answers with status {status}"
