"""The project of a transaction, as Postgres knows it: its row-level security shows the rows of that project alone.

Beneath every query's own filter there are policies (migration 0011) that compare a row's project with the parameter
`locum.project` of the transaction. Where that is not set there are no rows. It must cost no round trip: a transaction
is begun with it, in one message; what is set later, or for a statement that is a transaction of its own, is sent in
front of the next statement, and Postgres answers both at once. It ends with the transaction, so that nothing of it is
left for whoever has the connection next, or the server process, behind a pooler of transactions.
"""

import struct
from typing import Any, Final

import asyncpg
from asyncpg.prepared_stmt import PreparedStatement

#: The scope of what works for all projects: claims, sweeps, renewals. It is asked for by name, never had by default.
ALL: Final = "*"

#: The role that is subject to the policies, where the one that logs in would not be.
ROLE: Final = "locum_app"

#: No row comes back, which asyncpg would take for one of the statement behind it.
_SET: Final = b"SELECT FROM set_config('locum.project', $1, true) AS given (value) WHERE value IS NULL"
_TEXT_OID: Final = 25


def setting(project: str) -> str:
    """Returns the statement that sets the project of a transaction."""
    quoted = project.replace("'", "''")
    return f"SELECT set_config('locum.project', '{quoted}', true)"


def messages(project: str) -> bytes:
    """Returns the same as messages of Postgres's extended protocol (its documentation, section 55.7), without the Sync.

    Until the Sync that the next statement brings, all is one transaction.
    """
    value = project.encode()
    parse = b"\0" + _SET + b"\0" + struct.pack("!hI", 1, _TEXT_OID)
    bind = b"\0\0" + struct.pack("!hhi", 0, 1, len(value)) + value + struct.pack("!h", 0)
    execute = b"\0" + struct.pack("!i", 0)
    return b"".join(_message(kind, body) for kind, body in ((b"P", parse), (b"B", bind), (b"E", execute)))


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!i", len(body) + 4) + body


class ScopedConnection(asyncpg.Connection):  # type: ignore[misc] # asyncpg tells no types
    """A connection whose transactions are those of `project`; None: of no project, so that they see nothing."""

    project: str | None = None
    #: What the transaction under way has been told.
    _told: str | None = None

    async def execute(self, query: str, *args: Any, **options: Any) -> str:
        """As asyncpg's; a transaction is begun with its project."""
        if query.startswith("BEGIN"):
            self._told = self.project
            if self.project is not None:
                query = f"{query} {setting(self.project)}"
        status: str = await super().execute(query, *args, **options)
        return status

    async def executemany(self, command: str, args: Any, **options: Any) -> None:
        """As asyncpg's, in a transaction. Raises InterfaceError outside of one: it could not be told its project."""
        if self._wants_telling():
            if not self.is_in_transaction():
                raise asyncpg.InterfaceError("many statements of a project want a transaction")
            await super().execute(setting(str(self.project)))
            self._told = self.project
        await super().executemany(command, args, **options)

    async def prepare(self, query: str, **options: Any) -> PreparedStatement:
        """As asyncpg's; the statement is executed for the project."""
        prepared = await super().prepare(query, **options)
        return _ScopedStatement(self, query, prepared._state)  # noqa: SLF001 - a second view of the same statement

    def tell(self) -> bool:
        """Sends the project in front of what is sent next, if Postgres must be told it. Returns whether it did."""
        if not self._wants_telling():
            return False
        self._transport.write(messages(str(self.project)))
        self._told = self.project
        return True

    def forget(self) -> None:
        """Has the project told again: a savepoint was gone back to, before which it may not have been told."""
        self._told = None

    def _wants_telling(self) -> bool:
        return self.project is not None and not (self.is_in_transaction() and self._told == self.project)

    @property
    def sent(self) -> int:
        """How many statements have been sent."""
        count: int = self._protocol.queries_count
        return count


class _ScopedStatement(PreparedStatement):  # type: ignore[misc] # asyncpg tells no types
    async def fetch(self, *args: Any, **options: Any) -> list[asyncpg.Record]:
        connection: ScopedConnection = self._connection
        sent = connection.sent
        told = connection.tell()
        try:
            records: list[asyncpg.Record] = await super().fetch(*args, **options)
        except BaseException:
            if told and connection.sent == sent:
                # The arguments could not be sent, so Postgres waits for what belongs behind the project.
                connection.terminate()
            raise
        if self._query.startswith("ROLLBACK TO"):
            connection.forget()
        return records
