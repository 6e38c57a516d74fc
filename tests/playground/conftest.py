"""A visitor of the playground: a browser at Locum, signed in, with a project of its own."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from openai import OpenAI
from playwright.async_api import Locator, Page, expect

from tests.browser import Heard
from tests.running import Locum
from tests.sdk.conftest import node_folder

__all__ = ["node_folder"]


@dataclass
class Visitor:
    """Who is in front of the page: what they do there, in their words."""

    page: Page
    heard: Heard
    locum: Locum
    api_key: str
    pictures: Path

    @property
    def origin(self) -> str:
        return self.locum.base_url.removesuffix("/v1")

    async def sign_in(self) -> None:
        """Opens the playground with the key."""
        await self.page.goto(f"{self.origin}/playground")
        await self.page.get_by_label("API key").fill(self.api_key)
        await self.page.get_by_role("button", name="Sign in").click()
        await expect(self.page.get_by_role("heading", name="Assistants")).to_be_visible()

    async def go(self, view: str) -> None:
        """Goes to a view by its address, `threads/new` for instance."""
        await self.page.goto(f"{self.origin}/playground#/{view}")

    async def say(self, text: str) -> None:
        """Sends a message."""
        await self.page.get_by_label("Message", exact=True).fill(text)
        await self.page.get_by_role("button", name="Send").click()

    def answer(self) -> Locator:
        """The newest message of the assistant."""
        return self.page.locator(".message.assistant").last

    async def wait_for_run(self, status: str = "completed") -> None:
        """Waits until the inspector shows the run with `status`, and the composer is free."""
        await expect(self.page.locator(".run-head .status")).to_have_text(status)

    async def thread_id(self) -> str:
        """The id of the thread that is shown."""
        await expect(self.page).to_have_url(re.compile("thread_"))
        return self.page.url.rpartition("/")[2]

    async def copied(self, language: str) -> str:
        """The program that the page gives to copy, as it is."""
        program = await self.page.get_by_role("button", name=language, exact=True).get_attribute("data-code")
        assert program
        return program

    async def run_the_copied_python(self) -> "subprocess.CompletedProcess[str]":
        """Runs the Python that the page gives to copy."""
        return await self.run(sys.executable, "-c", await self.copied("Python"))

    async def run(self, *command: str, folder: Path | None = None) -> "subprocess.CompletedProcess[str]":
        """Runs a program that finds the visitor's key where clients look for it."""
        environment = {**os.environ, "OPENAI_API_KEY": self.api_key, "PYTHONWARNINGS": "ignore"}
        return await asyncio.to_thread(
            subprocess.run, command, cwd=folder, env=environment, capture_output=True, text=True, check=False
        )

    async def take_picture(self, name: str) -> None:
        """Keeps how the page looks now."""
        await self.page.screenshot(path=self.pictures / f"{name}.png")


@pytest.fixture
def visitor(page: Page, heard: Heard, locum: Locum, pictures: Path) -> Visitor:
    """A visitor with the key of a new project, who has not signed in yet."""
    return Visitor(page, heard, locum, locum.new_project(), pictures)


@pytest.fixture
def own_client(visitor: Visitor) -> Iterator[OpenAI]:
    """The official client, with the visitor's key."""
    with visitor.locum.client(visitor.api_key) as opened:
        yield opened


@pytest.fixture(scope="package")
def sandbox(locum: Locum) -> Iterator[None]:
    """The sandbox host."""
    locum.start_sandbox()
    yield
    locum.stop("sandbox")
