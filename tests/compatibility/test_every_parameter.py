"""Every parameter of every method, found by looking at the client: none is without a test of what it does."""

import re

import pytest
from openai import OpenAI

from tests.compatibility.effects import EFFECTS, PASSED_ON, WITHOUT_EFFECT
from tests.compatibility.operations import NOT_SERVED, OF_THE_CLIENT, OPERATIONS, RENAMED
from tests.compatibility.surface import Method, methods, parameters

_CLIENT = OpenAI(api_key="none")


pytestmark = pytest.mark.usefixtures("all_effects")


def known(method: str) -> set[str]:
    """The parameters of which it is said what they do."""
    names = set(OF_THE_CLIENT)
    for where in OPERATIONS[method]:
        names |= EFFECTS.get(where, {}).keys() | WITHOUT_EFFECT.get(where, {}).keys()
        names |= set(re.findall(r"{(\w+)}", where))
    return names


def test_every_method_has_its_operation() -> None:
    offered = {method.path for method in methods(_CLIENT)}
    assert offered == OPERATIONS.keys() | NOT_SERVED.keys()


@pytest.mark.parametrize("method", [method for method, places in OPERATIONS.items() if places[0] not in PASSED_ON])
def test_no_parameter_is_left_out(method: str) -> None:
    """One that is left out is new in the client: write a test of what it does; see tests.compatibility.effects."""
    assert Method("plain", method) in methods(_CLIENT)
    asked = {RENAMED.get((method, name), name) for name in parameters(_CLIENT, method)}
    assert asked - known(method) == set()


def test_nothing_is_said_of_what_is_not_there() -> None:
    offered: dict[str, set[str]] = {}
    for method, places in OPERATIONS.items():
        for where in places:
            offered.setdefault(where, set()).update(
                RENAMED.get((method, name), name) for name in parameters(_CLIENT, method)
            )
    for said in (EFFECTS, WITHOUT_EFFECT):
        for where, texts in said.items():
            assert texts.keys() - offered[where] == set(), where
    assert [where for where in EFFECTS if EFFECTS[where].keys() & WITHOUT_EFFECT.get(where, {}).keys()] == []
