"""The demo application over the real stack, asked as its page asks."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest
from openai import OpenAI

from tests.examples.help_desk import HelpDesk, run_help_desk
from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Call, Turn
from tests.running import Locum, wait_for

Plays = Callable[..., None]

SEARCH = Call("file_search", {"queries": ["E07 the display has lost the battery"]})
DRAW = """\
import pandas as pd, matplotlib.pyplot as plt
table = pd.read_csv('/mnt/data/sales.csv')
table.groupby('model').revenue.sum().plot.bar()
plt.show()
table.to_excel('/mnt/data/sums.xlsx')
print(len(table))"""


def ask(visitor: httpx2.Client, question: str, **files: Any) -> list[dict[str, Any]]:
    """The events of an answer."""
    answer = visitor.post("/api/questions", data={"question": question}, files=files or {"": ""})
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def messages(events: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The whole answer, which comes last."""
    assert events[-1]["type"] == "answer", events
    return list(events[-1]["messages"])


def told(backend: CompletionBackend, desk: HelpDesk) -> str:
    """What the model was told last."""
    return str(backend.requests(desk.model)[-1]["messages"][-1]["content"])


def test_an_answer_from_the_manuals_shows_the_passage(help_desk: HelpDesk, plays: Plays) -> None:
    plays(Turn(tool_calls=[SEARCH]), Turn(text=["Hold the button ", "for ten seconds【0:0】."]))
    with help_desk.visitor() as visitor:
        events = ask(visitor, "E07?")
        (message,) = messages(events)
        assert {"type": "doing", "what": "file_search"} in events
        assert "".join(event["text"] for event in events if event["type"] == "text").startswith("Hold the button for")
        (part,) = message["parts"]
        assert part["text"] == "Hold the button for ten seconds\ue0000\ue001."
        (note,) = part["notes"]
        assert (note["type"], note["name"]) == ("citation", "kestrel-manual.md")
        assert "hold the round button for ten seconds" in note["quote"]
        (search,) = message["activities"]
        assert search["found"][0]["name"] == "kestrel-manual.md"
        again = visitor.get("/api/conversation").json()
        assert (again["running"], again["messages"][1]) == (False, message)


@pytest.mark.parametrize(("postcode", "found"), [("8001", "expected on Friday"), ("8002", "no order with this number")])
def test_an_order_is_told_to_who_knows_its_postcode(
    help_desk: HelpDesk, plays: Plays, backend: CompletionBackend, postcode: str, found: str
) -> None:
    plays(Turn(tool_calls=[Call("get_order", {"number": "b-17", "postcode": postcode})]), Turn(text="I see."))
    with help_desk.visitor() as visitor:
        (message,) = messages(ask(visitor, "Where is B-17?"))
    assert found in told(backend, help_desk)
    assert found in message["activities"][0]["output"]
    assert message["parts"][0]["text"] == "I see."


def test_a_table_becomes_a_chart_that_nobody_else_sees(
    help_desk: HelpDesk, plays: Plays, backend: CompletionBackend
) -> None:
    link = "sandbox:/mnt/data/sums.xlsx"
    plays(Turn(tool_calls=[Call("code_interpreter", {"code": DRAW})]), Turn(text=f"Here: [sums]({link})"))
    with help_desk.visitor() as visitor, help_desk.visitor() as another:
        table = visitor.get("/sales.csv").content
        (message,) = messages(ask(visitor, "Draw it.", file=("sales.csv", table)))
        chart, text = message["parts"]
        assert message["activities"][0]["output"] == "36\n"
        image = visitor.get(chart["url"])
        assert (image.headers["content-type"], image.content[:4]) == ("image/png", b"\x89PNG")
        (note,) = text["notes"]
        workbook = visitor.get(note["url"])
        assert workbook.content[:2] == b"PK"
        assert workbook.headers["content-disposition"] == "attachment; filename*=utf-8''sums.xlsx"
        assert visitor.get("/api/conversation").json()["messages"][0]["attached"] == "sales.csv"

        plays(Turn(text="Hello."))
        ask(another, "Hello?")
        assert [another.get(part["url"]).status_code for part in (chart, note)] == [404, 404]
        assert visitor.delete("/api/conversation").status_code == 204
        assert visitor.get(chart["url"]).status_code == 404
        assert visitor.get("/api/conversation").json() == {"messages": [], "running": False}


def test_an_answer_can_be_stopped(help_desk: HelpDesk, plays: Plays, backend: CompletionBackend) -> None:
    plays(Turn(text=["One, ", "two, ", "three"], hang_after=2))
    with (
        help_desk.visitor() as visitor,
        visitor.stream("POST", "/api/questions", data={"question": "Count."}) as response,
    ):
        lines = response.iter_lines()
        assert json.loads(next(lines))["text"].startswith("One, ")
        refused = visitor.post("/api/questions", data={"question": "And?"})
        assert (refused.status_code, refused.json()) == (
            409,
            {"message": "Your last question is still being answered."},
        )
        assert visitor.get("/api/conversation").json()["running"] is True
        visitor.post("/api/stop")
        events = [json.loads(line) for line in lines]
        assert messages(events)[0]["parts"][0]["text"].startswith("One, ")
        assert visitor.get("/api/conversation").json()["running"] is False


def test_an_answer_is_finished_for_who_has_gone(help_desk: HelpDesk, plays: Plays) -> None:
    order = Call("get_order", {"number": "B-18", "postcode": "3011"})
    plays(Turn(text=["Let me ", "see."], tool_calls=[order], delay=0.02), Turn(text="It is being assembled."))
    with help_desk.visitor() as visitor:
        with visitor.stream("POST", "/api/questions", data={"question": "B-18?"}) as response:
            next(response.iter_lines())
        wait_for(lambda: not visitor.get("/api/conversation").json()["running"], "the answer", 20)
        said = visitor.get("/api/conversation").json()["messages"]
        assert [message["parts"][0]["text"] for message in said] == [
            "B-18?",
            "Let me see.",
            "It is being assembled.",
        ]


def test_a_failure_is_told_without_its_reasons(help_desk: HelpDesk, plays: Plays) -> None:
    plays(Turn(status=400, body={"error": {"message": "of no concern", "type": "x", "param": None, "code": None}}))
    with help_desk.visitor() as visitor:
        events = ask(visitor, "Hello?")
    assert events[-1] == {"type": "error", "message": "The help desk could not answer. Please try again."}
    assert "of no concern" not in str(events)
    assert "of no concern" in help_desk.log.read_text()


@pytest.mark.parametrize(
    ("question", "files"),
    [
        (" ", {}),
        ("x" * 4001, {}),
        ("Run it.", {"file": ("run.exe", b"MZ")}),
        ("All.", {"file": ("a.csv", b"," * 5_300_000)}),
    ],
)
def test_what_is_no_question_is_refused(help_desk: HelpDesk, question: str, files: dict[str, Any]) -> None:
    with help_desk.visitor() as visitor:
        refused = visitor.post("/api/questions", data={"question": question}, files=files or {"": ""})
        assert refused.status_code == 400
        assert refused.json()["message"]
        assert not visitor.cookies


def test_every_answer_keeps_the_page_to_itself(help_desk: HelpDesk) -> None:
    with help_desk.visitor() as visitor:
        for path in ("/", "/static/desk.js", "/api/conversation", "/api/files/file-1", "/none"):
            headers = visitor.get(path).headers
            assert headers["content-security-policy"].startswith("default-src 'none'; script-src 'self';")
            assert headers["x-content-type-options"] == "nosniff"


def test_a_second_start_finds_the_assistant(help_desk: HelpDesk, locum: Locum, client: OpenAI, tmp_path: Path) -> None:
    def assistants() -> list[str]:
        listed = client.beta.assistants.list(limit=100)
        return [one.id for one in listed if (one.metadata or {}).get("application") == "larch-help-desk"]

    before = assistants()
    assert len(before) == 1
    with run_help_desk(locum, help_desk.model, tmp_path):
        assert assistants() == before
