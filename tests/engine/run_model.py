"""What becomes of runs by the rules (contract, section 6): a model without database, time or concurrency.

Each `Step` is one thing that a client, a worker, the sweep or the clock does. `apply` does it to the model and gives
the outcome in words, which must be that of the real thing.
"""

from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, NamedTuple

#: How many runs one worker may hold.
CONCURRENCY: Final = 2
#: The project of each thread: one is busier than the other.
PROJECTS: Final = (0, 0, 0, 1)

ENDED: Final = ("completed", "failed", "cancelled", "expired")
LOST: Final = "lost"

Answer = Literal["say", "finish", "call", "fail", "time out"]


class Hand(NamedTuple):
    """A worker's hold on one attempt at a run, which it may have lost without knowing."""

    worker: int
    run: int
    attempt: int


@dataclass
class ModelRun:
    """A run; `is_held`: its lease is running, `is_open`: a message of it is being written."""

    thread: int
    queued: int
    status: str = "queued"
    attempt: int = 0
    is_held: bool = False
    is_overdue: bool = False
    is_open: bool = False
    #: Model calls that were heard to their end.
    turns: int = 0
    #: The messages that were written to their end.
    messages: int = 0


@dataclass
class RunModel:
    """All runs by their numbers, in the order in which they were made; the hands of all workers."""

    runs: dict[int, ModelRun] = field(default_factory=dict)
    hands: list[Hand] = field(default_factory=list)
    #: Those that have begun to write.
    writing: set[Hand] = field(default_factory=set)
    clock: int = 0

    def tick(self) -> int:
        """A time after all others."""
        self.clock += 1
        return self.clock

    def latest(self, thread: int) -> int | None:
        """The number of the thread's last run."""
        return max((number for number, run in self.runs.items() if run.thread == thread), default=None)

    def is_of(self, hand: Hand) -> bool:
        """Whether the hand still holds its run."""
        run = self.runs.get(hand.run)
        return run is not None and run.attempt == hand.attempt and run.status in ("in_progress", "cancelling")

    def room(self, worker: int) -> int:
        """How many more runs a worker may take."""
        return CONCURRENCY - sum(hand.worker == worker for hand in self.hands)

    def end(self, run: ModelRun, status: str) -> None:
        """A run has ended, or pauses."""
        run.status, run.is_held, run.is_open = status, False, False
        run.is_overdue = run.is_overdue and status not in ENDED

    def drop(self, hand: Hand) -> None:
        """A worker has let go of a run."""
        self.hands.remove(hand)
        self.writing.discard(hand)

    def visible(self) -> list[tuple[Any, ...]]:
        """What two observers must agree on, whatever happened at the same time."""
        return [(number, run.status, run.attempt, run.turns) for number, run in self.runs.items()]


class Step:
    """One thing that happens."""

    def apply(self, model: RunModel) -> Any:
        """Does it to the model; gives the outcome."""
        raise NotImplementedError

    def run_of(self, model: RunModel) -> int | None:  # noqa: ARG002 - others look into it
        """The one run that it changes, if it is about one."""
        return None

    def passing_over(self, run: int | None) -> "Step":  # noqa: ARG002 - as above
        """The same without that run, which somebody else has locked."""
        return self


@dataclass(frozen=True)
class OnThread(Step):
    """Something that is done to the last run of a thread, if it has one."""

    thread: int

    def run_of(self, model: RunModel) -> int | None:
        return model.latest(self.thread)


class Create(OnThread):
    """A client asks for a run."""

    def apply(self, model: RunModel) -> str:
        number = model.latest(self.thread)
        if number is not None and model.runs[number].status not in ENDED:
            return "refused"
        number = model.tick()
        model.runs[number] = ModelRun(self.thread, queued=number)
        return "done"


class Cancel(OnThread):
    """A client cancels: a worker that has the run is to end it, otherwise it ends here."""

    def apply(self, model: RunModel) -> str:
        run = model.runs[model.latest(self.thread) or 0]
        if run.status in (*ENDED, "cancelling"):
            return "refused"
        if run.is_held:
            run.status = "cancelling"
        else:
            run.attempt += 1
            model.end(run, "cancelled")
        return "done"


class Submit(OnThread):
    """A client brings the outputs of its functions."""

    def apply(self, model: RunModel) -> str:
        run = model.runs[model.latest(self.thread) or 0]
        if run.status != "requires_action":
            return "refused"
        run.status, run.queued = "queued", model.tick()
        run.attempt += 1
        return "done"


class Delete(OnThread):
    """A client deletes the thread (and makes another in its place)."""

    def apply(self, model: RunModel) -> str:
        for number in [number for number, run in model.runs.items() if run.thread == self.thread]:
            del model.runs[number]
        return "done"


class Lapse(OnThread):
    """The lease of a run runs out."""

    def apply(self, model: RunModel) -> str:
        model.runs[model.latest(self.thread) or 0].is_held = False
        return "done"


class Overdue(OnThread):
    """The time of a run is over, and nobody has noticed yet."""

    def apply(self, model: RunModel) -> str:
        run = model.runs[model.latest(self.thread) or 0]
        run.is_overdue = run.status not in ENDED
        return "done"


@dataclass(frozen=True)
class Sweep(Step):
    """Ends what is overdue, and what was cancelled and has no worker to hear it."""

    past: frozenset[int] = frozenset()

    def apply(self, model: RunModel) -> int:
        ended = 0
        for number, run in model.runs.items():
            overdue = run.is_overdue and run.status in ("queued", "in_progress", "requires_action")
            unheard = run.status == "cancelling" and not run.is_held
            if number not in self.past and (overdue or unheard):
                run.attempt += 1
                model.end(run, "cancelled" if unheard else "expired")
                ended += 1
        return ended

    def passing_over(self, run: int | None) -> Step:
        return self if run is None else replace(self, past=self.past | {run})


@dataclass(frozen=True)
class Claim(Step):
    """A worker hears a nudge: it takes what waits, in turn, as much as it has room for."""

    worker: int
    past: frozenset[int] = frozenset()

    def apply(self, model: RunModel) -> list[tuple[int, int]]:
        taken = [number for number in self.in_order(model) if number not in self.past][: model.room(self.worker)]
        for number in taken:
            run = model.runs[number]
            run.status, run.is_held, run.is_open = "in_progress", True, False
            run.attempt += 1
            # What the same worker had of it before is lost, and it knows.
            for hand in [hand for hand in model.hands if (hand.worker, hand.run) == (self.worker, number)]:
                model.drop(hand)
            model.hands.append(Hand(self.worker, number, run.attempt))
        return sorted((number, model.runs[number].attempt) for number in taken)

    def passing_over(self, run: int | None) -> Step:
        return self if run is None else replace(self, past=self.past | {run})

    @staticmethod
    def in_order(model: RunModel) -> list[int]:
        """The runs that may be claimed: projects in turn, those with less under way first; of each the oldest first."""
        waiting = [
            number
            for number, run in model.runs.items()
            if run.status in ("queued", "in_progress") and not run.is_held and not run.is_overdue
        ]
        waiting.sort(key=lambda number: model.runs[number].queued)
        turns = [
            sum(run.is_held and PROJECTS[run.thread] == project for run in model.runs.values()) for project in (0, 1)
        ]
        places = {}
        for number in waiting:
            project = PROJECTS[model.runs[number].thread]
            turns[project] += 1
            places[number] = (turns[project], model.runs[number].queued)
        return sorted(waiting, key=lambda number: places[number])


@dataclass(frozen=True)
class GoOn(Step):
    """The model that a worker listens to says something (or the worker's own clock rings)."""

    hand: Hand
    answer: Answer

    def run_of(self, _model: RunModel) -> int | None:
        return self.hand.run

    def apply(self, model: RunModel) -> str:
        if self.answer == "say":
            return self._say(model)
        model.drop(self.hand)
        if not model.is_of(self.hand):
            return LOST
        run = model.runs[self.hand.run]
        if run.status == "cancelling":
            model.end(run, "cancelled")
            return run.status
        if self.answer in ("finish", "call"):
            run.turns += 1
        match self.answer:
            case "finish":
                run.messages += 1
                model.end(run, "completed")
            case "call":
                run.messages += int(run.is_open)
                model.end(run, "requires_action")
            case "fail":
                model.end(run, "failed")
            case "time out":
                model.end(run, "expired")
        return run.status

    def _say(self, model: RunModel) -> str:
        """Its first word makes a message, and so finds out what has become of the run; the others are events alone."""
        if self.hand in model.writing:
            return "told"
        if model.is_of(self.hand) and model.runs[self.hand.run].status == "in_progress":
            model.runs[self.hand.run].is_open = True
            model.writing.add(self.hand)
            return "told"
        model.drop(self.hand)
        if not model.is_of(self.hand):
            return LOST
        model.end(model.runs[self.hand.run], "cancelled")
        return "cancelled"


@dataclass(frozen=True)
class OfWorker(Step):
    """Something that a worker does with all its runs."""

    worker: int

    def mine(self, model: RunModel) -> Iterator[Hand]:
        """Its hands."""
        return iter([hand for hand in model.hands if hand.worker == self.worker])


class Renew(OfWorker):
    """Renews its leases, and hears what has become of the runs."""

    def apply(self, model: RunModel) -> str:
        for hand in self.mine(model):
            run = model.runs.get(hand.run)
            if run is None or not model.is_of(hand):
                model.drop(hand)
            elif run.status == "cancelling":
                model.drop(hand)
                model.end(run, "cancelled")
            else:
                run.is_held = True
        return "done"


class Retire(OfWorker):
    """Is asked to end: hands its runs back. Another worker comes in its place."""

    def apply(self, model: RunModel) -> str:
        for hand in self.mine(model):
            model.drop(hand)
            if model.is_of(hand):
                model.runs[hand.run].is_held = False
        return "done"


class Die(OfWorker):
    """Is killed. Another worker comes in its place."""

    def apply(self, model: RunModel) -> str:
        for hand in self.mine(model):
            model.drop(hand)
        return "done"


def after_both(model: RunModel, one: Step, other: Step) -> Iterator[tuple[RunModel, Any, Any]]:
    """What may come of two steps at the same time: that of one after the other, and whatever the second sees of the
    first as locked it may pass over. Gives the model and the two outcomes.
    """
    orders = [(one, other, False), (other, one, True)]
    orders += [(first, second.passing_over(first.run_of(model)), swapped) for first, second, swapped in orders]
    orders += [(first.passing_over(second.run_of(model)), second, swapped) for first, second, swapped in orders[:2]]
    for first, second, swapped in orders:
        after = deepcopy(model)
        outcomes = [first.apply(after), second.apply(after)]
        yield (after, *(reversed(outcomes) if swapped else outcomes))
