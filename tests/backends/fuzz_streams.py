"""Answers of model servers at random through a whole Locum: every run ends, and its calls are what the answer means.

    python -m tests.backends.fuzz_streams --cases 10000 [--first 0] [--at-once 32] [--minutes 50]

No case begins after those minutes. Each is a run on a Postgres, a Redis, an API and a worker of their own: the scripted
server sends the case's bytes, cut as the case says. A run with calls must pause with them; with their outputs
there, it must complete.
"""

import argparse
import math
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import orjson

from tests.backends.odd_servers import TOOLS, Case, case
from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Turn
from tests.running import Locum, run_locum
from tests.stack import run_stack

#: Seconds without an event after which a run counts as stuck.
STUCK_SECONDS = 60.0
_FUNCTIONS: Any = [{"type": "function", "function": {"name": name}} for name in TOOLS]
_LAST = "That was it."

#: The last event of a stream by name and data, and the texts of the messages that it completed, by their ids: a stream
#: that is told from the rows tells again what was told before.
Heard = tuple[str, Any, dict[str, str]]


class Fuzz:
    """Plays cases on the Locum behind `http`, whose model server is `backend`."""

    def __init__(self, http: httpx2.Client, backend: CompletionBackend) -> None:
        self._http = http
        self._backend = backend
        made = http.post("/assistants", json={"model": "scripted", "tools": _FUNCTIONS, "instructions": "Go on."})
        self._assistant = made.json()["id"]

    def play(self, given: Case) -> str | None:
        """What is wrong with the run of a case; None if nothing is."""
        model = f"scripted-odd-{given.number}"
        self._backend.script(model, Turn(writes=given.writes), Turn(text=_LAST))
        try:
            wrong = self._run(given, model)
            if wrong is None and len(self._backend.requests(model)) != (2 if given.meant.calls else 1):
                wrong = f"{len(self._backend.requests(model))} model calls"
        except httpx2.TimeoutException:
            wrong = "stuck"
        except httpx2.TransportError as error:
            wrong = f"cut off: {error!r}"
        finally:
            self._backend.forget(model)
        return wrong and f"case {given.number}: {wrong} ({given.form})"

    def _run(self, given: Case, model: str) -> str | None:
        thread = {"messages": [{"role": "user", "content": "Go on."}]}
        body = {"assistant_id": self._assistant, "model": model, "thread": thread}
        name, run, texts = self._heard("/threads/runs", body)
        meant = [given.meant.text] if given.meant.text.strip() or not given.meant.calls else []
        if given.meant.calls:
            if name != "thread.run.requires_action":
                return f"{name}: {run}"
            asked = run["required_action"]["submit_tool_outputs"]["tool_calls"]
            calls = [(call["function"]["name"], orjson.loads(call["function"]["arguments"])) for call in asked]
            if calls != given.meant.calls:
                return f"heard {calls}, meant {given.meant.calls}"
            outputs = [{"tool_call_id": call["id"], "output": "done"} for call in asked]
            path = f"/threads/{run['thread_id']}/runs/{run['id']}/submit_tool_outputs"
            name, run, more = self._heard(path, {"tool_outputs": outputs})
            texts, meant = texts | more, [*meant, _LAST]
        if name != "thread.run.completed":
            return f"{name}: {run}"
        said = list(texts.values())
        return None if said == meant else f"said {said}, meant {meant}"

    def _heard(self, path: str, body: dict[str, Any]) -> Heard:
        """Asks for a stream and reads it to its end."""
        name, last, texts = "", None, dict[str, str]()
        with self._http.stream("POST", path, json={**body, "stream": True}) as response:
            for line in response.iter_lines():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: ") and not name.endswith(("delta", "done")):
                    data = orjson.loads(line.removeprefix("data: "))
                    if name == "thread.message.completed":
                        texts[data["id"]] = "".join(part["text"]["value"] for part in data["content"])
                    last = (name, data)
        return (*(last or ("no event", None)), texts)


def play(
    locum: Locum, backend: CompletionBackend, numbers: Iterable[int], at_once: int, minutes: float = math.inf
) -> dict[int, str | None]:
    """What is wrong with the cases of these numbers, as far as they have begun within `minutes`; None if nothing is."""
    until = time.monotonic() + 60 * minutes
    headers = {"Authorization": f"Bearer {locum.api_key}"}
    with (
        httpx2.Client(base_url=locum.base_url, headers=headers, timeout=STUCK_SECONDS) as http,
        ThreadPoolExecutor(at_once) as pool,
    ):
        fuzz = Fuzz(http, backend)

        def played(number: int) -> tuple[int, str | None] | None:
            return (number, fuzz.play(case(number))) if time.monotonic() < until else None

        return dict(filter(None, pool.map(played, numbers)))


def main() -> int:
    """Plays the cases and prints what is wrong; the exit status is 1 if anything is."""
    parser = argparse.ArgumentParser(description="Answers of model servers at random, through a whole Locum.")
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=32)
    parser.add_argument("--minutes", type=float, default=math.inf)
    arguments = parser.parse_args()
    numbers = range(arguments.first, arguments.first + arguments.cases)
    with (
        tempfile.TemporaryDirectory(prefix="locum-fuzz-") as folder,
        CompletionBackend() as backend,
        run_stack(Path(folder)) as stack,
        run_locum(stack, backend.url, Path(folder)) as locum,
    ):
        began = time.monotonic()
        played = play(locum, backend, numbers, arguments.at_once, arguments.minutes)
        return _report(played, backend.violations, time.monotonic() - began)


def _report(played: dict[int, str | None], violations: list[str], took: float) -> int:
    wrong = [line for line in played.values() if line is not None]
    kinds = Counter("stuck" if ": stuck (" in line else "otherwise than meant" for line in wrong)
    calls = sum(len(case(number).meant.calls) for number in played)
    found = ", ".join(f"{kinds[kind]} {kind}" for kind in ("stuck", "otherwise than meant"))
    told = f"{len(played)} answers with {calls} calls in {took:.0f} s: {found}, {len(violations)} wrong requests"
    lines = [*wrong, *violations[:20], told]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if wrong or violations else 0


if __name__ == "__main__":
    sys.exit(main())
