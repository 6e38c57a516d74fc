"""One attempt at a run, as it is in this process's memory while it is executed."""

from functools import cached_property

from app.models import Run
from app.services.run_claims import Claim
from workers.engine.leases import RunLease
from workers.engine.process import WorkerProcess
from workers.engine.turn import Turn
from workers.tools.toolbox import Toolbox


class Attempt:
    """The run, this process's hold on it, its event log, and the turn that is being taken."""

    def __init__(self, process: WorkerProcess, claim: Claim, lease: RunLease) -> None:
        self.process = process
        self.claim = claim
        #: The row as this attempt knows it.
        self.run: Run = claim.run
        self.lease = lease
        self.sessions = process.sessions.of(self.run.project_id)
        self.log = process.events.open(self.run.id, self.run.attempt)
        #: The turn whose rows are not yet closed.
        self.turn: Turn | None = None

    @cached_property
    def toolbox(self) -> Toolbox:
        """The tools of the run. Raises what their descriptions do, if they are none."""
        return Toolbox.of(self.run.tools)
