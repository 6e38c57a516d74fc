"""No request waits for Redis with a transaction open: a Redis that is silent would hold the database's connections."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import httpx2
import pytest
from redis.asyncio.connection import AbstractConnection

from app.main import create_app
from app.queue import Nudges
from tests.api.test_errors import error_of, settings_of
from tests.running import Locum
from tests.security.held_connections import IS_OF_REQUEST, HeldConnections
from tests.security.operations import OPERATIONS, Operation
from tests.security.test_tenancy import BODIES, filled

_EVENT_LOG_TAIL: Final = "event log tail"
#: Bodies for operations on no object, and others than a test of foreign keys wants.
_MORE_BODIES: Final[dict[str, Any]] = {
    "create_assistant": {"model": "{model}"},
    "create_thread_and_run": {"assistant_id": "{assistant_id}", "stream": True},
    "create_upload": {"filename": "a.txt", "purpose": "assistants", "bytes": 1, "mime_type": "text/plain"},
    "create_chat_completion": {"model": "{model}", "messages": [{"role": "user", "content": "Hi"}]},
    "create_embedding": {"model": "echo", "input": "x"},
}
#: What is deleted comes last, what is in something else before that.
_IN_ORDER: Final = sorted(OPERATIONS, key=lambda operation: (operation.method == "DELETE", -len(operation.path)))


class _Watch:
    """What a request sent to Redis while it held a connection to the database, and how much was sent."""

    def __init__(self) -> None:
        self.held = HeldConnections()
        self.wrong: list[str] = []
        self.commands = 0
        self.nudges = 0

    def note(self, sent: str) -> None:
        task = asyncio.current_task()
        if task is not None and task.get_name() == _EVENT_LOG_TAIL:
            return
        if IS_OF_REQUEST.get() and self.held:
            self.wrong.append(sent)


@pytest.fixture(scope="module")
async def watched(locum: Locum) -> AsyncIterator[tuple[_Watch, httpx2.AsyncClient]]:
    """An application whose commands to Redis are noted, with limits on, which Redis counts."""
    limits = {"key_requests_per_minute": 100_000, "project_requests_per_minute": 100_000}
    app = create_app(settings_of(locum, sweep_seconds=3600, data_dir=locum.environment["LOCUM_DATA_DIR"], **limits))
    watch = _Watch()
    with pytest.MonkeyPatch.context() as patch:
        send_packed, send_nudge = AbstractConnection.send_packed_command, Nudges.send

        async def send_packed_noted(connection: Any, command: Any, *args: Any, **options: Any) -> None:
            watch.commands += 1
            watch.note(str(command)[:200])
            await send_packed(connection, command, *args, **options)

        async def send_nudge_noted(nudges: Nudges) -> None:
            watch.nudges += 1
            watch.note("a nudge")
            await send_nudge(nudges)

        patch.setattr(AbstractConnection, "send_packed_command", send_packed_noted)
        patch.setattr(Nudges, "send", send_nudge_noted)
        async with (
            app.router.lifespan_context(app),
            httpx2.AsyncClient(
                transport=httpx2.ASGITransport(app, raise_app_exceptions=False), base_url="http://locum.test"
            ) as client,
        ):
            watch.held.look_at(app.state.sessions.engine)
            yield watch, client


@pytest.mark.parametrize("operation", _IN_ORDER, ids=str)
async def test_no_command_is_sent_with_a_transaction_open(
    watched: tuple[_Watch, httpx2.AsyncClient], owner: httpx2.Client, ids: dict[str, str], operation: Operation
) -> None:
    watch, client = watched
    watch.wrong.clear()
    before = watch.commands
    options: dict[str, Any] = {}
    if operation.wants_form:
        options = {"files": {"data": ("a", b"x"), "file": ("a.txt", b"x")}, "data": {"purpose": "assistants"}}
    elif operation.method == "POST":
        options = {"json": filled({**BODIES, **_MORE_BODIES}.get(operation.name, {}), ids)}
    headers = {**operation.headers, "Authorization": owner.headers["authorization"]}
    if operation.method == "POST":
        headers["Idempotency-Key"] = f"redis-{operation}"
    IS_OF_REQUEST.set(True)
    answer = await client.request(operation.method, operation.path.format_map(ids), headers=headers, **options)
    if answer.status_code >= 400:
        error_of(answer, answer.status_code)
    assert answer.status_code < 500
    # Its limit was counted at the least, unless this key has not the operator's scope.
    assert watch.commands > before or answer.status_code == 403
    assert not watch.wrong, f"{operation}: {watch.wrong}"


async def test_something_was_sent(watched: tuple[_Watch, httpx2.AsyncClient]) -> None:
    """What is watched is what sends: runs were queued, and files put into stores."""
    assert watched[0].nudges >= 2
