"""The demo application's page in a browser: what a visitor sees."""

from collections.abc import Callable
from pathlib import Path

from playwright.async_api import Page, expect

from tests.examples.help_desk import HelpDesk
from tests.examples.test_demo_app import DRAW, SEARCH
from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Call, Turn

Plays = Callable[..., None]

HOSTILE = """\
<img src=x onerror="document.title='taken'"><script>document.title='taken'</script>
[click](javascript:document.title='taken') `<b>code</b>` **<i>strong</i>** 【0:9†<b>none</b>】

| a | <u>b</u> |
| --- | --- |
| 1 | 2 |

```html
<h1>taken</h1>
```"""


async def ask(page: Page, question: str) -> None:
    """Asks, when what was asked before is answered."""
    await expect(page.get_by_role("button", name="Ask")).to_be_visible()
    await page.get_by_label("Your question").fill(question)
    await page.get_by_label("Your question").press("Enter")


async def test_a_visit(page: Page, help_desk: HelpDesk, plays: Plays, tmp_path: Path) -> None:
    await page.goto(help_desk.url)
    plays(
        Turn(tool_calls=[SEARCH]),
        Turn(
            text=[
                "Take the battery out, wait **thirty seconds**, put it back until it clicks, ",
                "and hold the round button for ten seconds【0:0】.\n\n",
                "If the code comes back within a day, bring it in【0:0】.",
            ]
        ),
    )
    await page.get_by_role("button", name="From the manuals").click()
    answer = page.locator("li.assistant").last
    sources = answer.get_by_role("button", name="Source 1: kestrel-manual.md")
    await expect(sources).to_have_count(2)
    await sources.first.hover()
    await expect(page.locator(".source:popover-open")).to_contain_text("hold the round button for ten seconds")
    await page.screenshot(path=tmp_path / "help-desk.png")
    await page.locator(".source").hover()
    await sources.first.click()
    await expect(page.locator(".source:popover-open")).to_be_visible()
    await page.mouse.move(0, 0)
    await expect(page.locator(".source")).to_have_count(0)
    await answer.get_by_text("Searched the manuals").click()
    await expect(answer.locator(".done li").first).to_contain_text("kestrel-manual.md")
    await answer.get_by_text("Searched the manuals").click()

    plays(
        Turn(tool_calls=[Call("get_order", {"number": "B-17", "postcode": "8001"})]),
        Turn(text="Your Kestrel is on its way."),
    )
    await ask(page, "Where is my order B-17? My postcode is 8001.")
    await expect(page.locator("li.assistant").last).to_contain_text("Your Kestrel is on its way.")

    plays(
        Turn(tool_calls=[Call("code_interpreter", {"code": DRAW})]),
        Turn(text="Here they are, [also as a workbook](sandbox:/mnt/data/sums.xlsx)."),
    )
    await page.get_by_label("Attach a file").set_input_files(
        {"name": "sales.csv", "mimeType": "text/csv", "buffer": b"model,revenue\nHeron,3\nWren,1\n"}
    )
    await expect(page.locator("#attached")).to_contain_text("sales.csv")
    await ask(page, "Draw the revenue of each model.")
    answer = page.locator("li.assistant").last
    chart = answer.get_by_role("img")
    await expect(chart).to_be_visible()
    assert await chart.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100
    async with page.expect_download() as download:
        await answer.get_by_role("link", name="also as a workbook").click()
    assert (await download.value).suggested_filename == "sums.xlsx"
    await page.screenshot(path=tmp_path / "chart.png")

    said = await page.locator("#messages").inner_text()
    await page.reload()
    await expect(page.locator("#messages > li")).to_have_count(6)
    assert await page.locator("#messages").inner_text() == said
    await page.get_by_role("button", name="Start over").click()
    await expect(page.get_by_role("heading", name="What can we do for you?")).to_be_visible()


async def test_nothing_that_is_written_becomes_part_of_the_page(
    page: Page, help_desk: HelpDesk, plays: Plays, tmp_path: Path
) -> None:
    await page.goto(help_desk.url)
    plays(Turn(text=[HOSTILE[:40], HOSTILE[40:]]))
    await page.get_by_label("Attach a file").set_input_files(
        {"name": "<img src=x>.md", "mimeType": "text/plain", "buffer": b"nothing"}
    )
    await ask(page, "<i>Hello?</i>")
    answer = page.locator("li.assistant").last
    await expect(answer.locator("pre")).to_have_text("<h1>taken</h1>")
    await page.screenshot(path=tmp_path / "hostile.png")
    await expect(page.locator("li.user")).to_contain_text("<i>Hello?</i>")
    await expect(page.locator("li.user .attachment")).to_have_text("<img src=x>.md")
    assert await page.locator("#messages :is(img, script, i, b, u, h1)").count() == 0
    assert await page.locator("#messages a").count() == 0
    assert await page.title() == "Help desk · Larch Cycles"


async def test_an_answer_can_be_stopped_and_found_again(
    page: Page, help_desk: HelpDesk, plays: Plays, backend: CompletionBackend
) -> None:
    await page.goto(help_desk.url)
    plays(Turn(text=["One, ", "two, ", "three"], hang_after=2))
    await ask(page, "Count.")
    await expect(page.locator("li.assistant")).to_contain_text("One,")
    await page.get_by_role("button", name="Stop").click()
    await expect(page.get_by_role("button", name="Ask")).to_be_visible()
    await expect(page.locator("li.assistant")).to_contain_text("One,")

    plays(Turn(text=["Four, ", "five, ", "six"], hang_after=2))
    await ask(page, "Go on.")
    await expect(page.locator("li.assistant").last).to_contain_text("Four,")
    await page.reload()
    await expect(page.get_by_role("button", name="Stop")).to_be_visible()
    backend.release(help_desk.model)
    await expect(page.locator("li.assistant").last).to_contain_text("six")
    await expect(page.get_by_role("button", name="Ask")).to_be_visible()
