"""Scenarios that call every method once at least. Each says what it expects of the answers."""

from collections.abc import Awaitable, Callable
from typing import Final

from tests.compatibility.calling import Caller
from tests.compatibility.scenarios import assistants, files, models, runs, threads, vector_stores

Scenario = Callable[[Caller], Awaitable[None]]

SCENARIOS: Final[tuple[Scenario, ...]] = tuple(
    scenario for module in (assistants, threads, runs, files, vector_stores, models) for scenario in module.SCENARIOS
)
