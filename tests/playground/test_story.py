"""From sign-in to a chart and a citation, as a visitor without a manual does it."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from openai import OpenAI
from playwright.async_api import expect

from tests.fakes.completion_backend import Call, CompletionBackend, Turn
from tests.playground.conftest import Visitor

Script = Callable[..., None]

MANUAL = b"# Kestrel\n\nThe battery of the Kestrel lasts nine hours. It charges in two.\n"
CHART = (
    "import matplotlib.pyplot as plt\n"
    "plt.bar(['a', 'b'], [3, 1])\n"
    "plt.savefig('/mnt/data/bars.png')\n"
    "plt.show()\n"
    "print('drawn')"
)


async def test_an_assistant_with_a_file_a_citation_and_the_python_that_does_the_same(
    visitor: Visitor, own_client: OpenAI, script: Script, model: str
) -> None:
    page = visitor.page
    await visitor.sign_in()
    await page.get_by_role("link", name="New assistant").click()
    await page.get_by_label("Name", exact=True).fill("Manuals")
    await page.get_by_label("Model").fill(model)
    await page.get_by_label("Instructions").fill("Answer from the manuals.")
    await page.get_by_label("Search in files").check()
    await page.get_by_label("Files for search", exact=True).set_input_files(
        {"name": "kestrel.md", "mimeType": "text/markdown", "buffer": MANUAL}
    )
    await expect(page.locator(".files .status")).to_have_text("completed")
    await visitor.take_picture("assistant")
    await page.get_by_role("button", name="Create").click()
    await expect(page.get_by_role("heading", name="Manuals")).to_be_visible()
    (assistant,) = own_client.beta.assistants.list().data
    assert [tool.type for tool in assistant.tools] == ["file_search"]

    search = Turn(tool_calls=[Call("file_search", {"queries": ["battery of the Kestrel"]})])
    answer = Turn(text=["It lasts **nine hours**", "【0:0】", "."])
    script(search, answer, search, answer)
    await page.get_by_role("link", name="Chat").click()
    await visitor.say("How long does the battery last?")
    await visitor.wait_for_run()
    citation = visitor.answer().locator(".citation")
    await expect(citation).to_have_text(re.compile(r"^\[1\]"))
    await expect(visitor.answer().locator("strong")).to_have_text("nine hours")
    await citation.hover()
    await expect(citation.locator(".source")).to_contain_text("kestrel.md")
    await expect(citation.locator(".source")).to_contain_text("lasts nine hours")
    await page.locator(".found summary").first.click()
    await expect(page.locator(".found blockquote").first).to_contain_text("It charges in two.")
    await citation.hover()
    await visitor.take_picture("citation")

    ran = await visitor.run_the_copied_python()
    assert ran.returncode == 0, ran.stderr
    assert "It lasts **nine hours**" in ran.stdout
    assert "file_citation" in ran.stdout
    assert "completed" in ran.stdout


@pytest.mark.usefixtures("sandbox")
async def test_a_chart(visitor: Visitor, own_client: OpenAI, script: Script, model: str) -> None:
    page = visitor.page
    own_client.beta.assistants.create(model=model, name="Charts", tools=[{"type": "code_interpreter"}])
    script(
        Turn(tool_calls=[Call("code_interpreter", {"code": CHART})]),
        Turn(text="Two bars, [as a file](sandbox:/mnt/data/bars.png)."),
    )
    await visitor.sign_in()
    await visitor.go("threads/new")
    await page.get_by_label("Files", exact=True).set_input_files(
        {"name": "sales.csv", "mimeType": "text/csv", "buffer": b"model,sold\na,3\nb,1\n"}
    )
    await expect(page.locator(".attachments progress")).to_have_count(0)
    await visitor.say("Draw the sales.")
    await visitor.wait_for_run()
    chart = page.locator(".call .picture")
    await expect(chart).to_be_visible()
    assert await chart.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    await expect(page.locator(".call .output")).to_contain_text("drawn")
    await expect(page.locator(".call .k, .call .kn").first).to_be_visible()
    async with page.expect_download() as download:
        await visitor.answer().get_by_role("link", name="as a file").click()
    assert (await download.value).suggested_filename == "bars.png"
    await visitor.take_picture("chart")


async def test_a_function_is_answered_by_hand(visitor: Visitor, own_client: OpenAI, script: Script, model: str) -> None:
    page = visitor.page
    await visitor.sign_in()
    await visitor.go("assistants/new")
    await page.get_by_label("Model").fill(model)
    await page.get_by_role("button", name="Add a function").click()
    text = page.get_by_label("Function")
    await text.fill('{"name": "get weather"}')
    await expect(page.locator(".function .failure")).to_contain_text("1 to 64 letters")
    await text.fill('{"name": "get_weather", "parameters": {"type": "object", "required": ["town"]}}')
    await expect(page.locator(".function .failure")).to_contain_text("`town` is required")
    await text.fill('{"name": "get_weather", "parameters": {"type": "object", "properties": {"town": {}}}}')
    await expect(page.locator(".function .failure")).to_be_empty()
    await page.get_by_role("button", name="Create").click()
    await page.get_by_role("link", name="Chat").click()

    call = Turn(tool_calls=[Call("get_weather", {"town": "Bern"})])
    script(call, Turn(text="It rains."), call, Turn(text="It rains."))
    await visitor.say("How is the weather in Bern?")
    form = page.get_by_role("form", name="Function calls")
    await expect(form).to_contain_text('"town": "Bern"')
    await visitor.take_picture("function")
    await form.get_by_label("Output of get_weather").fill("rain")
    await form.get_by_role("button", name="Submit outputs").click()
    await visitor.wait_for_run()
    await expect(visitor.answer()).to_contain_text("It rains.")
    await expect(page.locator(".call .output")).to_have_text("rain")
    ran = await visitor.run_the_copied_python()
    assert "It rains." in ran.stdout, ran.stderr


async def test_the_copied_node_and_curl(
    visitor: Visitor, own_client: OpenAI, script: Script, model: str, backend: CompletionBackend, node_folder: Path
) -> None:
    own_client.beta.assistants.create(model=model)
    script(Turn(text="It's noon."), repeat=True)
    await visitor.sign_in()
    await visitor.go("threads/new")
    await visitor.say("What's the time? Don't guess: \"look\" – ünïcode 🦉")
    await visitor.wait_for_run()
    (node_folder / "copied.mjs").write_text(await visitor.copied("Node"))
    ran = await visitor.run("node", "copied.mjs", folder=node_folder)
    assert "It's noon.\ncompleted" in ran.stdout, ran.stderr
    if shutil.which("curl"):
        ran = await visitor.run("sh", "-c", await visitor.copied("curl"))
        assert "event: thread.run.completed" in ran.stdout, ran.stderr
    asked = [message.body["messages"][-1]["content"] for message in backend.received(model)]
    assert len(asked) >= 2
    assert len({str(content) for content in asked}) == 1
