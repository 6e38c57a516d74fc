"""The two notebooks do what they say, cell by cell, and the same as each other."""

import re
from collections.abc import Callable

import pytest

from tests.examples import notebooks
from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Call, Turn
from tests.running import Locum

NAMES = ("without_assistants_api", "with_assistants_api")


def variables(locum: Locum, model: str) -> dict[str, str]:
    """What the notebooks have the reader set."""
    return {"OPENAI_BASE_URL": locum.base_url, "OPENAI_API_KEY": locum.api_key, "MODEL": model}


def told(backend: CompletionBackend, model: str, number: int) -> str:
    """What the model was told in a request."""
    return str(backend.requests(model)[number]["messages"])


async def test_without(locum: Locum, backend: CompletionBackend, model: str, script: Callable[..., None]) -> None:
    script(
        Turn(tool_calls=[Call("search_manuals", {"query": "E07 the display has lost the battery"})]),
        Turn(text=["Take the battery out ", "for thirty seconds [1]."]),
        Turn(tool_calls=[Call("get_order", {"number": "B-17"}), Call("get_order", {"order": "B-17"})]),
        Turn(text="On its way."),
        Turn(tool_calls=[Call("search_manuals", {"query": "battery under warranty for two years"}), Call("guess")]),
        Turn(text="Two years [4]."),
        Turn(text="The Kestrel."),
    )
    said = await notebooks.execute("without_assistants_api", **variables(locum, model))
    assert said[notebooks.ASKING] == [
        "Take the battery out for thirty seconds [1].\n  [1] kestrel-manual.md\n",
        "On its way.\n",
        "Two years [4].\n  [4] warranty-and-returns.md\n",
        "The Kestrel.\n",
    ]
    assert "hold the round button for ten seconds" in told(backend, model, 1)
    assert "expected on Friday" in told(backend, model, 3)
    assert "These arguments are wrong: KeyError('number')" in told(backend, model, 3)
    assert "There is no function guess." in told(backend, model, 5)
    assert "My Kestrel shows E07" in told(backend, model, 6)


async def test_with(locum: Locum, backend: CompletionBackend, model: str, script: Callable[..., None]) -> None:
    script(
        Turn(tool_calls=[Call("file_search", {"queries": ["E07 the display has lost the battery"]})]),
        Turn(text=["Take the battery out ", "for thirty seconds【0:0】."]),
        Turn(tool_calls=[Call("get_order", {"number": "B-17"}), Call("get_order", {"order": "B-17"})]),
        Turn(text="On its way."),
        Turn(tool_calls=[Call("file_search", {"queries": ["battery under warranty for two years"]})]),
        Turn(text="Two years【0:0】."),
        Turn(text="The Kestrel."),
    )
    manual, terms = "【0:0†kestrel-manual.md】", "【0:0†warranty-and-returns.md】"
    said = await notebooks.execute("with_assistants_api", **variables(locum, model))
    assert said[notebooks.ASKING] == [
        f"Take the battery out for thirty seconds{manual}.\n  {manual} kestrel-manual.md\n",
        "On its way.\n",
        f"Two years{terms}.\n  {terms} warranty-and-returns.md\n",
        "The Kestrel.\n",
    ]
    assert "hold the round button for ten seconds" in told(backend, model, 1)
    assert "expected on Friday" in told(backend, model, 3)
    assert "These arguments are wrong: KeyError('number')" in told(backend, model, 3)
    assert "My Kestrel shows E07" in told(backend, model, 6)


@pytest.mark.parametrize("name", NAMES)
def test_no_outputs_are_kept(name: str) -> None:
    for cell in notebooks.code_cells(notebooks.read(name)):
        assert (cell.outputs, cell.execution_count) == ([], None)


def test_the_comparison_counts_right() -> None:
    without, with_api = map(notebooks.lines_by_section, NAMES)
    assert list(without) == list(with_api)
    rows = re.findall(
        r"^\| (\d\. .+) \| (\d+) \| (\d+) \|$", (notebooks.EXAMPLES / "README.md").read_text(), re.MULTILINE
    )
    told = {section: (int(one), int(other)) for section, one, other in rows}
    # What is the same on both sides is not in the table.
    counted = {section: (without[section], with_api[section]) for section in without}
    assert told == {section: pair for section, pair in counted.items() if pair[0] != pair[1]}
