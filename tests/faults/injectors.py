"""The faults. Each does its damage, lets it last for a while, and mends it."""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg
from openai import APIConnectionError, APIStatusError

from tests.faults.cases import Trouble, Weather
from tests.faults.silences import SILENCES, last, postgres_is_frozen, the_network_holds_everything
from tests.faults.system import LEASE_SECONDS, System

Fault = Callable[[System, Weather, random.Random], None]

#: Zeros would take no room.
_LARGE = random.Random(1).randbytes(2**20)


def a_worker_is_killed(system: System, _: Weather, chance: random.Random) -> None:
    with _without(system, [chance.choice(system.workers)]):
        last(chance)


def all_workers_are_killed(system: System, _: Weather, chance: random.Random) -> None:
    with _without(system, system.workers):
        last(chance)


def a_worker_sleeps_through_its_lease(system: System, _: Weather, chance: random.Random) -> None:
    with system.stopped(chance.choice(system.workers)):
        time.sleep(LEASE_SECONDS + chance.uniform(0.5, 2))


def the_ingestion_is_killed(system: System, _: Weather, chance: random.Random) -> None:
    with _without(system, ["ingestion"]):
        last(chance)


def an_api_is_killed(system: System, _: Weather, chance: random.Random) -> None:
    with _without(system, [chance.choice(system.apis)]):
        last(chance)


def everything_is_replaced_in_turn(system: System, _: Weather, chance: random.Random) -> None:
    """As an operator deploys: each process is asked to end, and must do so well."""
    for name in (*system.apis, *system.workers, "ingestion"):
        try:
            system.terminate(name)
        finally:
            system.start(name)
        last(chance, 0.5)


def redis_forgets_everything(system: System, _: Weather, chance: random.Random) -> None:
    with system.locum.redis() as redis:
        redis.flushall()
    last(chance, 0.5)


def redis_is_killed_with_its_data(system: System, _: Weather, chance: random.Random) -> None:
    system.servers.kill("valkey")
    last(chance)
    system.servers.start("valkey")


def postgres_is_killed(system: System, _: Weather, chance: random.Random) -> None:
    system.servers.kill("postgres")
    last(chance)
    system.servers.start("postgres")


def connections_to_postgres_are_cut(system: System, _: Weather, chance: random.Random) -> None:
    for _again in range(chance.randint(1, 5)):
        with psycopg.connect(system.locum.database_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
            )
        last(chance, 0.1)


def the_sandbox_is_killed(system: System, _: Weather, chance: random.Random) -> None:
    if system.has_sandbox:
        with _without(system, ["sandbox"]):
            last(chance)


def commits_are_cut_off(system: System, _: Weather, chance: random.Random) -> None:
    """The network breaks just before Postgres hears of a commit, or just before its word that it is done."""
    for _again in range(chance.randint(2, 5)):
        system.networks.postgres.cut_commits(*chance.choices(("before", "after"), k=chance.randint(1, 4)))
        last(chance, 0.3)
    system.networks.postgres.cut_no_more()


def the_disk_is_full(system: System, _: Weather, chance: random.Random) -> None:
    """Nothing but files is on it, and whoever brings one hears what is wrong."""
    with system.disk.full():
        is_taken = _brings_a_file(system)
        last(chance)
    if is_taken:
        # What was under way when the disk was filled may have been given up since, and have made room.
        with system.disk.full():
            if _brings_a_file(system):
                raise AssertionError("a file was taken for which there is no room")


def _brings_a_file(system: System) -> bool:
    """Returns whether a file is taken for which there should be no room. Raises AssertionError for a wrong answer."""
    with system.locum.client() as client:
        try:
            client.files.create(file=("large.bin", _LARGE), purpose="assistants")
        except APIConnectionError:
            return False  # it was killed a moment ago
        except APIStatusError as error:
            if error.status_code != 503:
                raise AssertionError(f"without room it says {error}") from error
            return False
    return True


def the_models_fail(_: System, weather: Weather, chance: random.Random) -> None:
    _trouble(weather, "failing", chance)


def the_models_do_not_answer(_: System, weather: Weather, chance: random.Random) -> None:
    _trouble(weather, "silent", chance)


def the_models_are_slow(_: System, weather: Weather, chance: random.Random) -> None:
    _trouble(weather, "slow", chance)


def answers_are_cut_off(_: System, weather: Weather, chance: random.Random) -> None:
    _trouble(weather, "cutting off", chance)


def _trouble(weather: Weather, trouble: Trouble, chance: random.Random) -> None:
    weather.trouble = trouble
    try:
        last(chance)
    finally:
        weather.trouble = None


@contextmanager
def _without(system: System, names: list[str]) -> Iterator[None]:
    for name in names:
        system.kill(name)
    try:
        yield
    finally:
        for name in names:
            system.start(name)


FAULTS: tuple[Fault, ...] = (
    a_worker_is_killed,
    all_workers_are_killed,
    a_worker_sleeps_through_its_lease,
    the_ingestion_is_killed,
    an_api_is_killed,
    everything_is_replaced_in_turn,
    redis_forgets_everything,
    redis_is_killed_with_its_data,
    postgres_is_killed,
    connections_to_postgres_are_cut,
    *SILENCES,
    the_sandbox_is_killed,
    commits_are_cut_off,
    the_disk_is_full,
    the_models_fail,
    the_models_do_not_answer,
    the_models_are_slow,
    answers_are_cut_off,
)
#: While one of these lasts nobody can know more of a run than what Redis tells.
WITHOUT_DATABASE: frozenset[str] = frozenset(
    fault.__name__ for fault in (postgres_is_killed, postgres_is_frozen, the_network_holds_everything)
)
