"""Runs told as server-sent events: the answers of streaming requests."""

from fastapi import Request
from fastapi.responses import StreamingResponse

from app.db.session import Sessions
from app.events import EventLog, Place
from app.services import run_streams
from app.settings import Settings


class RunStream(StreamingResponse):
    """The events of `run_id` behind `after`, up to the run's ending or its pause."""

    def __init__(self, sessions: Sessions, events: EventLog, run_id: str, after: Place, keep_alive: float) -> None:
        frames = run_streams.stream(sessions, events, run_id, after, keep_alive)
        headers = {"cache-control": "no-cache", "x-accel-buffering": "no"}
        super().__init__(frames, headers=headers, media_type="text/event-stream")
        self.run_id = run_id
        self.after = after


class Streams:
    """Answers with the events of a run."""

    def __init__(self, sessions: Sessions, events: EventLog, settings: Settings) -> None:
        self._sessions = sessions
        self._events = events
        self._keep_alive = settings.event_keepalive_seconds

    def follow(self, project_id: str, run_id: str, after: Place) -> RunStream:
        """The events behind `after`, up to the run's ending or its pause."""
        return RunStream(self._sessions.of(project_id), self._events, run_id, after, self._keep_alive)


async def get_streams(request: Request) -> Streams:
    """What answers with a stream, in the process that has `request`."""
    state = request.app.state
    return Streams(state.sessions, state.events, state.settings)
