"""The health of the container this runs in, as its exit status: `healthcheck.py api`, `worker`, ...

It says whether this one process lives, and no more: an API is not unhealthy because the database is away, and to start
it again would not help. `/readyz` and `locum doctor` tell about the parts.
"""

import asyncio
import http.client
import os
import socket
import sys
from http import HTTPStatus

_SECONDS = 4.0


def answers(port: int) -> bool:
    """Whether what listens on `port` answers. Raises OSError or HTTPException if it does not."""
    # Not urllib, which would ask a proxy that the environment names; no settings, since it is done every few seconds.
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    connection.request("GET", "/healthz")
    return connection.getresponse().status == HTTPStatus.OK


async def worker(queue: str) -> bool:
    """Whether the worker of this container has announced itself lately. Raises RedisError if Redis is away."""
    from app.db.redis import create_redis  # noqa: PLC0415 - the API's check does without them
    from app.queue import live_workers  # noqa: PLC0415
    from app.settings import Settings  # noqa: PLC0415

    async with asyncio.timeout(_SECONDS), create_redis(Settings()) as redis:
        names = await live_workers(redis, f"locum.{queue}")
    return any(name.partition(":")[0] == socket.gethostname() for name in names)


def main() -> None:
    """Ends with status 0 if all is well, with 1 and the reason on stderr if not."""
    match sys.argv[1:]:
        case ["api"]:
            healthy = answers(int(os.environ["LOCUM_PORT"]))
        case ["embeddings"]:
            healthy = answers(8081)
        case ["sandbox"]:
            healthy = answers(8070)
        case ["worker"]:
            healthy = asyncio.run(worker("runs"))
        case ["ingestion"]:
            healthy = asyncio.run(worker("ingestion"))
        case _:
            sys.exit("usage: healthcheck.py api|worker|ingestion|embeddings|sandbox")
    if not healthy:
        sys.exit("unhealthy")


if __name__ == "__main__":
    main()
