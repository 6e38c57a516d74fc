"""The other views: lists with filters, metadata, the keyboard, dark and narrow screens."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from openai import NotFoundError, OpenAI
from playwright.async_api import Browser, expect

from tests.browser import open_page
from tests.fakes.completion_backend import Turn
from tests.playground.conftest import Visitor
from tests.running import Locum

Script = Callable[..., None]


def run(client: OpenAI, assistant_id: str, question: str) -> str:
    ended = client.beta.threads.create_and_run_poll(
        assistant_id=assistant_id, thread={"messages": [{"role": "user", "content": question}]}
    )
    return ended.id


async def test_lists_are_narrowed_and_lead_to_their_threads(
    visitor: Visitor, own_client: OpenAI, script: Script, model: str
) -> None:
    page = visitor.page
    script(Turn(text="Fine."), Turn(status=400, body={"error": {"message": "the model is asleep"}}))
    first = own_client.beta.assistants.create(model=model, name="First")
    second = own_client.beta.assistants.create(model=model, name="Second")
    good, bad = run(own_client, first.id, "How are you?"), run(own_client, second.id, "And you?")
    await visitor.sign_in()
    await page.get_by_role("link", name="Threads", exact=True).first.click()
    await expect(page.locator("tbody tr")).to_have_count(2)
    await page.get_by_label("Assistant").select_option(label="First")
    await expect(page.locator("tbody tr")).to_have_count(1)
    await expect(page.locator("tbody tr")).to_contain_text("Fine.")
    await page.get_by_role("link", name="Runs").click()
    await expect(page.locator("tbody tr")).to_have_count(2)
    await visitor.take_picture("runs")
    await page.get_by_label("Status").select_option(label="failed")
    await expect(page.locator("tbody tr")).to_have_count(1)
    await expect(page.locator("tbody tr")).to_contain_text("the model is asleep")
    await page.get_by_role("link", name=bad).click()
    await visitor.wait_for_run("failed")
    await expect(page.locator(".run-head .failure")).to_contain_text("the model is asleep")
    await visitor.go("runs")
    await page.get_by_role("link", name=good).click()
    await visitor.wait_for_run()
    await expect(visitor.answer()).to_contain_text("Fine.")


async def test_metadata_and_deletion(visitor: Visitor, own_client: OpenAI) -> None:
    page = visitor.page
    thread = own_client.beta.threads.create(metadata={"user": "ada"})
    await visitor.sign_in()
    await visitor.go(f"threads/{thread.id}")
    await page.get_by_role("button", name="Metadata").click()
    dialog = page.get_by_role("dialog", name="Metadata")
    await dialog.get_by_label("Metadata value").first.fill("grace")
    await dialog.get_by_label("Metadata key").last.fill("town")
    await dialog.get_by_label("Metadata value").nth(1).fill("Bern")
    await dialog.get_by_role("button", name="Save").click()
    await expect(dialog).to_have_count(0)
    assert own_client.beta.threads.retrieve(thread.id).metadata == {"user": "grace", "town": "Bern"}
    page.on("dialog", lambda asked: asked.accept())
    await page.get_by_role("button", name="Delete").click()
    await expect(page.get_by_role("heading", name="Threads")).to_be_visible()
    with pytest.raises(NotFoundError):
        own_client.beta.threads.retrieve(thread.id)


async def test_every_field_of_an_assistant_is_kept(visitor: Visitor, own_client: OpenAI, model: str) -> None:
    page = visitor.page
    schema: Any = {"name": "answer", "schema": {"type": "object", "properties": {"town": {"type": "string"}}}}
    made = own_client.beta.assistants.create(
        model=model,
        name="All",
        description="All of it",
        instructions="Be brief.",
        tools=[
            {"type": "file_search", "file_search": {"max_num_results": 7}},
            {"type": "code_interpreter"},
            {"type": "function", "function": {"name": "f", "description": "d", "strict": False}},
        ],
        temperature=0,
        top_p=0.25,
        reasoning_effort="low",
        response_format={"type": "json_schema", "json_schema": schema},
        metadata={"a": "b"},
    )
    await visitor.sign_in()
    await visitor.go(f"assistants/{made.id}")
    await page.get_by_label("Instructions").fill("Be very brief.")
    await page.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("Saved.")).to_be_visible()
    kept = own_client.beta.assistants.retrieve(made.id)
    changed = {**made.to_dict(), "instructions": "Be very brief."}
    resources: Any = {"file_search": {"vector_store_ids": []}, "code_interpreter": {"file_ids": []}}
    assert {**kept.to_dict(), "tool_resources": resources} == {**changed, "tool_resources": resources}


async def test_the_keyboard_is_enough(visitor: Visitor, own_client: OpenAI, script: Script, model: str) -> None:
    page = visitor.page
    own_client.beta.assistants.create(model=model)
    script(Turn(text="Yes."))
    await page.goto(f"{visitor.origin}/playground")
    await expect(page.get_by_label("API key")).to_be_focused()
    await page.keyboard.type(visitor.api_key)
    await page.keyboard.press("Enter")
    chat = page.get_by_role("link", name="Chat")
    await expect(chat).to_be_visible()
    for _ in range(20):
        if await chat.evaluate("link => link === document.activeElement"):
            break
        await page.keyboard.press("Tab")
    await page.keyboard.press("Enter")
    await expect(page.get_by_label("Message", exact=True)).to_be_focused()
    await page.keyboard.type("Do you hear me?")
    await page.keyboard.press("Enter")
    await expect(visitor.answer()).to_contain_text("Yes.")


@pytest.mark.parametrize("view", ["assistants/new", "threads", "runs", "threads/new"])
async def test_dark_and_narrow(browser: Browser, locum: Locum, pictures: Path, view: str) -> None:
    async with open_page(browser, color_scheme="dark", viewport={"width": 390, "height": 800}) as (page, heard):
        visitor = Visitor(page, heard, locum, locum.new_project(), pictures)
        await visitor.sign_in()
        await visitor.go(view)
        await expect(page.get_by_role("heading", level=1)).to_be_visible()
        assert await page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(16, 20, 24)"
        await visitor.take_picture(f"narrow-{view.replace('/', '-')}")
