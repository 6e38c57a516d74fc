"""Plays every scenario, one line each. Ends with status 1 at the first that fails."""

# ruff: noqa: T201 - what it prints is its report

import argparse

import openai

from tests.sdk.python_client import code_interpreter, endpoints, errors, functions, objects, retrieval, runs, streams
from tests.sdk.python_client.bench import Bench, equal
from tests.watched_streams import Watch

MODULES = (objects, errors, runs, streams, functions, retrieval, code_interpreter, endpoints)


def main() -> None:
    """Reads the command line. Raises what the first scenario that fails raises."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--base-url", required=True, help="of Locum, with its /v1")
    parser.add_argument("--api-key", required=True)
    parser.add_argument("--backend", required=True, help="where the scripted backend is controlled")
    arguments = parser.parse_args()
    print(f"openai {openai.__version__}")
    watch = Watch()
    watch.put_on()
    bench = Bench(arguments.base_url, arguments.api_key, arguments.backend)
    with bench.client:
        for scenario in [scenario for module in MODULES for scenario in module.SCENARIOS]:
            print(scenario.__name__.replace("_", " "), end=" ... ", flush=True)
            scenario(bench)
            equal(watch.taken(), [])
            print("ok", flush=True)
    if not watch.streams:
        raise AssertionError("no stream was watched")


if __name__ == "__main__":
    main()
