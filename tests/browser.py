"""A real browser for the tests of pages: Debian's Chromium, driven by Playwright."""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest
from playwright.async_api import Browser, ConsoleMessage, Page, async_playwright, expect

#: Packages name it differently.
_NAMES = ("chromium", "chromium-browser", "google-chrome")
_PATIENCE_MS = 15_000
_FOLDERS = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "TMPDIR")


@dataclass
class Heard:
    """What a page said that it should not have: errors, broken policies, requests to elsewhere."""

    origin: str | None = None
    complaints: list[str] = field(default_factory=list)

    def console(self, message: ConsoleMessage) -> None:
        """Keeps errors and warnings; failed requests among them, which a test may expect."""
        if message.type in ("error", "warning"):
            self.complaints.append(f"{message.type}: {message.text}")

    def forgive(self, text: str) -> None:
        """Drops the complaints that have `text` in them: the test has provoked them. There must be some."""
        kept = [complaint for complaint in self.complaints if text not in complaint]
        assert len(kept) < len(self.complaints), f"nothing was said of {text!r}: {self.complaints}"
        self.complaints = kept


@asynccontextmanager
async def run_browser() -> AsyncIterator[Browser]:
    """Chromium without a window. Skips the test where there is none; in CI that fails."""
    path = next(filter(None, map(shutil.which, _NAMES)), None)
    if path is None:
        reason = "there is no Chromium: scripts/install-test-tools installs it on Debian"
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    # Its own sandbox refuses to run as root, and in most containers.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    expect.set_options(timeout=_PATIENCE_MS)
    # It leaves things in the home folder and the temporary one, whatever its profile.
    with tempfile.TemporaryDirectory(prefix="browser-") as own:
        environment: dict[str, str | float | bool] = {**os.environ, **dict.fromkeys(_FOLDERS, own)}
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=path, args=arguments, env=environment)
            try:
                yield browser
            finally:
                await browser.close()


@asynccontextmanager
async def open_page(browser: Browser, **options: object) -> AsyncIterator[tuple[Page, Heard]]:
    """A page in a profile of its own. At its end it must have had nothing to complain of.

    `options` are those of Playwright's `new_context`: `color_scheme`, `viewport`...
    """
    context = await browser.new_context(**options)  # type: ignore[arg-type]
    context.set_default_timeout(_PATIENCE_MS)
    page, heard = await context.new_page(), Heard()
    context.on("console", heard.console)
    context.on("weberror", lambda error: heard.complaints.append(f"uncaught: {error.error}"))
    context.on("request", lambda request: _note(heard, request.url))
    try:
        yield page, heard
    finally:
        await context.close()
    assert heard.complaints == []


def _note(heard: Heard, url: str) -> None:
    origin = "/".join(url.split("/", 3)[:3])
    if not url.startswith(("http:", "https:", "ws:", "wss:")):
        return
    heard.origin = heard.origin or origin
    if origin != heard.origin:
        heard.complaints.append(f"a request to elsewhere: {url}")
