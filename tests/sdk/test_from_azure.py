"""What docs/migrating.md tells owners of code for Azure to write does what it says: it is run as it stands there."""

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Call, Turn
from tests.running import Locum
from tests.sdk.installing import run
from tests.sdk.test_examples import ANSWER, ROOT

_SECTION = (ROOT / "docs" / "migrating.md").read_text().partition("## From Azure")[2].partition("\n## ")[0]


def snippets(language: str, locum: Locum, model: str) -> list[str]:
    """The code of the section in one language, talking to the Locum of the tests."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", _SECTION, re.MULTILINE | re.DOTALL)
    return [
        code.replace("http://127.0.0.1:8080", locum.origin)
        .replace("sk-locum-...", locum.api_key)
        .replace("your-model", model)
        for code in found
    ]


def test_python(
    locum: Locum, backend: CompletionBackend, model: str, script: Callable[..., None], tmp_path: Path
) -> None:
    script(Turn(tool_calls=[Call("order_status", {"number": "B-17"})]), Turn(text="On its way."))
    (tmp_path / "returns.txt").write_text("Returns are free of charge within thirty days.")
    client, credential, agent, openai = snippets("python", locum, model)
    program = tmp_path / "program.py"
    # Functions are described by what Python's inspect finds, which wants a file.
    program.write_text("\n".join([client, agent]))
    said = run(sys.executable, program, cwd=tmp_path)
    assert said == "RunStatus.COMPLETED On its way.\n"
    assert "Order B-17 is on its way." in str(backend.requests(model)[1]["messages"])
    # Over plain HTTP, the client's own policy sends a token only where it is told to.
    insecure = (
        f"AgentsClient('{locum.origin}', LocumKey()).threads.create(enforce_https=False)\n"
        f"try: AgentsClient('{locum.origin}', LocumKey()).threads.create()\nexcept ServiceRequestError as e: print(e)"
    )
    imports = "from azure.ai.agents import AgentsClient\nfrom azure.core.exceptions import ServiceRequestError"
    said = run(sys.executable, "-c", "\n".join([credential, imports, insecure]), cwd=tmp_path)
    assert said.strip().rstrip(".") in _SECTION.replace("\n", " ")
    quiet = ["-W", "ignore::DeprecationWarning"]
    listed = f"{openai}\nprint(client.beta.assistants.list().data[0].model)"
    assert run(sys.executable, *quiet, "-c", listed, cwd=tmp_path).strip() == model


@pytest.mark.timeout(300)
def test_node(locum: Locum, model: str, script: Callable[..., None], node_folder: Path) -> None:
    script(Turn(text=ANSWER))
    (code,) = snippets("js", locum, model)
    (node_folder / "from_azure.mjs").write_text(code)
    assert run("node", "from_azure.mjs", cwd=node_folder) == ANSWER
