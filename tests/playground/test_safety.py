"""What models, files and users say is shown and never obeyed; the page asks nobody but its own server."""

import asyncio
import re
import time
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest
from openai import OpenAI
from playwright.async_api import expect

from app.playground.markdown import to_html
from tests.fakes.completion_backend import Call, Turn
from tests.playground.conftest import Visitor
from tests.running import Locum

Script = Callable[..., None]

STATIC = Path(__file__).parents[2] / "app" / "playground" / "static"
EVIL = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"


async def test_hostile_words_are_only_words(visitor: Visitor, own_client: OpenAI, script: Script, model: str) -> None:
    page = visitor.page
    assistant = own_client.beta.assistants.create(
        model=model, name=EVIL, description=EVIL, instructions=EVIL, metadata={"<b>k</b>": EVIL}
    )
    text = f"{EVIL}\n\n[a](javascript:document.title='taken') [b](#file-0) ![c](http://elsewhere.test/x.png)\n\n```html\n{EVIL}\n```"
    call = Turn(tool_calls=[Call("ask", {"question": EVIL})])
    script(Turn(text=text), call, Turn(text="Done."), Turn(status=400, body={"error": {"message": EVIL}}))
    own_client.beta.assistants.update(
        assistant.id, tools=[{"type": "function", "function": {"name": "ask", "description": EVIL}}]
    )
    await visitor.sign_in()
    await expect(page.get_by_role("link", name=EVIL)).to_be_visible()
    await visitor.go("threads/new")
    await page.get_by_label("Files", exact=True).set_input_files(
        {"name": f"{EVIL}.txt", "mimeType": "text/plain", "buffer": b"x"}
    )
    await visitor.say(EVIL)
    await visitor.wait_for_run()
    await expect(visitor.answer()).to_contain_text(EVIL)
    assert await visitor.answer().locator("img, script, [onerror], a[href^=javascript]").count() == 0
    await visitor.say("Again?")
    form = page.get_by_role("form", name="Function calls")
    await expect(form).to_contain_text("onerror")
    await form.get_by_label("Output of ask").fill(EVIL)
    await form.get_by_role("button", name="Submit outputs").click()
    await visitor.wait_for_run()
    await expect(page.locator(".call .output")).to_have_text(EVIL)
    await visitor.say("And now?")
    await visitor.wait_for_run("failed")
    await visitor.go("threads")
    await expect(page.get_by_role("link", name="And now?")).to_be_visible()
    await visitor.go("runs")
    await expect(page.get_by_role("cell").first).to_be_visible()
    await visitor.go(f"assistants/{assistant.id}")
    await expect(page.get_by_label("Name", exact=True)).to_have_value(EVIL)
    assert await page.title() == "Locum playground"


@pytest.mark.parametrize(
    "text",
    [
        EVIL,
        "<svg/onload=alert(1)>",
        "[x](javascript:alert(1))",
        "[x](&#106;avascript:alert(1))",
        "[x](data:text/html,<script>alert(1)</script>)",
        "![x](https://elsewhere.test/pixel.png)",
        '<a href="https://elsewhere.test" onclick="alert(1)">x</a>',
        "```html\n<script>alert(1)</script>\n```",
        '```"><script>alert(1)</script>\nx\n```',
        "<style>*{display:none}</style>",
        "<iframe src=//elsewhere.test></iframe>",
        "<math><mtext></math><img src=x onerror=alert(1)>",
    ],
)
def test_markup_does_nothing(text: str) -> None:
    tags = re.findall(r"<(/?\w+)([^>]*)>", to_html(text))
    assert {name.lstrip("/") for name, _ in tags} <= {"p", "a", "pre", "code", "span"}
    for _, attributes in tags:
        assert not re.search(r"on\w+=|style=|src=|javascript:|data:", attributes)


def test_markdown_is_for_those_with_a_key(locum: Locum) -> None:
    url = f"{locum.base_url.removesuffix('/v1')}/playground/markdown"
    assert httpx2.post(url, json={"text": "x"}).status_code == 401
    headers = {"Authorization": f"Bearer {locum.api_key}"}
    answer = httpx2.post(url, json={"text": "**x** and ~~y~~"}, headers=headers)
    assert answer.json() == {"html": "<p><strong>x</strong> and <s>y</s></p>\n"}
    assert httpx2.post(url, json={"text": 1}, headers=headers).status_code == 400


async def test_a_long_text_keeps_nobody_waiting(locum: Locum) -> None:
    headers = {"Authorization": f"Bearer {locum.api_key}"}
    async with httpx2.AsyncClient(base_url=locum.origin, headers=headers, timeout=30) as http:
        # It would take minutes.
        hard = asyncio.create_task(http.post("/playground/markdown", json={"text": "[" * 256_000}))
        waits = []
        while not hard.done():
            began = time.monotonic()
            assert (await http.get("/healthz")).status_code == 200
            waits.append(time.monotonic() - began)
        answer = await hard
    assert answer.json()["html"].startswith(("<pre>[[[", "<p>[[["))
    assert max(waits) < 2
    assert httpx2.post(f"{locum.origin}/playground/markdown", json={"text": "x" * 256_001}, headers=headers).is_error


@pytest.mark.parametrize("language", ["python", "erlang", "haskell", "brainfuck", "nothing"])
def test_a_long_text_looks_like_a_short_one(locum: Locum, language: str) -> None:
    """Though what renders it can open no file any more, whatever language is to be coloured."""
    headers = {"Authorization": f"Bearer {locum.api_key}"}
    text = (
        f"| a | b |\n|---|---|\n| [x](https://example.com) | ä\U0001f989 |\n\n```{language}\nx = 1 + [2] . >\n```\n"
        * 60
    )
    answer = httpx2.post(f"{locum.origin}/playground/markdown", json={"text": text}, headers=headers)
    assert len(text) > 2_000
    assert answer.json()["html"] == to_html(text)


def test_code_is_coloured_up_to_a_limit_for_the_whole_text() -> None:
    block = "```python\nx = 1\n```\n"
    assert "<span" in to_html(block)
    assert to_html(block * 9_000).count("<span") < 5 * 9_000


def test_the_page_is_small_and_strict(locum: Locum) -> None:
    origin = locum.base_url.removesuffix("/v1")
    page = httpx2.get(f"{origin}/playground")
    policy = page.headers["content-security-policy"]
    assert "script-src 'self';" in policy
    assert "unsafe" not in policy
    assert page.headers["x-content-type-options"] == "nosniff"
    assert "<script>" not in page.text
    assert sum(file.stat().st_size for file in STATIC.iterdir()) < 150_000
    for file in STATIC.iterdir():
        asked = httpx2.get(f"{origin}/playground/static/{file.name}")
        assert asked.content == file.read_bytes()
        unchanged = {"If-None-Match": asked.headers["etag"]}
        assert httpx2.get(f"{origin}/playground/static/{file.name}", headers=unchanged).status_code == 304
    assert httpx2.get(f"{origin}/playground/static/../routes.py").status_code == 404


async def test_nothing_is_asked_before_the_sign_in(visitor: Visitor) -> None:
    asked: list[str] = []
    visitor.page.on("request", lambda request: asked.append(request.url.removeprefix(visitor.origin)))
    await visitor.page.goto(f"{visitor.origin}/playground")
    await expect(visitor.page.get_by_label("API key")).to_be_visible()
    assert asked[0] == "/playground"
    assert all(path.startswith("/playground") for path in asked)


async def test_a_wrong_key_is_told_with_the_request(visitor: Visitor) -> None:
    page = visitor.page
    await page.goto(f"{visitor.origin}/playground")
    await page.get_by_label("API key").fill("sk-locum-wrong")
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_role("alert")).to_contain_text(re.compile(r"Incorrect API key provided.*\(req_\w{32}\)"))
    visitor.heard.forgive("401")
