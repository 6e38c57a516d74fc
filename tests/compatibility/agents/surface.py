"""What the installed `azure-ai-agents` package offers. It is found by looking, as in tests.compatibility.surface."""

import inspect
import typing
from collections.abc import Iterator
from typing import Any

from azure.ai.agents import AgentsClient, aio, models, types
from azure.ai.agents._utils.model_base import Model

AnyAgentsClient = AgentsClient | aio.AgentsClient

#: What never leaves the client: how a request is sent, and the ways to give a body as a whole.
_TRANSPORT = ("self", "kwargs", "content_type", "body")


def methods(client: AnyAgentsClient) -> set[str]:
    """The paths of every public method: `create_agent`, `threads.create`."""
    return {f"{place}{name}" for place, owner in _owners(client) for name in _names(owner)}


def find(client: AnyAgentsClient, path: str) -> Any:
    """The method at `path`, bound."""
    found: Any = client
    for name in path.split("."):
        found = getattr(found, name)
    return found


def parameters(client: AnyAgentsClient, path: str) -> set[str]:
    """The keyword parameters of a method, and with dots what their objects may hold, as `tools.function.name`."""
    function = inspect.unwrap(find(client, path))
    hints = _hints(function)
    names = [
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if name not in _TRANSPORT and parameter.kind is parameter.KEYWORD_ONLY
    ]
    return {place for name in names for place in (name, *_inside(hints.get(name), name, ()))}


def tool_types() -> set[str]:
    """The types of tools that the client can define."""
    return set(models.ToolDefinition.__mapping__)


def _owners(client: AnyAgentsClient) -> Iterator[tuple[str, object]]:
    yield "", client
    for name, value in vars(client).items():
        if not name.startswith("_"):
            yield f"{name}.", value


def _names(owner: object) -> list[str]:
    return [name for name, _ in inspect.getmembers(owner, inspect.ismethod) if not name.startswith("_")]


def _hints(owner: Any) -> dict[str, Any]:
    """The types of a function's parameters or a model's fields. The package names its own modules in them."""
    return typing.get_type_hints(owner, localns={"_models": models, "_types": types})


def _inside(hint: Any, path: str, within: tuple[type, ...]) -> Iterator[str]:
    """The fields of the objects that a value of this type may hold; of kinds that `type` tells, those of all."""
    if isinstance(hint, type) and issubclass(hint, Model):
        if hint in within:
            return
        hints = _hints(hint)
        for attribute, name in _fields(hint).items():
            yield f"{path}.{name}"
            yield from _inside(hints[attribute], f"{path}.{name}", (*within, hint))
        for kind in vars(hint).get("__mapping__", {}).values():
            yield from _inside(kind, path, (*within, hint))
    elif not isinstance(hint, type):
        for part in typing.get_args(hint):
            yield from _inside(part, path, within)


def _fields(model: Any) -> dict[str, str]:
    """The names of a model's fields on the wire, by those in Python."""
    model()  # which is when the package finds them out itself
    return {attribute: field._rest_name for attribute, field in model._attr_to_rest_field.items()}
