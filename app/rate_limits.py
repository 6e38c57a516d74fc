"""Limits on requests a minute, of one API key and of one project, counted in Redis for all API processes together.

Each limit is a bucket that holds a minute's requests and is filled again evenly (the generic cell rate algorithm:
what is stored is the time at which the bucket will be full). A request is counted by all limits or, if one of them
has no room for it, by none. While Redis is away, or slow, requests pass: the limits protect a server that works.
"""

import asyncio
import hashlib
import math
import time
from dataclasses import dataclass
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import RedisError

from app.errors import RateLimited, in_brief
from app.settings import Settings

log = structlog.get_logger()

#: How long Redis may take; and for how long it is not asked again once it took longer.
_PATIENCE: Final = 0.25
_REST: Final = 2.0

#: Times are in microseconds, of Redis's own clock.
_SCRIPT: Final = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local minute = 60000000
local full_at, longest, answer = {}, 0, {}
for i, key in ipairs(KEYS) do
  local each = minute / ARGV[i]
  local before = math.max(tonumber(redis.call('GET', key) or now), now)
  local room = minute + each / 2 - (before - now) -- half a request, lest rounding takes a whole one
  local wait = math.max(each - room, 0)
  full_at[i] = before + each
  longest = math.max(longest, wait)
  answer[3 * i - 1] = math.floor(room / each)
  answer[3 * i] = math.ceil(before - now)
  answer[3 * i + 1] = math.ceil(wait)
end
answer[1] = longest > 0 and 0 or 1
if longest == 0 then
  for i, key in ipairs(KEYS) do
    redis.call('SET', key, string.format('%.3f', full_at[i]), 'PX', math.ceil((full_at[i] - now) / 1000))
    answer[3 * i - 1] = answer[3 * i - 1] - 1
    answer[3 * i] = math.ceil(full_at[i] - now)
  end
end
return answer
"""


@dataclass(frozen=True)
class _Count:
    """Of one limit: requests a minute, how many are left now, and seconds until all of them and until the next one."""

    subject: str
    limit: int
    remaining: int
    reset: float
    wait: float


class RateLimits:
    """The limits that the settings ask for: none, unless they do."""

    def __init__(self, redis: Redis, settings: Settings) -> None:
        wanted = {"API key": settings.key_requests_per_minute, "project": settings.project_requests_per_minute}
        self._limits = {subject: limit for subject, limit in wanted.items() if limit is not None}
        self._script = redis.register_script(_SCRIPT)
        self._resting_until = 0.0

    @property
    def are_on(self) -> bool:
        """Whether there are any."""
        return bool(self._limits)

    async def count(self, project_id: str, key: str) -> dict[str, str]:
        """Counts a request; gives OpenAI's `x-ratelimit-*` headers, of the limit that is nearest to its end.

        Raises RateLimited if the request is one too many.
        """
        if not self._limits or time.monotonic() < self._resting_until:
            return {}
        try:
            async with asyncio.timeout(_PATIENCE):
                allowed, counts = await self._ask(project_id, key)
        except (RedisError, OSError) as error:
            self._resting_until = time.monotonic() + _REST
            log.warning("rate_limits_away", error=in_brief(error))
            return {}
        if not allowed:
            raise _refusal(max(counts, key=lambda count: count.wait))
        return _headers(min(counts, key=lambda count: count.remaining))

    async def _ask(self, project_id: str, key: str) -> tuple[bool, list[_Count]]:
        names = {"API key": hashlib.sha256(key.encode()).hexdigest()[:32], "project": "all"}
        # The braces keep both on one node of a Redis cluster.
        keys = [f"locum:requests:{{{project_id}}}:{names[subject]}" for subject in self._limits]
        answer: list[int] = await self._script(keys=keys, args=list(self._limits.values()))
        triples = zip(answer[1::3], answer[2::3], answer[3::3], strict=True)
        counts = [
            _Count(subject, limit, remaining, reset / 1e6, wait / 1e6)
            for (subject, limit), (remaining, reset, wait) in zip(self._limits.items(), triples, strict=True)
        ]
        return bool(answer[0]), counts


def _headers(count: _Count) -> dict[str, str]:
    return {
        "x-ratelimit-limit-requests": str(count.limit),
        "x-ratelimit-remaining-requests": str(count.remaining),
        "x-ratelimit-reset-requests": duration(count.reset),
    }


def _refusal(count: _Count) -> RateLimited:
    message = (
        f"Rate limit reached for requests per minute (RPM) of this {count.subject}: Limit {count.limit}. "
        f"Please try again in {duration(count.wait)}."
    )
    return RateLimited(message, retry_after=count.wait, headers=_headers(count))


def duration(seconds: float) -> str:
    """A span of time as OpenAI's headers have it: `120ms`, `1.5s`, `6m0s`."""
    milliseconds = math.ceil(seconds * 1000)
    if milliseconds < 1000:
        return f"{milliseconds}ms"
    minutes, rest = divmod(milliseconds, 60_000)
    return f"{minutes}m{rest / 1000:g}s" if minutes else f"{rest / 1000:g}s"
