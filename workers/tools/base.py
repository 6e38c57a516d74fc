"""What a tool is to the run engine.

A stored call is what a step's details hold of it: the contract's object (section 5), and for hosted tools also
`arguments`, the JSON text that the model gave, which clients are not shown.
"""

from dataclasses import dataclass
from typing import Final, Protocol

from app.backends.base import Model
from app.backends.embeddings import Embedder
from app.db.base import Json
from app.db.session import Sessions
from app.models import Run
from app.settings import Settings
from app.storage.base import Storage
from workers.sandbox import SandboxClient

#: In a stored call of a tool that is not repeatable: how often it has been begun. Clients are not shown it.
STARTS: Final = "starts"
#: Beyond them it is not executed again: a call that takes its process with it would do so for ever.
MOST_STARTS: Final = 2

#: In a stored call: what the model server is to be given back with it, its own `id` and fields of its own; with the
#: first call of a turn also those of the `message`. Clients are not shown it.
UPSTREAM: Final = "upstream"


class CallDraft(Protocol):
    """A call while the model makes it."""

    def add(self, arguments: str) -> Json | None:
        """Takes a piece of the arguments; gives the delta of the call to tell, without its index, if there is one.

        Clients join the strings of all deltas: id and name are in the first alone.
        """

    def call(self) -> Json:
        """The call as it is stored."""


class Tool(Protocol):
    """A tool of one run, as its model is told of it."""

    @property
    def name(self) -> str:
        """What the model calls it by."""

    @property
    def type(self) -> str:
        """As the API names it."""

    def definition(self) -> Json:
        """The tool as chat completions want it."""

    def draft(self, call_id: str) -> CallDraft:
        """A call that the model begins to make."""

    def complaint(self, call: Json) -> str | None:
        """What is wrong with a call, in words for the model; None if nothing is."""

    def arguments(self, call: Json) -> str:
        """What the model gave as arguments, to be told to it again."""

    def output(self, call: Json, number: int, first: int) -> str:
        """What the model is told of the result. `number` is the turn's, `first` where its results begin to count."""


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What a hosted tool may use, and for which run and model it works."""

    settings: Settings
    sessions: Sessions
    storage: Storage
    embedder: Embedder
    sandbox: SandboxClient | None
    run: Run
    model: Model


class HostedTool(Tool, Protocol):
    """A tool that Locum executes itself."""

    @property
    def in_order(self) -> bool:
        """Whether the calls of one turn must be executed one after another."""

    @property
    def is_repeatable(self) -> bool:
        """Whether nobody is the wiser if a call is executed once more, because a worker was lost in the middle of it.

        The calls of other tools are begun MOST_STARTS times at most, and `execute` finds in STARTS which time it is.
        """

    async def prepare(self, context: ToolContext) -> str | None:
        """Does what is to be done before the model is first asked; gives what the model is to know, if anything."""

    async def execute(self, call: Json, context: ToolContext) -> Json:
        """The call with its result. Raises BackendFailure: the run fails."""

    def result_delta(self, call: Json) -> Json | None:
        """The delta that tells the result, without its index, if there is one."""
