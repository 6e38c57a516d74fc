"""The examples of the documents do what they say: they are run as they stand there."""

import re
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Call, Turn
from tests.running import Locum
from tests.sdk.installing import run

ROOT = Path(__file__).parents[2]

#: What they are asked, and what a model without a script makes of it.
ANSWER = "You said: What is a locum?"


def examples(path: str, language: str, locum: Locum) -> list[str]:
    """The code of a document in one language, talking to the Locum of the tests."""
    code = re.findall(rf"^```{language}\n(.*?)^```$", (ROOT / path).read_text(), re.MULTILINE | re.DOTALL)
    assert code
    return [
        block.replace("http://127.0.0.1:8080/v1", locum.base_url).replace("sk-locum-...", locum.api_key)
        for block in code
    ]


def variables(locum: Locum) -> dict[str, str]:
    """What the documents have the reader set."""
    return {"OPENAI_BASE_URL": locum.base_url, "OPENAI_API_KEY": locum.api_key}


def run_python(code: str, folder: Path, locum: Locum) -> str:
    return run(sys.executable, "-W", "ignore::DeprecationWarning", "-c", code, cwd=folder, **variables(locum))


def test_python(locum: Locum, tmp_path: Path) -> None:
    (example,) = examples("README.md", "python", locum)
    assert run_python(example, tmp_path, locum) == ANSWER


def test_python_by_the_variables_alone(locum: Locum, tmp_path: Path) -> None:
    (example,) = examples("README.md", "python", locum)
    assert run_python(re.sub(r"OpenAI\(.*\)", "OpenAI()", example), tmp_path, locum) == ANSWER


@pytest.mark.timeout(300)
def test_node(locum: Locum, node_folder: Path) -> None:
    (example,) = examples("README.md", "js", locum)
    (node_folder / "example.mjs").write_text(example)
    assert run("node", "example.mjs", cwd=node_folder) == ANSWER
    by_variables = re.sub(r"new OpenAI\(.*\)", "new OpenAI()", example)
    (node_folder / "example.mjs").write_text(by_variables)
    assert run("node", "example.mjs", cwd=node_folder, **variables(locum)) == ANSWER


@pytest.mark.skipif(not shutil.which("curl"), reason="curl is not installed")
def test_curl(locum: Locum, tmp_path: Path) -> None:
    (example,) = examples("README.md", "bash", locum)
    said = run("bash", "-euo", "pipefail", "-c", example, cwd=tmp_path, **variables(locum))
    assert said.startswith("id: 0-1\nevent: thread.created\n")
    assert said.endswith("event: done\ndata: [DONE]\n\n")
    assert f'"value":"{ANSWER}"' in said


def test_a_stream_is_taken_up_again(locum: Locum, tmp_path: Path) -> None:
    for example in examples("docs/clients.md", "python", locum):
        assert run_python(example, tmp_path, locum).endswith(ANSWER)


def test_the_concepts(
    locum: Locum, tmp_path: Path, backend: CompletionBackend, model: str, script: Callable[..., None]
) -> None:
    script(
        Turn(tool_calls=[Call("get_order", {"number": "B-17"})]),
        Turn(text="It is on its way."),
        Turn(text=["Yes, ", "a red one."]),
    )
    program = "\n".join(examples("docs/concepts.md", "python", locum)).replace("your-model", model)
    said = run_python(program, tmp_path, locum).splitlines()
    assert said == [
        "Yes, a red one.",
        "user: Where is my order B-17?",
        "assistant: It is on its way.",
        "user: Thank you. Is it a red one?",
        "assistant: Yes, a red one.",
    ]
    assert "on its way" in str(backend.requests(model)[1]["messages"])
