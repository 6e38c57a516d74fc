"""What code prints and writes where it is no plain text: nothing of it costs more than itself."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from openai import OpenAI
from openai.types.beta.threads import Run

from tests.api.test_code_interpreter import ask, calls, code, logs
from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Call, Turn
from tests.running import Locum

Script = Callable[..., None]


@pytest.fixture(scope="module", autouse=True)
def _sandbox(locum: Locum) -> Iterator[None]:
    """The sandbox host, for as long as these tests run."""
    locum.start_sandbox()
    yield
    if "sandbox" in locum.processes:
        locum.stop("sandbox")


def told(backend: CompletionBackend, model: str) -> str:
    """What the model was told of the execution."""
    return str([m for m in backend.requests(model)[-1]["messages"] if m["role"] == "tool"][-1]["content"])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (r"print('a\x00b')", "a\ufffdb"),
        (r"print('a\udcffb')", "a\ufffdb"),
        (r"print('before'); print('a\ud83d'); print('after')", "before\na\ufffd\nafter"),
        (r"print('\ud83d\ude00')", "\U0001f600"),
        (r"import sys; print('a\x00\udc80b', file=sys.stderr)", "a\ufffd\ufffdb"),
        (r"import sys; sys.stdout.buffer.write(b'ok\n') if hasattr(sys.stdout, 'buffer') else print('ok')", "ok"),
        (r"raise ValueError('a\x00b\udcff')", "ValueError: a\ufffdb\ufffd"),
        (r"import pandas as pd; print(pd.DataFrame({'c': ['a\x00b\udcff']}, dtype=object))", "b\ufffd"),
        (r"print('\x1b[31mred\x1b[0m', 7 ** 4000 > 0)", "red"),
        (r"print('x' * 10_000_000)", "xxx"),
        (r"print(''.join(map(chr, range(0x500))))", "\ufffd"),
    ],
)
def test_all_output_arrives(
    client: OpenAI, model: str, script: Script, backend: CompletionBackend, text: str, shown: str
) -> None:
    script(Turn(tool_calls=[code(text)]), Turn(text="Done."))
    run = ask(client, model)
    assert run.status == "completed", run.last_error
    (call,) = calls(client, run)
    assert shown in logs(call)
    assert shown in told(backend, model)


def test_code_with_nul_is_run(client: OpenAI, model: str, script: Script) -> None:
    script(Turn(tool_calls=[Call("code_interpreter", r"""{"code": "x='a\u0000b'; print(len(x))"}""")]), Turn(text="3."))
    run = ask(client, model)
    assert run.status == "completed", run.last_error
    (call,) = calls(client, run)
    assert call.code_interpreter.input == "x='a\ufffdb'; print(len(x))"
    assert logs(call) == "3\n"


@pytest.mark.parametrize("arguments", [r'"x=\'\u0000\'"', "x='\0'", '{"code": ["\\u0000"]}', r'{"code": "\ud83d'])
def test_odd_arguments_end_no_run_for_good(client: OpenAI, model: str, script: Script, arguments: str) -> None:
    script(Turn(tool_calls=[Call("code_interpreter", arguments)]), Turn(text="Well."))
    assert ask(client, model).status == "completed"


_NAMES = [
    ("b'a\\nb.txt'", "a_b.txt"),
    ("b'a\\rb\\tc.txt'", "a_b_c.txt"),
    ("b'bad\\xff.txt'", "bad_.txt"),
    ("b'-rf.txt'", "-rf.txt"),
    ("b'per%41cent %0A.txt'", "per%41cent %0A.txt"),
    ("b'..\\\\up.txt'", "..\\up.txt"),
    ("('\\u2028x\\u200d\\u00e9.txt').encode()", "_x\u200d\u00e9.txt"),
    ("b'y' * 250 + b'.txt'", "y" * 250 + ".txt"),
    ("b'q?#&;.txt'", "q?#&;.txt"),
]


def test_files_with_odd_names_are_kept(client: OpenAI, model: str, script: Script, backend: CompletionBackend) -> None:
    names = ", ".join(name for name, _ in _NAMES)
    text = (
        f"import os\nfor name in [{names}]:\n"
        "    with open(b'/mnt/data/' + name, 'wb') as file:\n        file.write(name)\n"
        "os.mkdir(b'/mnt/data/odd\\n\\xfe')\n"
        "open(b'/mnt/data/odd\\n\\xfe/in.txt', 'w').write('in')\n"
        "open(b'/mnt/data/a\\x01b.txt', 'w').write('another')\n"
        "print('written')"
    )
    script(Turn(tool_calls=[code(text)]), Turn(text="[it](sandbox:/mnt/data/a_b.txt)"))
    run = ask(client, model)
    assert run.status == "completed", run.last_error
    (call,) = calls(client, run)
    assert "written" in logs(call)
    assert "not be run to its end" not in logs(call)
    assert r"'a\nb.txt' is kept under the name" in logs(call)
    linked = re.findall(r"- sandbox:/mnt/data/(.*)", told(backend, model))
    expected = {name for _, name in _NAMES} | {"odd__/in.txt", "a_b (2).txt"}
    assert set(linked) == expected
    kept = {file.filename for file in client.files.list(purpose="assistants_output") if file.created_at}
    assert {name.rpartition("/")[2] for name in expected} <= kept
    message = client.beta.threads.messages.list(run.thread_id, limit=1).data[0]
    assert message.content[0].type == "text"
    (annotation,) = message.content[0].text.annotations
    assert annotation.type == "file_path"
    assert client.files.content(annotation.file_path.file_id).read() in (b"a\nb.txt", b"another")


def _with_files(client: OpenAI, model: str, names: list[str]) -> Run:
    ids = [client.files.create(file=(name, name.encode()), purpose="assistants").id for name in names]
    resources: Any = {"code_interpreter": {"file_ids": ids}}
    return ask(client, model, tool_resources=resources)


def test_one_odd_file_of_a_client_costs_the_others_nothing(client: OpenAI, model: str, script: Script) -> None:
    long = "x" * 300 + ".csv"
    names = [long, "plain.txt", "é" * 200 + ".txt", "-dash.txt", long.replace("x", "y")]
    text = "import os\nfor name in sorted(os.listdir('/mnt/data')):\n    print(len(name.encode()), name)"
    script(Turn(tool_calls=[code(text)]), Turn(text="Done."))
    run = _with_files(client, model, names)
    assert run.status == "completed", run.last_error
    (call,) = calls(client, run)
    there = [line.partition(" ")[2] for line in logs(call).splitlines()]
    assert {"plain.txt", "-dash.txt"} <= set(there)
    assert {name[0] for name in there if name.endswith(".csv")} == {"x", "y"}
    assert any(name.startswith("éé") and name.endswith(".txt") for name in there)
    assert len(there) == 2 * len(names)
