"""Answers of model servers at random through a whole Locum: every run ends, and its calls are what the answer means.

    python -m tests.backends.fuzz_streams --cases 10000 [--first 0] [--at-once 16]

Each case is a run on a Postgres, a Redis, an API and a worker of their own: the scripted server sends the case's bytes,
cut as the case says. A run with calls must pause with them, once their outputs are there, it must complete.
"""

import argparse
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import orjson
from openai import OpenAI
from openai.types.beta.threads import Run

from tests.backends.odd_servers import TOOLS, Case, case
from tests.fakes.completion_backend import CompletionBackend
from tests.fakes.turns import Turn
from tests.running import Locum, run_locum
from tests.stack import run_stack

#: Seconds after which a run counts as stuck.
STUCK_SECONDS = 60.0
_FUNCTIONS: Any = [{"type": "function", "function": {"name": name}} for name in TOOLS]
_LAST = "That was it."


class Fuzz:
    """Plays cases on `locum`, whose model server is `backend`."""

    def __init__(self, client: OpenAI, backend: CompletionBackend) -> None:
        self._client = client
        self._backend = backend

    def play(self, given: Case) -> str | None:
        """What is wrong with the run of a case; None if nothing is."""
        model = f"scripted-odd-{given.number}"
        self._backend.script(model, Turn(writes=given.writes), Turn(text=_LAST))
        try:
            wrong = self._run(given, model)
            if wrong is None and len(self._backend.requests(model)) != (2 if given.meant.calls else 1):
                wrong = f"{len(self._backend.requests(model))} model calls"
        except TimeoutError as error:
            wrong = f"stuck: {error}"
        finally:
            self._backend.forget(model)
        return wrong and f"case {given.number}: {wrong} ({given.form})"

    def _run(self, given: Case, model: str) -> str | None:
        threads = self._client.beta.threads
        assistant = self._client.beta.assistants.create(model=model, tools=_FUNCTIONS, instructions="Go on.")
        thread = threads.create(messages=[{"role": "user", "content": "Go on."}])
        run = threads.runs.create(thread.id, assistant_id=assistant.id)
        run = self._ended(run)
        if given.meant.calls:
            if run.status != "requires_action" or run.required_action is None:
                return f"{run.status}: {run.last_error}"
            asked = run.required_action.submit_tool_outputs.tool_calls
            calls = [(call.function.name, orjson.loads(call.function.arguments)) for call in asked]
            if calls != given.meant.calls:
                return f"heard {calls}, meant {given.meant.calls}"
            outputs: Any = [{"tool_call_id": call.id, "output": "done"} for call in asked]
            run = self._ended(threads.runs.submit_tool_outputs(run.id, thread_id=run.thread_id, tool_outputs=outputs))
        if run.status != "completed":
            return f"{run.status}: {run.last_error}"
        meant = [given.meant.text] if given.meant.text.strip() or not given.meant.calls else []
        return self._said(run, [*meant, *([_LAST] if given.meant.calls else [])])

    def _said(self, run: Run, meant: list[str]) -> str | None:
        messages = self._client.beta.threads.messages.list(run.thread_id, run_id=run.id, order="asc")
        said = [part.text.value for message in messages for part in message.content if part.type == "text"]
        return None if said == meant else f"said {said}, meant {meant}"

    def _ended(self, run: Run) -> Run:
        deadline = time.monotonic() + STUCK_SECONDS
        pause = 0.02
        while run.status in ("queued", "in_progress"):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{run.id} is {run.status}")
            time.sleep(pause)
            pause = min(pause * 1.3, 0.25)
            run = self._client.beta.threads.runs.retrieve(run.id, thread_id=run.thread_id)
        return run


def play(client: OpenAI, backend: CompletionBackend, numbers: Iterable[int], at_once: int) -> list[str]:
    """What is wrong with the cases of these numbers."""
    fuzz = Fuzz(client, backend)
    with ThreadPoolExecutor(at_once) as pool:
        return [wrong for wrong in pool.map(lambda number: fuzz.play(case(number)), numbers) if wrong is not None]


def main() -> int:
    """Plays the cases and prints what is wrong; the exit status is 1 if anything is."""
    parser = argparse.ArgumentParser(description="Answers of model servers at random, through a whole Locum.")
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--at-once", type=int, default=16)
    arguments = parser.parse_args()
    numbers = range(arguments.first, arguments.first + arguments.cases)
    with (
        tempfile.TemporaryDirectory(prefix="locum-fuzz-") as folder,
        CompletionBackend() as backend,
        run_stack(Path(folder)) as stack,
        run_locum(stack, backend.url, Path(folder)) as locum,
    ):
        return _report(locum, backend, numbers, arguments.at_once)


def _report(locum: Locum, backend: CompletionBackend, numbers: range, at_once: int) -> int:
    began = time.monotonic()
    with locum.client() as client:
        wrong = play(client, backend, numbers, at_once)
    kinds = Counter("stuck" if ": stuck" in line else "otherwise than meant" for line in wrong)
    calls = sum(len(case(number).meant.calls) for number in numbers)
    took = time.monotonic() - began
    found = ", ".join(f"{kinds[kind]} {kind}" for kind in ("stuck", "otherwise than meant"))
    told = (
        f"{len(numbers)} answers with {calls} calls in {took:.0f} s: {found}, {len(backend.violations)} wrong requests"
    )
    lines = [*wrong, *backend.violations[:20], told]
    sys.stdout.write("\n".join(lines) + "\n")
    return 1 if wrong or backend.violations else 0


if __name__ == "__main__":
    sys.exit(main())
