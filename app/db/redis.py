"""The connection to Redis."""

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import ConnectionError as RedisConnectionError

from app.settings import Settings


def create_redis(settings: Settings) -> Redis:
    """A client with a pool of its own; it answers bytes, and tries again once when a pooled connection has died.

    There is no time-out on reading: the event log waits on it. What must not wait sets its own.
    """
    return Redis.from_url(
        settings.required_redis_url,
        socket_connect_timeout=2,
        socket_timeout=None,
        health_check_interval=30,
        retry=Retry(ExponentialBackoff(cap=0.1, base=0.01), 1),
        retry_on_error=[RedisConnectionError],
    )
