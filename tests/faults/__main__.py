"""The whole fault suite: `python -m tests.faults [--runs 1000] [--seed N]`. Status 1 if anything is lost or doubled."""

# ruff: noqa: T201 - what it prints is its report

import argparse
import contextlib
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from app.settings import SandboxSettings
from sandbox.environment import Environment
from tests.fakes.completion_backend import CompletionBackend
from tests.faults import netem, times
from tests.faults.storm import Storm
from tests.faults.system import run_system
from tests.watched_streams import Watch


def main() -> None:
    """Measures what has a limit; starts the system, breaks it, checks it, prints a summary."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(2**32))
    parser.add_argument("--no-times", action="store_true", help="without the figures of what has a limit")
    parser.add_argument("--folder", type=Path, help="new, for the logs of all processes")
    parser.add_argument("--netem", help='what the kernel does to every packet on TCP: "delay 20ms 20ms loss 1%%"')
    asked = parser.parse_args()
    if asked.netem is not None and (missing := netem.enter(asked.netem)) is not None:
        print(f"not played: there is no netem here ({missing})")
        return
    print(f"seed {asked.seed}", flush=True)
    begun = time.monotonic()
    wrong: list[str] = []
    watch = Watch()
    watch.is_lossy = True
    watch.put_on()
    has_sandbox = Environment.of(SandboxSettings()).problem() is None
    with (
        _folder(asked.folder) as folder,
        CompletionBackend() as backend,
        contextlib.ExitStack() as opened,
    ):
        for figure in () if asked.no_times else times.measure(folder / "times", backend):
            print(f"  {figure.seconds:5.2f} s (at most {figure.limit} s)  {figure.what}", flush=True)
            if not figure.is_kept:
                wrong.append(f"it took {figure.seconds:.2f} s: {figure.what}")
        system = opened.enter_context(run_system(folder, backend, has_sandbox=has_sandbox))
        storm = Storm(system, backend, asked.seed, asked.runs)
        wrong += storm.blow(lambda what: print(f"{time.monotonic() - begun:6.0f} s  {what}", flush=True))
    wrong += [*storm.late_news(), *watch.taken()]
    counts = f"{len(storm.cases)} cases, {watch.streams} streams, {sum(storm.happened.values())} faults"
    print(f"\n{counts}, {time.monotonic() - begun:.0f} s")
    print(f"{storm.latest_news:.1f} s at most until a stream told what had happened while the database was there")
    for fault, count in storm.happened.most_common():
        print(f"  {count:4}  {fault.replace('_', ' ')}")
    for (kind, status), count in sorted(Counter((case.kind, case.status) for case in storm.cases).items()):
        print(f"  {count:4}  {kind} {status}")
    for seconds, case in sorted(storm.took, key=lambda one: -one[0])[:3]:
        print(f"  {seconds:.1f} s took {case.kind} {case.token} {case.run_id}")
    for problem in wrong:
        print(f"WRONG  {problem}")
    print("nothing lost, stuck, doubled or silent" if not wrong else f"{len(wrong)} problems")
    sys.exit(1 if wrong else 0)


@contextlib.contextmanager
def _folder(kept: Path | None) -> Iterator[Path]:
    if kept is not None:
        kept.mkdir(parents=True)
        yield kept
        return
    with tempfile.TemporaryDirectory(prefix="locum-faults-") as name:
        yield Path(name)


if __name__ == "__main__":
    main()
