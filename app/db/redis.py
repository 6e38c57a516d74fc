"""The clients of Redis: one for commands, one for reads that block.

A Redis that is silent, or a network that holds what is sent, must cost seconds: every answer has its time. And once one
connection was silent, the others that lie idle are taken to be as dead as it: each would cost those seconds again.
"""

from typing import Any, Final

from redis.asyncio import ConnectionPool, Redis
from redis.asyncio.connection import AbstractConnection
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from app.db.keepalive import KEEPALIVE
from app.settings import Settings

#: For the answer to a command.
COMMAND_SECONDS: Final = 5.0
#: How long a read that blocks may ask Redis to wait; its answer may take COMMAND_SECONDS more.
BLOCK_SECONDS: Final = 5.0
_CONNECT_SECONDS: Final = 2.0


class _Pool(ConnectionPool):
    """Gives its idle connections up when one comes back broken: unanswered, given up half-way, or cut."""

    async def release(self, connection: AbstractConnection) -> None:
        await super().release(connection)
        if not connection.is_connected:
            await self.disconnect(inuse_connections=False)


def create_redis(settings: Settings) -> Redis:
    """Returns a client for commands, with a pool of its own. It answers bytes.

    It tries again, once, when a pooled connection has died; not when an answer has taken too long.
    """
    url = settings.required_redis_url
    tcp: dict[str, Any] = {"socket_keepalive": True, "socket_keepalive_options": KEEPALIVE}
    pool = _Pool.from_url(
        url,
        socket_connect_timeout=_CONNECT_SECONDS,
        socket_timeout=COMMAND_SECONDS,
        health_check_interval=30,
        retry=Retry(ExponentialBackoff(cap=0.1, base=0.01), 1, supported_errors=(RedisConnectionError,)),
        retry_on_error=[RedisConnectionError],
        **({} if url.startswith("unix:") else tcp),
    )
    return Redis.from_pool(pool)


def for_blocking_reads(redis: Redis) -> Redis:
    """Returns a client of the same Redis for commands that block for up to BLOCK_SECONDS, with a pool of its own."""
    pool = redis.connection_pool
    options = {**pool.connection_kwargs, "socket_timeout": BLOCK_SECONDS + COMMAND_SECONDS}
    return Redis.from_pool(_Pool(connection_class=pool.connection_class, **options))
