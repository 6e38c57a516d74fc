"""The life of runs, explored: whatever clients, workers, the sweep and the clock do, in whatever order and at the same
time, the database says what the rules say (tests.engine.run_model).

`LOCUM_EXPLORE=2000 pytest tests/engine/test_run_life.py --hypothesis-profile=explore` plays 2,000 other stories.
"""

import asyncio
import os
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from app.db import migrate
from app.settings import Settings
from tests.engine.run_model import (
    ENDED,
    LOST,
    PROJECTS,
    Cancel,
    Claim,
    Create,
    Delete,
    Die,
    GoOn,
    Hand,
    Lapse,
    Overdue,
    Renew,
    Retire,
    RunModel,
    Step,
    Submit,
    Sweep,
    after_both,
)
from tests.engine.worlds import WORKERS, World, settings_of
from tests.stack import Stack

STORIES = int(os.environ.get("LOCUM_EXPLORE", "24"))
_STEPS = 40
_DATABASE = "run_life"

_threads = st.integers(0, len(PROJECTS) - 1)
_workers = st.integers(0, WORKERS - 1)
_answers = st.sampled_from(["say", "say", "finish", "finish", "call", "call", "fail"])


@pytest.fixture
def world_settings(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Settings]:
    """A database of the test's own, and a Redis apart."""
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {_DATABASE}")
        made = settings_of(
            stack.database_url.replace("/locum?", f"/{_DATABASE}?"),
            stack.redis_url.replace("db=0", "db=7"),
            str(tmp_path_factory.mktemp("run-life")),
        )
        asyncio.run(migrate.upgrade(made))
        yield made
        connection.execute(f"DROP DATABASE {_DATABASE} WITH (FORCE)")


class RunLife(RuleBasedStateMachine):
    """One story. A subclass says by which settings."""

    settings: Settings
    database: psycopg.Connection[Any]
    loop: asyncio.AbstractEventLoop

    def __init__(self) -> None:
        super().__init__()
        self.model = RunModel()
        self.world = self.wait(self._made())
        #: What the database held of each run when it had ended.
        self._last_words: dict[int, str] = {}

    def wait(self, coroutine: Any) -> Any:
        return self.loop.run_until_complete(coroutine)

    async def _made(self) -> World:
        world = World(self.settings, self.database)
        await world.prepare()
        return world

    def teardown(self) -> None:
        self.wait(self.world.close())

    @property
    def _threads_with_runs(self) -> list[int]:
        return [thread for thread in range(len(PROJECTS)) if self.model.latest(thread) is not None]

    def _perform(self, step: Step) -> None:
        """Does it for real and in the model: the outcome is the same, and who has lost a run has written nothing."""
        before = self._written()
        outcome = self.wait(self.world.do(step, deepcopy(self.model)))
        assert outcome == step.apply(self.model), step
        if outcome == LOST:
            assert self._written() == before, step

    def _written(self) -> dict[int, str]:
        return {number: self.world.written(number) for number in self.model.runs}

    @initialize(count=st.integers(1, len(PROJECTS)), worker=_workers)
    def some_runs_have_begun(self, count: int, worker: int) -> None:
        for thread in range(count):
            self._perform(Create(thread))
        self._perform(Claim(worker))

    @rule(thread=_threads)
    def a_client_creates_a_run(self, thread: int) -> None:
        self._perform(Create(thread))

    @precondition(lambda self: self._threads_with_runs)
    @rule(data=st.data(), kind=st.sampled_from([Cancel, Submit, Submit, Submit, Lapse, Lapse, Overdue, Delete]))
    def something_is_done_to_a_run(self, data: st.DataObject, kind: Any) -> None:
        self._perform(kind(data.draw(st.sampled_from(self._threads_with_runs))))

    @rule(worker=_workers)
    def a_worker_claims(self, worker: int) -> None:
        if self.model.room(worker):
            self._perform(Claim(worker))

    @precondition(lambda self: self.model.hands)
    @rule(data=st.data(), worker=_workers)
    def a_worker_is_silent_for_too_long(self, data: st.DataObject, worker: int) -> None:
        """And another takes its run, or it does so itself when it wakes up."""
        run = self.model.runs.get(data.draw(st.sampled_from(self.model.hands)).run)
        if run is not None and self.model.room(worker):
            self._perform(Lapse(run.thread))
            self._perform(Claim(worker))

    @rule(worker=_workers, kind=st.sampled_from([Renew, Renew, Retire, Die]))
    def a_worker_looks_after_its_runs(self, worker: int, kind: Any) -> None:
        self._perform(kind(worker))

    @precondition(lambda self: self.model.hands)
    @rule(data=st.data(), answer=_answers)
    def a_worker_goes_on(self, data: st.DataObject, answer: Any) -> None:
        self._perform(GoOn(data.draw(st.sampled_from(self.model.hands)), answer))

    @precondition(lambda self: self.model.hands)
    @rule(data=st.data())
    def the_clock_of_a_worker_rings(self, data: st.DataObject) -> None:
        self._perform(GoOn(data.draw(st.sampled_from(self.model.hands)), "time out"))

    @rule()
    def the_sweep_passes(self) -> None:
        self._perform(Sweep())

    @precondition(lambda self: self.model.hands)
    @rule(
        data=st.data(),
        answer=st.sampled_from(["finish", "call", "fail", "say", "time out"]),
        kind=st.sampled_from([Cancel, Sweep, Claim]),
    )
    def a_worker_goes_on_while_something_happens_to_its_run(self, data: st.DataObject, answer: Any, kind: Any) -> None:
        hand: Hand = data.draw(st.sampled_from(self.model.hands))
        run = self.model.runs.get(hand.run)
        if run is None or self.model.latest(run.thread) != hand.run:
            return
        other = Sweep() if kind is Sweep else Claim(1 - hand.worker) if kind is Claim else Cancel(run.thread)
        if kind is not Claim or self.model.room(1 - hand.worker):
            self._perform_both(GoOn(hand, answer), other)

    @precondition(lambda self: self._threads_with_runs)
    @rule(data=st.data(), kinds=st.sampled_from([(Cancel, Submit), (Cancel, Cancel), (Submit, Submit)]))
    def two_clients_are_quick(self, data: st.DataObject, kinds: Any) -> None:
        thread = data.draw(st.sampled_from(self._threads_with_runs))
        self._perform_both(*(kind(thread) for kind in kinds))

    @rule(thread=_threads)
    def two_clients_create_a_run(self, thread: int) -> None:
        self._perform_both(Create(thread), Create(thread))

    @rule()
    def two_workers_claim(self) -> None:
        """No run twice, none left while there is room; who gets which is theirs to settle."""
        if not all(self.model.room(worker) for worker in range(WORKERS)):
            return
        claims = [Claim(worker) for worker in range(WORKERS)]
        before = deepcopy(self.model)
        waiting, room = Claim.in_order(before), sum(before.room(worker) for worker in range(WORKERS))
        first, second = self._at_once(*claims)
        taken = [number for number, _ in [*first, *second]]
        assert len(taken) == len(set(taken)), "a run was taken twice"
        assert set(taken) <= set(waiting)
        assert len(taken) == min(len(waiting), room)
        for claim, mine in zip(claims, (first, second), strict=True):
            theirs = frozenset(waiting) - {number for number, _ in mine}
            assert Claim(claim.worker, theirs).apply(self.model) == mine

    def _at_once(self, one: Step, other: Step) -> list[Any]:
        async def both() -> list[Any]:
            before = deepcopy(self.model)
            outcomes = await asyncio.gather(self.world.do(one, before), self.world.do(other, before))
            await self.world.settle()
            return list(outcomes)

        outcomes: list[Any] = self.wait(both())
        return outcomes

    def _perform_both(self, one: Step, other: Step) -> None:
        """Two steps at the same time: what comes of it is what comes of one after the other."""
        possible = list(after_both(self.model, one, other))
        outcomes = self._at_once(one, other)
        seen = []
        for after, *expected in possible:
            self._observe_into(after_seen := deepcopy(after))
            seen.append((expected, after.visible()))
            if expected == outcomes and after.visible() == after_seen.visible():
                self.model = after_seen
                return
        raise AssertionError(f"{one} and {other} gave {outcomes}, {after_seen.visible()}; possible were {seen}")

    def _observe_into(self, model: RunModel) -> None:
        for number, run in list(model.runs.items()):
            model.runs[number] = self.world.observed(number, run)

    @invariant()
    def the_database_says_what_the_rules_say(self) -> None:
        if not hasattr(self, "_last_words"):
            return
        for number, run in self.model.runs.items():
            assert self.world.observed(number, run) == run, f"run {number}"
            if run.status in ENDED:
                written = self.world.written(number)
                assert self._last_words.setdefault(number, written) == written, (
                    f"run {number} has changed after its end"
                )
            assert self.wait(self.world.faults_of_log(number)) == []
        assert self.world.crowded_threads() == []
        assert self.world.locks() == []


@pytest.mark.timeout(60 + STORIES * 10)
def test_runs_live_by_the_rules(world_settings: Settings) -> None:
    class Machine(RunLife):
        settings = world_settings
        loop = asyncio.new_event_loop()

    with psycopg.connect(world_settings.required_database_url, autocommit=True) as Machine.database:
        try:
            run_state_machine_as_test(
                Machine,
                settings=settings(
                    max_examples=STORIES,
                    stateful_step_count=_STEPS,
                    deadline=None,
                    suppress_health_check=list(HealthCheck),
                    # To make a story shorter takes minutes: for those who look for one.
                    phases=[Phase.generate, *([Phase.shrink] if "LOCUM_EXPLORE" in os.environ else [])],
                    report_multiple_bugs=False,
                ),
            )
        finally:
            Machine.loop.close()
