"""What browsers want of the API: types that are not guessed, pages of other origins, a reference without a CDN."""

import re

import httpx2
import pytest
from playwright.async_api import Page, expect

from app.main import create_app
from tests.api.test_errors import settings_of, started
from tests.browser import Heard
from tests.running import Locum

ORIGIN = "https://app.example"
PREFLIGHT = {
    "Origin": ORIGIN,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type,openai-beta,x-stainless-os",
}


@pytest.mark.parametrize(
    "path", ["/healthz", "/readyz", "/docs", "/openapi.json", "/playground", "/v1/assistants", "/no"]
)
def test_no_answer_is_to_be_guessed_at(locum: Locum, path: str) -> None:
    assert httpx2.get(f"{locum.origin}{path}").headers["x-content-type-options"] == "nosniff"


async def test_pages_of_other_origins_are_refused_unless_allowed(locum: Locum) -> None:
    async with started(create_app(settings_of(locum))) as client:
        assert (await client.options("/threads", headers=PREFLIGHT)).status_code == 405
        assert "access-control-allow-origin" not in (await client.get("/models", headers={"Origin": ORIGIN})).headers


@pytest.mark.parametrize("allowed", [[ORIGIN, "http://localhost:3000"], ["*"]])
async def test_pages_of_allowed_origins(locum: Locum, allowed: list[str]) -> None:
    async with started(create_app(settings_of(locum, cors_origins=allowed))) as client:
        preflight = await client.options("/threads", headers=PREFLIGHT)
        assert preflight.status_code == 200
        assert preflight.headers["access-control-allow-origin"] in (ORIGIN, "*")
        assert "x-stainless-os" in preflight.headers["access-control-allow-headers"]
        assert "DELETE" in preflight.headers["access-control-allow-methods"]
        assert "access-control-allow-credentials" not in preflight.headers
        # An error, too: the page is to see it.
        refused = await client.get("/models", headers={"Origin": ORIGIN})
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] in (ORIGIN, "*")
        assert "openai-poll-after-ms" in refused.headers["access-control-expose-headers"]
        other = await client.get("/models", headers={"Origin": "https://evil.example"})
        assert ("access-control-allow-origin" in other.headers) == (allowed == ["*"])


async def test_the_reference_loads_nothing_from_elsewhere(locum: Locum, page: Page, heard: Heard) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.goto(f"{locum.origin}/docs")
    await expect(page.get_by_text("/v1/threads/runs", exact=True)).to_be_visible()
    assert [url for url in asked if not re.match(rf"{re.escape(locum.origin)}/|data:", url)] == []
    assert httpx2.get(f"{locum.origin}/docs/other.js").status_code == 404
