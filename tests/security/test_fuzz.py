"""Everything that the API describes of itself, asked at random by schemathesis: nothing makes a 5xx, nothing hangs,
every error comes in OpenAI's envelope, and every answer is as it is described.

A few cases each time, always the same; more of them, and others, with `make fuzz`. Where a case has an id, it is now
one that exists and now one that is made up.
"""

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from copy import deepcopy
from typing import Any, Final

import httpx2
import hypothesis
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck
from hypothesis import strategies as st
from schemathesis import Case
from schemathesis.checks import CheckContext, CheckFunction, not_a_server_error
from schemathesis.core.transport import Response
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from tests.running import Locum
from tests.security.operations import Edition, described_app, description_of_v1

_FUZZING: Final = hypothesis.settings.get_current_profile_name() == "fuzz"
#: Of each operation, besides those that schemathesis makes of the bounds of its parameters.
_EXAMPLES: Final = 120 if _FUZZING else 3
_SECONDS: Final = 30
_EXPLORED: Final = hypothesis.settings(suppress_health_check=[*HealthCheck])
#: Tells by its status what is not there.
_READYZ: Final = "/readyz"

#: Before the name of an object that exists, whose id is put in when the case is called.
_KNOWN: Final = "known."
_MISSING: Final = "missing."
#: Where in a body ids stand, by what they are ids of.
_IDS_IN_BODIES: Final = {
    "assistant_id": "assistant_id",
    "file_id": "file_id",
    "file_ids": "file_id",
    "vector_store_ids": "vector_store_id",
    "part_ids": "part_id",
}


def _schema(description: dict[str, Any]) -> BaseSchema:
    schema = schemathesis.openapi.from_dict(description)
    schema.config.generation.update(max_examples=_EXAMPLES, with_security_parameters=False)
    schema.config.phases.update(phases=["coverage", "fuzzing"] if _FUZZING else ["fuzzing"])
    schema.hook(before_generate_path_parameters)
    schema.hook(before_generate_body)
    return schema


def before_generate_path_parameters(context: Any, strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Now what was generated, now the name of an object that exists, now of one that does not.

    Nothing that exists is deleted: the cases that come after have a use for it.
    """
    prefixes = (_MISSING,) if context.operation.method.upper() == "DELETE" else (_KNOWN, _KNOWN, _MISSING)

    def with_known(parameters: Any) -> st.SearchStrategy[Any]:
        if not isinstance(parameters, dict):
            return st.just(parameters)
        return st.fixed_dictionaries(
            {
                name: st.sampled_from([value, *(prefix + name for prefix in prefixes)])
                for name, value in parameters.items()
            }
        )

    return strategy.flatmap(with_known)


def before_generate_body(context: Any, strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Now what was generated, now with ids of objects that exist in it."""
    return st.tuples(strategy, st.booleans()).map(lambda drawn: _with_known(drawn[0]) if drawn[1] else drawn[0])


def _with_known(body: Any) -> Any:
    if isinstance(body, list):
        return [_with_known(item) for item in body]
    if not isinstance(body, dict):
        return body
    return {name: _known(name, value) for name, value in body.items()}


def _known(name: str, value: Any) -> Any:
    if name not in _IDS_IN_BODIES:
        return _with_known(value)
    known = _KNOWN + _IDS_IN_BODIES[name]
    return [known] if name.endswith("s") else known


def _filled(value: Any, named: dict[str, str]) -> Any:
    """`value` with ids in the place of their names."""
    if isinstance(value, dict):
        return {name: _filled(inner, named) for name, inner in value.items()}
    if isinstance(value, list):
        return [_filled(inner, named) for inner in value]
    return named.get(value, value) if isinstance(value, str) else value


def _description_of_azure(description: dict[str, Any]) -> dict[str, Any]:
    """The same at the paths that Azure has."""
    paths = {path.replace("/v1/", "/openai/"): known for path, known in description["paths"].items() if "/v1/" in path}
    for name in ("chat/completions", "embeddings"):
        deployed = deepcopy(paths[f"/openai/{name}"])
        deployment = {"name": "deployment", "in": "path", "required": True, "schema": {"type": "string"}}
        deployed["post"]["parameters"] = [deployment]
        paths[f"/openai/deployments/{{deployment}}/{name}"] = deployed
    return {**description, "paths": paths}


def _of_v1(description: dict[str, Any]) -> dict[str, Any]:
    """What both editions have, and what only v1 has. Bodies are v2's, where both have them."""
    own = description_of_v1()
    paths = {path: known for path, known in description["paths"].items() if path.startswith(_BETA_PATHS)}
    components = {"schemas": {**own["components"]["schemas"], **description["components"]["schemas"]}}
    return {**description, "paths": {**own["paths"], **paths}, "components": components}


_BETA_PATHS: Final = ("/v1/assistants", "/v1/threads")
_DESCRIPTION: Final = described_app().openapi()


AnyCase = Case[Any]
#: Calls a case, and checks its answer.
Ask = Callable[..., None]


@pytest.fixture(scope="module")
def ask(locum: Locum, owner: httpx2.Client, ids: dict[str, str]) -> Iterator[Ask]:
    """Prints at the end how many requests were answered how."""
    counts: Counter[str] = Counter()
    named = {f"{_KNOWN}{name}": value for name, value in ids.items()}
    named |= {f"{_MISSING}{name}": value[:-6] + "000000" for name, value in ids.items()}
    with requests.Session() as session:

        def asked(case: AnyCase, *more: CheckFunction, edition: Edition = "v2") -> None:
            case.path_parameters = _filled(case.path_parameters, named)
            case.body = _filled(case.body, named)
            headers = {"Authorization": owner.headers["authorization"], "OpenAI-Beta": f"assistants={edition}"}
            began = time.monotonic()
            answer = case.call(base_url=locum.origin, session=session, headers=headers, timeout=_SECONDS)
            assert time.monotonic() - began < _SECONDS
            counts[str(answer.status_code)] += 1
            checks = [status_code_conformance, content_type_conformance, in_the_envelope, *more]
            if case.operation.path != _READYZ:
                checks.append(not_a_server_error)
            case.validate_response(answer, checks=checks)

        yield asked
    sys.stdout.write(f"\n{sum(counts.values())} cases: {dict(sorted(counts.items()))}\n")


@_schema(_DESCRIPTION).parametrize()
@_EXPLORED
def test_v2(case: AnyCase, ask: Ask) -> None:
    ask(case, response_schema_conformance)


@_schema(_description_of_azure(_DESCRIPTION)).parametrize()
@_EXPLORED
def test_azure(case: AnyCase, ask: Ask) -> None:
    ask(case, response_schema_conformance)


@_schema(_of_v1(_DESCRIPTION)).parametrize()
@_EXPLORED
def test_v1(case: AnyCase, ask: Ask) -> None:
    ask(case, edition="v1")


def in_the_envelope(context: CheckContext, answer: Response, case: AnyCase) -> None:
    """A check: what is no success is an error with all its four keys."""
    if answer.status_code >= 400 and case.operation.path != _READYZ and case.method != "HEAD":
        assert set(answer.json()) == {"error"}
        assert set(answer.json()["error"]) == {"message", "type", "param", "code"}
        assert answer.headers["x-request-id"]
