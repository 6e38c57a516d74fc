"""Faults in which nothing ends: a peer keeps its connections and says nothing, or says it late, in parts, or half."""

import random
import time

from tests.faults.cases import Weather
from tests.faults.relay import Slowness
from tests.faults.system import LEASE_SECONDS, System


def postgres_is_frozen(system: System, _: Weather, chance: random.Random) -> None:
    with system.servers.frozen("postgres"):
        last(chance, LEASE_SECONDS)


def redis_is_frozen(system: System, _: Weather, chance: random.Random) -> None:
    """For longer than a command has, now and then."""
    with system.servers.frozen("valkey"):
        last(chance, 7)


def the_sandbox_is_frozen(system: System, _: Weather, chance: random.Random) -> None:
    if system.has_sandbox:
        with system.stopped("sandbox"):
            last(chance, 4)


def the_ingestion_is_frozen(system: System, _: Weather, chance: random.Random) -> None:
    with system.stopped("ingestion"):
        last(chance, 5)


def an_api_is_frozen(system: System, _: Weather, chance: random.Random) -> None:
    with system.stopped(chance.choice(system.apis)):
        last(chance, 4)


def the_models_and_embeddings_are_frozen(system: System, _: Weather, chance: random.Random) -> None:
    """For less than an answer may pause, so that no run has a reason to fail."""
    system.networks.models.hold()
    try:
        last(chance, 1.2)
    finally:
        system.networks.models.let_go()


def connections_to_postgres_fall_silent(system: System, _: Weather, chance: random.Random) -> None:
    """They stay, as behind a proxy that holds them, and new ones are as they should be; all of them, or half."""
    system.networks.postgres.silence(chance.choice((0.5, 1)))
    last(chance, 3)


def connections_to_redis_fall_silent(system: System, _: Weather, chance: random.Random) -> None:
    system.networks.redis.silence(chance.choice((0.5, 1)))
    last(chance, 3)


def the_network_holds_everything(system: System, _: Weather, chance: random.Random) -> None:
    """Nothing is lost, and nothing comes, of old connections and of new ones."""
    held = system.networks.postgres, system.networks.redis
    for relay in held:
        relay.hold()
    try:
        last(chance, 6)
    finally:
        for relay in held:
            relay.let_go()


def the_network_trickles(system: System, _: Weather, chance: random.Random) -> None:
    """As where packets are lost and sent again: what is said comes up to 0.2 s late, byte by byte at its beginning."""
    networks, slowness = system.networks, Slowness(0.2, chance.choice((1, 4, 16)))
    with networks.postgres.slow(slowness), networks.redis.slow(slowness), networks.models.slow(slowness):
        last(chance, 4)


def answers_of_the_servers_are_torn(system: System, _: Weather, chance: random.Random) -> None:
    """Connections are reset in the middle of a frame."""
    for _again in range(chance.randint(1, 3)):
        for relay in (system.networks.postgres, system.networks.redis):
            relay.tear(0.5)
        last(chance, 0.5)


def last(chance: random.Random, most: float = 1.5) -> None:
    """Lets a fault last for up to `most` seconds."""
    time.sleep(chance.uniform(0, most))


SILENCES = (
    postgres_is_frozen,
    redis_is_frozen,
    the_sandbox_is_frozen,
    the_ingestion_is_frozen,
    an_api_is_frozen,
    the_models_and_embeddings_are_frozen,
    connections_to_postgres_fall_silent,
    connections_to_redis_fall_silent,
    the_network_holds_everything,
    the_network_trickles,
    answers_of_the_servers_are_torn,
)
