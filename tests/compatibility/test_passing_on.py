"""Parameters of what is passed on to the model servers: all of them arrive as they were sent."""

import inspect
import typing
from collections.abc import Iterable, Sequence
from typing import Any, Literal, get_args, get_origin

import httpx2
import pytest
from openai import OpenAI
from typing_extensions import is_typeddict

from tests.compatibility.surface import TRANSPORT
from tests.fakes.completion_backend import CompletionBackend


def _sample(hint: Any) -> Any:
    """A value of this type."""
    simple: dict[Any, Any] = {str: "some", bool: True, int: 1, float: 0.5}
    if hint in simple:
        return simple[hint]
    origin, arguments = get_origin(hint), get_args(hint)
    if is_typeddict(hint):
        fields = typing.get_type_hints(hint)
        return {name: _sample(fields[name]) for name in sorted(hint.__required_keys__)}
    if origin is Literal:
        return arguments[0]
    if origin is dict:
        return {"key": _sample(arguments[1])}
    if origin in (list, Iterable, Sequence):
        return [_sample(arguments[0])]
    return _sample(arguments[0]) if arguments else {"some": "thing"}


def _samples(method: Any) -> dict[str, Any]:
    function = inspect.unwrap(method.__func__)
    hints = typing.get_type_hints(function)
    names = [name for name in inspect.signature(function).parameters if name not in ("self", *TRANSPORT)]
    return {name: _sample(hints[name]) for name in names}


_CLIENT = OpenAI(api_key="none")
_BODIES = {
    "/chat/completions": _samples(_CLIENT.chat.completions.create),
    "/embeddings": _samples(_CLIENT.embeddings.create),
}


@pytest.mark.parametrize(("path", "name"), [(path, name) for path, body in _BODIES.items() for name in body])
def test_a_parameter_is_passed_on(http: httpx2.Client, backend: CompletionBackend, path: str, name: str) -> None:
    """Whether the value makes sense is for the model server to say."""
    model = f"scripted-passing-{path[1:5]}-{name}"
    value = model if name == "model" else _BODIES[path][name]
    http.post(path, json={"model": model, name: value, "a_new_one": [1]})
    (body,) = backend.requests(model)
    backend.violations = [violation for violation in backend.violations if not violation.startswith(model)]
    backend.forget(model)
    assert body == {"model": model, name: value, "a_new_one": [1]}
