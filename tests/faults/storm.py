"""Many cases at once, and one fault after the other meanwhile; all of it by a seed."""

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from tests.fakes.completion_backend import CompletionBackend
from tests.faults import cases, checks
from tests.faults.cases import Case, Prepared, Weather
from tests.faults.clients import Persistent
from tests.faults.injectors import FAULTS, WITHOUT_DATABASE, Fault
from tests.faults.system import System

AT_ONCE = 24
_CALM_SECONDS = 0.5

Say = Callable[[str], None]


class Storm:
    """`count` cases on `system`, while every one of `faults` happens once, and again as long as cases are left."""

    def __init__(
        self, system: System, backend: CompletionBackend, seed: int, count: int, faults: Sequence[Fault] = FAULTS
    ) -> None:
        self._system = system
        self._chance = random.Random(seed)
        self._weather = Weather(seed)
        self._faults = list(faults)
        self._count = count
        self.happened: Counter[str] = Counter()
        #: From when to when the database was away.
        self.away: list[tuple[float, float]] = []
        self.cases: list[Case] = []
        #: Seconds of each case, in the order of their ends.
        self.took: list[tuple[float, Case]] = []
        cases.install(backend, self._weather)

    def blow(self, say: Say) -> list[str]:
        """Plays it all; gives what is wrong afterwards, a line each."""
        clients = Persistent(self._system)
        try:
            prepared = Prepared.on(clients, has_sandbox=self._system.has_sandbox)
            kinds = [prepared.kinds[number % len(prepared.kinds)] for number in range(self._count)]
            self._chance.shuffle(kinds)
            self.cases = [Case(kind, f"token-{number}") for number, kind in enumerate(kinds)]
            with ThreadPoolExecutor(AT_ONCE) as pool:
                playing = [pool.submit(self._play, case, clients, prepared) for case in self.cases]
                try:
                    wrong = self._break(lambda: all(one.done() for one in playing), say)
                except BaseException:
                    pool.shutdown(wait=False, cancel_futures=True)
                    raise
            self._system.wait_until_well()
            for case in self.cases:
                case.may_fail = case.token in self._weather.cut_off
        finally:
            clients.close()
        return [*wrong, *checks.problems(self._system, self.cases)]

    def late_news(self) -> list[str]:
        """Returns the streams that told something too late, a line each: what a busy machine may make of any."""
        return list(checks.late_news(self.cases, self.away))

    @property
    def latest_news(self) -> float:
        """How long it took at most until the reader of a stream heard what had happened."""
        return max((checks.lateness(news, self.away) for case in self.cases for news in case.news), default=0)

    def _play(self, case: Case, clients: Persistent, prepared: Prepared) -> None:
        begun = time.monotonic()
        try:
            cases.play(case, clients, prepared)
        except Exception as error:  # noqa: BLE001 - it is what the storm is about
            case.status = f"{type(error).__name__}: {error}"
        self.took.append((time.monotonic() - begun, case))

    def _break(self, is_over: Callable[[], bool], say: Say) -> list[str]:
        """Lets faults happen until each has and all cases are played; gives what they had to complain of."""
        wrong: list[str] = []
        waiting = self._chance.sample(self._faults, len(self._faults))
        while waiting or not is_over():
            fault = waiting.pop() if waiting else self._chance.choice(self._faults)
            say(fault.__name__.replace("_", " "))
            began = time.time()
            try:
                fault(self._system, self._weather, self._chance)
            except AssertionError as error:
                wrong.append(f"{fault.__name__}: {error}")
            self.happened[fault.__name__] += 1
            if fault.__name__ in WITHOUT_DATABASE:
                self.away.append((began, time.time()))
            time.sleep(self._chance.uniform(0, 2 * _CALM_SECONDS))
        return wrong
