"""Markers and links are annotated wherever the model's tokens happen to be cut, and nothing else is."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.db.base import Json
from app.events import RunEvent
from app.models import Message, RunStep
from workers.engine.annotations import AnnotationScanner, without_markers
from workers.engine.drafts import MessageDraft
from workers.engine.pieces import Annotated
from workers.tools.material import Material, Source, marker

SOURCES = {(0, 0): Source("file-a", "a.txt", "first"), (0, 11): Source("file-b", "über 報告.pdf", "second")}
FILES = {
    "/mnt/data/a.csv": "file-1",
    "/mnt/data/a.csv.gz": "file-2",
    "/mnt/data/my chart.png": "file-3",
    "/mnt/data/out/Größe (1).txt": "file-4",
    "/mnt/data/50%20off.txt": "file-5",
    "/mnt/data/my_plan_b.md": "file-6",
    "/mnt/data/.hidden": "file-7",
    "/mnt/data/報告 \U0001f600.pdf": "file-8",
}
MATERIAL = Material(SOURCES, FILES, ["file-image"])

#: Texts with much in them that is, or nearly is, a marker.
texts = st.lists(
    st.sampled_from(
        [
            "【",
            "】",
            "0:0",
            "0:11",
            "†",
            "a.txt",
            "source",
            "【0:0†a.txt】",
            "【0:11】",
            "【0:0†",
            "【7:7†x】",
            "【【0:0】",
            "【0:0†a.txt, 0:11†b】",
            "【0:0;0:11】",
            ", 0:11",
            " ",
            "é😀",
            "\n",
            "sandbox:",
            "sandbox:///mnt/data/a.csv",
            "[it](/mnt/data/",
            "](<",
            "/mnt/",
            "/./",
            "data/",
            "a.csv",
            ".gz",
            "my%20chart.png",
            "Gr%c3%b6",
            "o\u0308%C3%9Fe (1).txt",
            "50%20off.txt",
            "[it](sandbox:/mnt/data/out/Gr%c3%b6ße%20(1).txt)",
            "[it](<sandbox:///mnt/data/./my chart.png> 'x')",
            "[it](/mnt/data/a.csv)",
            "%",
            "2",
            "\\_",
            ")",
        ]
    )
    | st.text(max_size=5),
    max_size=12,
).map("".join)


def split(text: str, cuts: list[int]) -> list[str]:
    places = sorted({min(cut, len(text)) for cut in cuts})
    return [text[start:end] for start, end in zip([0, *places], [*places, len(text)], strict=True)]


def scan(pieces: list[str]) -> list[str | Annotated]:
    """What the scanner finds, its neighbouring plain pieces joined."""
    scanner = AnnotationScanner(MATERIAL)
    found: list[str | Annotated] = []
    for piece in [*(item for part in pieces for item in scanner.feed(part)), *scanner.end()]:
        if isinstance(piece, str) and found and isinstance(found[-1], str):
            found[-1] += piece
        elif piece:
            found.append(piece)
    return found


@given(texts, st.lists(st.integers(0, 60), max_size=8))
def test_the_cuts_make_no_difference(text: str, cuts: list[int]) -> None:
    assert scan(split(text, cuts)) == scan([text])


@given(st.text(alphabet=st.characters(exclude_characters="【sS]=")), st.lists(st.integers(0, 60), max_size=8))
def test_plain_text_is_not_held_back(text: str, cuts: list[int]) -> None:
    scanner = AnnotationScanner(MATERIAL)
    pieces = [piece for piece in split(text, cuts) if piece]
    assert [item for piece in pieces for item in scanner.feed(piece)] == pieces
    assert list(scanner.end()) == []


@pytest.mark.parametrize(
    ("written", "position"), [("【0:0†a.txt】", 0), ("【0:0†source】", 0), ("【0:0】", 0), ("【 0:11 †über】", 11)]
)
def test_markers_are_known_however_they_are_labelled(written: str, position: int) -> None:
    source = SOURCES[0, position]
    details = {"file_id": source.file_id, "quote": source.quote}
    cited = Annotated(marker(0, position, source.filename), "file_citation", details)
    assert scan([f"So it is{written}."]) == ["So it is", cited, "."]


@pytest.mark.parametrize(
    ("written", "cited"),
    [
        ("【0:0†a, 0:11†b】", [0, 11]),
        ("【0:0†a】【0:11†b】", [0, 11]),
        ("【0:0, 0:11†b】", [0, 11]),
        ("【0:0,0:11】", [0, 11]),
        ("【0:0 0:11】", [0, 11]),
        ("【 0:0 † a , 0 : 11 † b 】", [0, 11]),
        ("【0:0†a;0:11†b;0:0†a】", [0, 11, 0]),
        ("【0:0†a, b and c.txt, 0:11†10:30, 2:15 pm.txt】", [0, 11]),
        ("【0:0†meeting 10:30.txt】", [0]),
        ("【0:0\uff0c0\uff1a11】", [0, 11]),
        ("【0:0†a, 】", [0]),
        ("【0:0, 7:7†x】", [0, "【7:7†x】"]),
        ("【7:7†x, 0:11】", ["【7:7†x】", 11]),
    ],
)
def test_several_citations_in_one_pair_of_brackets(written: str, cited: list[int | str]) -> None:
    expected: list[str | Annotated] = []
    for one in cited:
        if isinstance(one, str):
            expected.append(one)
            continue
        source = SOURCES[0, one]
        details = {"file_id": source.file_id, "quote": source.quote}
        expected.append(Annotated(marker(0, one, source.filename), "file_citation", details))
    assert scan([written]) == expected
    assert scan(list(written)) == expected


@pytest.mark.parametrize(
    ("text", "link", "file_id"),
    [
        ("[it](sandbox:/mnt/data/a.csv)", "sandbox:/mnt/data/a.csv", "file-1"),
        ("[it](sandbox:/mnt/data/a.csv.gz)", "sandbox:/mnt/data/a.csv.gz", "file-2"),
        ("sandbox:/mnt/data/a.csv.", "sandbox:/mnt/data/a.csv", "file-1"),
        ("sandbox:/mnt/data/a.csv", "sandbox:/mnt/data/a.csv", "file-1"),
        ("(sandbox:/mnt/data/my chart.png)", "sandbox:/mnt/data/my chart.png", "file-3"),
        ("(sandbox:/mnt/data/my%20chart.png)", "sandbox:/mnt/data/my%20chart.png", "file-3"),
        ("Get sandbox:/mnt/data/a.csv!", "sandbox:/mnt/data/a.csv", "file-1"),
        ("`sandbox:/mnt/data/a.csv`", "sandbox:/mnt/data/a.csv", "file-1"),
        ("sandbox:/mnt/data/a.csv...", "sandbox:/mnt/data/a.csv", "file-1"),
        ("[it](sandbox:///mnt/data/a.csv)", "sandbox:///mnt/data/a.csv", "file-1"),
        ("[it](sandbox://mnt/data/a.csv)", "sandbox://mnt/data/a.csv", "file-1"),
        ("[it](sandbox:mnt/data/a.csv)", "sandbox:mnt/data/a.csv", "file-1"),
        ("[it](Sandbox:/mnt/data/a.csv)", "Sandbox:/mnt/data/a.csv", "file-1"),
        ("[it](sandbox:/mnt/data/./a.csv)", "sandbox:/mnt/data/./a.csv", "file-1"),
        ("[it](sandbox:/./mnt//data/.//a.csv)", "sandbox:/./mnt//data/.//a.csv", "file-1"),
        ("[it](sandbox:/mnt/data/%61.csv)", "sandbox:/mnt/data/%61.csv", "file-1"),
        ("[it](sandbox:%2Fmnt%2fdata/a.csv)", "sandbox:%2Fmnt%2fdata/a.csv", "file-1"),
        ('[it](sandbox:/mnt/data/a.csv "The table")', "sandbox:/mnt/data/a.csv", "file-1"),
        ("[it](<sandbox:/mnt/data/my chart.png>)", "sandbox:/mnt/data/my chart.png", "file-3"),
        ("![it](sandbox:/mnt/data/my chart.png 'A chart')", "sandbox:/mnt/data/my chart.png", "file-3"),
        ("[it](sandbox:/mnt/data/out/Größe (1).txt)", "sandbox:/mnt/data/out/Größe (1).txt", "file-4"),
        ("[it](sandbox:/mnt/data/out/Gro\u0308ße (1).txt)", "sandbox:/mnt/data/out/Gro\u0308ße (1).txt", "file-4"),
        (
            "[it](sandbox:/mnt/data/out/Gr%C3%B6%C3%9Fe%20(1).txt)",
            "sandbox:/mnt/data/out/Gr%C3%B6%C3%9Fe%20(1).txt",
            "file-4",
        ),
        (
            "[it](sandbox:/mnt/data/out/Gr%c3%b6%c3%9fe%20%281%29.txt)",
            "sandbox:/mnt/data/out/Gr%c3%b6%c3%9fe%20%281%29.txt",
            "file-4",
        ),
        (
            "[it](sandbox:/mnt/data/out/Gro%cc%88ße \\(1\\).txt)",
            "sandbox:/mnt/data/out/Gro%cc%88ße \\(1\\).txt",
            "file-4",
        ),
        ("[it](sandbox:/mnt/data/50%20off.txt)", "sandbox:/mnt/data/50%20off.txt", "file-5"),
        ("[it](sandbox:/mnt/data/50%2520off.txt)", "sandbox:/mnt/data/50%2520off.txt", "file-5"),
        (r"[it](sandbox:/mnt/data/my\_plan\_b.md)", r"sandbox:/mnt/data/my\_plan\_b.md", "file-6"),
        ("[it](sandbox:/mnt/data/.hidden)", "sandbox:/mnt/data/.hidden", "file-7"),
        ("sandbox:/mnt/data/報告 %F0%9F%98%80.pdfをどうぞ", "sandbox:/mnt/data/報告 %F0%9F%98%80.pdf", "file-8"),
        ("[it](/mnt/data/a.csv)", "/mnt/data/a.csv", "file-1"),
        ('[it](/mnt/data/a.csv "The table")', "/mnt/data/a.csv", "file-1"),
        ("[it]( </mnt/data//my chart.png>)", "/mnt/data//my chart.png", "file-3"),
        ("[1]: /mnt/data/a.csv", "/mnt/data/a.csv", "file-1"),
        ('<img src="/mnt/data/my%20chart.png">', "/mnt/data/my%20chart.png", "file-3"),
    ],
)
def test_links_to_written_files(text: str, link: str, file_id: str) -> None:
    found = [item for item in scan([text]) if isinstance(item, Annotated)]
    assert found == [Annotated(link, "file_path", {"file_id": file_id})]
    assert "".join(item.text if isinstance(item, Annotated) else item for item in scan(list(text))) == text


@pytest.mark.parametrize(
    "text",
    [
        "【1:0†a.txt】",
        "【0:1, 0:2】",
        "【0:0 and more】",
        "[it](sandbox:/mnt/data/a.csv2)",
        "[it](sandbox:/mnt/data/a.csv.bz2)",
        "[it](sandbox:/mnt/data/a.cs)",
        "[it](sandbox:/mnt/data/a.csv/b)",
        "[it](sandbox:/tmp/a.csv)",
        "df = pd.read_csv('/mnt/data/a.csv')",
        "It is /mnt/data/a.csv",
        "sandbox:",
        "sandb",
        "sandbox:/mnt/data/%e3%a",
        "【0:1】",
        "【note】",
        "【】",
        "【0:0†a.txt",
        "【0:0†a【b】",
        "[0:0]",
        "sandbox:/mnt/data/b.csv",
    ],
)
def test_what_stands_for_nothing_is_text(text: str) -> None:
    assert scan([text]) == [text]


def test_what_never_becomes_a_marker_is_not_held_back_for_ever() -> None:
    scanner = AnnotationScanner(MATERIAL)
    told = "".join(str(item) for _ in range(100) for item in scanner.feed("【 and on " if _ == 0 else "and on and on "))
    assert len(told) > 400


def draft() -> MessageDraft:
    return MessageDraft(Message(id="msg_1"), RunStep(id="step_1"), MATERIAL)


def deltas(message: MessageDraft, pieces: list[tuple[str, str]]) -> list[Json]:
    """The content of each delta that a client is told."""
    told = [item for kind, piece in pieces for item in message.add(kind, piece)] + list(message.end())
    return [
        orjson.loads(item.data if isinstance(item, RunEvent) else item[0] + orjson.dumps(item[1]) + item[2])["delta"]
        for item in told
    ]


@given(texts, st.lists(st.integers(0, 60), max_size=8))
def test_deltas_add_up_to_the_message(text: str, cuts: list[int]) -> None:
    message = draft()
    value, annotations = "", []
    for number, delta in enumerate(deltas(message, [("text", piece) for piece in split(text, cuts)])):
        (part,) = delta["content"]
        if number == 0:
            assert "annotations" in part["text"]
        value += part["text"]["value"]
        annotations += part["text"].get("annotations", [])
    assert [annotation.pop("index") for annotation in annotations] == list(range(len(annotations)))
    whole = draft()
    deltas(whole, [("text", text)])
    assert message.content() == whole.content()
    _, *content = message.content()
    assert [part["text"] for part in content] == ([{"value": value, "annotations": annotations}] if content else [])
    for annotation in annotations:
        assert value[annotation["start_index"] : annotation["end_index"]] == annotation["text"]


@given(texts)
def test_a_message_told_again_has_no_markers(text: str) -> None:
    message = draft()
    deltas(message, [("text", text)])
    found = [item if isinstance(item, str) else item.text * (item.kind == "file_path") for item in scan([text])]
    assert "".join(without_markers(part["text"]) for part in message.content()[1:]) == "".join(found)


def test_images_come_first() -> None:
    message = draft()
    (event,) = message.begin()
    shown = {"index": 0, "type": "image_file", "image_file": {"file_id": "file-image"}}
    assert orjson.loads(event.data)["delta"] == {"content": [shown]}
    (delta,) = deltas(message, [("text", "A chart.")])
    assert delta["content"][0]["index"] == 1
    assert [part["type"] for part in message.content()] == ["image_file", "text"]


def test_a_refusal_ends_what_was_held_back() -> None:
    message = draft()
    told = deltas(message, [("text", "See 【0:"), ("refusal", "No."), ("text", "【0:0】")])
    assert [[(part["index"], part["type"]) for part in delta["content"]] for delta in told] == [
        [(1, "text")],
        [(1, "text")],
        [(2, "refusal")],
        [(3, "text")],
    ]
    assert [part["type"] for part in message.content()] == ["image_file", "text", "refusal", "text"]
    assert message.content()[1]["text"]["value"] == "See 【0:"


def test_an_unfinished_message_keeps_what_was_held_back() -> None:
    message = draft()
    list(message.add("text", "See 【0:0"))
    assert message.content()[1]["text"]["value"] == "See 【0:0"
