"""docs/compatibility.md, made of what the tests of this folder show. `make compatibility` runs them and writes it."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from openai import OpenAI

from tests.compatibility.agents.document import agents
from tests.compatibility.effects import EFFECTS, PASSED_ON, WITHOUT_EFFECT
from tests.compatibility.operations import (
    DIFFERENCES,
    NODE_ONLY,
    NOT_SERVED,
    OF_THE_CLIENT,
    OPERATIONS,
    PYTHON_ONLY,
    RENAMED,
)
from tests.compatibility.surface import parameters

PATH: Final = Path(__file__).parents[2] / "docs" / "compatibility.md"

_INTRODUCTION: Final = """\
# Compatibility

What OpenAI's clients can ask for, and what Locum makes of it: method by method, parameter by parameter. This page is
made of tests (`make compatibility` writes it, `make test` compares it). They find every public method and every
parameter by looking at the installed clients, call each method for real, and show of each parameter what it does.
A method or parameter that is new in a client fails them.

The clients: `openai` of PyPI, synchronous and asynchronous, plain, `with_raw_response` and `with_streaming_response`;
`openai` of npm. Older clients: [clients.md](clients.md). Objects, events and errors: [contract.md](contract.md).

## Methods

All of these are served. Names are those of Python; in Node they are in camel case. Helpers that poll or stream call
other operations besides.
"""
_PARAMETERS: Final = """\
## Parameters

By the operations that take them. Parts of a path (`thread_id`) name the object that is meant. All methods take
`extra_headers`, `extra_query`, `extra_body` and `timeout`; helpers take {helpers}: those never leave the client.

The bodies of `POST /chat/completions` and `POST /embeddings` go to the model server as they are, but for the model's
name: every parameter arrives there, new ones too.
"""
_DIFFERENCES: Final = """\
## Differences

Where Locum deliberately does otherwise than OpenAI did in requests and answers. What else is different:
[comparison.md](comparison.md).
"""


def text() -> str:
    """The whole document."""
    helpers = ", ".join(f"`{name}`" for name in sorted(OF_THE_CLIENT))
    parts = [
        [_INTRODUCTION],
        _methods(),
        ["", _PARAMETERS.format(helpers=helpers)],
        _parameters(),
        agents(),
        [_DIFFERENCES],
        _differences(),
    ]
    return "\n".join(line for lines in parts for line in lines) + "\n"


def _methods() -> Iterator[str]:
    yield "| method | operations |"
    yield "| --- | --- |"
    for path, places in sorted((OPERATIONS | NODE_ONLY).items()):
        only = " (Node)" if path in NODE_ONLY else " (Python)" if path in PYTHON_ONLY else ""
        yield f"| `{path}`{only} | {', '.join(f'`{place}`' for place in places)} |"


def _parameters() -> Iterator[str]:
    for where, names in sorted(_by_operation().items(), key=lambda item: (item[0].split()[1], item[0])):
        yield f"### `{where}`"
        yield ""
        yield "| parameter | what it does |"
        yield "| --- | --- |"
        for name in sorted(names):
            yield f"| `{name}` | {_effect(where, name)} |"
        yield ""


def _by_operation() -> dict[str, set[str]]:
    """The parameters of each operation that has any besides the parts of its path."""
    client = OpenAI(api_key="none")
    found: dict[str, set[str]] = {}
    for method, places in OPERATIONS.items():
        names = {RENAMED.get((method, name), name) for name in parameters(client, method)} - OF_THE_CLIENT
        for where in places:
            known = EFFECTS.get(where, {}).keys() | WITHOUT_EFFECT.get(where, {}).keys()
            mine = (names & known) - set(re.findall(r"{(\w+)}", where))
            if mine and where not in PASSED_ON:
                found.setdefault(where, set()).update(mine)
    return found


def _effect(where: str, name: str) -> str:
    without = WITHOUT_EFFECT.get(where, {}).get(name)
    return f"no effect: {without}" if without else EFFECTS[where][name]


def _differences() -> Iterator[str]:
    yield "Not served (404 or 405, in OpenAI's envelope):"
    yield ""
    yield "| method | why |"
    yield "| --- | --- |"
    for path, reason in sorted(NOT_SERVED.items()):
        yield f"| `{path}` | {reason} |"
    yield ""
    yield "Taken without effect:"
    yield ""
    yield "| parameter | why |"
    yield "| --- | --- |"
    for where, texts in sorted(WITHOUT_EFFECT.items()):
        for name, reason in sorted(texts.items()):
            yield f"| `{name}` of `{where}` | {reason} |"
    yield ""
    yield "Otherwise:"
    yield ""
    yield from (f"- {difference}" for difference in DIFFERENCES)
