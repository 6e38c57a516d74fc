"""What each parameter of each operation does: said beside the test that shows it, gathered here for the document.

    @shows("POST /assistants", {"name": "kept and answered"})
    def test_...(told: Told) -> None: ...

A test must have sent what it says that it shows: see the fixture `told`.
"""

import re
from collections.abc import Callable, Iterator
from typing import Any, Final, TypeVar

import httpx2
import orjson

from tests.compatibility.calling import operation

Test = TypeVar("Test", bound=Callable[..., Any])
Texts = dict[str, str]
#: An operation, and what its parameters stand below.
Place = tuple[str, str]

#: By operation and the path of the parameter in the request: what it does.
EFFECTS: Final[dict[str, Texts]] = {}
#: As `EFFECTS`, for those that Locum takes and does not go by, with the reason.
WITHOUT_EFFECT: Final[dict[str, Texts]] = {
    "POST /vector_stores/{vector_store_id}/search": {
        "rewrite_query": "taken, and no model rewrites queries; `search_query` shows what was searched for",
    },
    "POST /uploads": {
        "mime_type": "required, as at OpenAI, and not gone by: what a file is, its name and its bytes tell",
    },
}
#: Operations whose bodies go to the model server as they are, whatever is in them.
PASSED_ON: Final = ("POST /chat/completions", "POST /embeddings")


def shows(where: str, texts: Texts) -> Callable[[Test], Test]:
    """Says that a test shows what these parameters of the operation `where` do."""
    return shows_at(((where, ""),), texts)


def shows_at(places: tuple[Place, ...], texts: Texts) -> Callable[[Test], Test]:
    """As `shows`, for parameters that stand in several operations, each below its own prefix ("" for none).

    A test that has such a place, or its operation alone, as its parameter `place`, shows it for that one.
    """

    def note(test: Test) -> Test:
        for place in places:
            where, prefix = place
            EFFECTS.setdefault(where, {}).update(below(prefix, texts))
            test.__dict__.setdefault("shows", {}).setdefault(place, set()).update(below(prefix, texts))
        return test

    return note


def below(prefix: str, texts: Texts) -> Texts:
    """The texts of parameters that are fields of `prefix`."""
    return {f"{prefix}.{name}" if prefix else name: text for name, text in texts.items()}


class Sent:
    """Which parameters requests have had, by operation."""

    def __init__(self) -> None:
        self._parameters: dict[str, set[str]] = {}

    def note(self, request: httpx2.Request) -> None:
        """Takes a request in."""
        found = self._parameters.setdefault(operation(request.method, request.url), set())
        found.update(name.removesuffix("[]") for name in request.url.params)
        kind = request.headers.get("content-type", "")
        body = request.read()
        if kind.startswith("multipart/"):
            for name in re.findall(rb'; name="([^"]+)"', body):
                found.update(_with_parents(name.decode().replace("[", ".").replace("]", "")))
        elif body:
            found.update(_paths(orjson.loads(body), ""))

    def lacks(self, shown: dict[Place, set[str]], here: str | Place | None) -> list[str]:
        """What a test says that it shows, at the place `here` or at all of its places, and did not send."""
        places = [place for place in shown if here in (None, place, place[0])]
        return [
            f"{place[0]}: {name}"
            for place in places
            for name in sorted(shown[place] - self._parameters.get(place[0], set()))
        ]


def _with_parents(path: str) -> Iterator[str]:
    names = path.split(".")
    return (".".join(names[:length]) for length in range(1, len(names) + 1))


def _paths(value: Any, path: str) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from _paths(item, path)
    elif isinstance(value, dict):
        for name, inner in value.items():
            place = f"{path}.{name}" if path else name
            yield place
            yield from _paths(inner, place)
