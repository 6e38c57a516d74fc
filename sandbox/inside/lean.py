"""The start of a kernel without what it has no use for here, which is half of its work. Runs inside, before ipykernel.

Jupyter's other end (clients, managers and kernels of other languages), the debugger that an editor would attach, the
parser of dates in any form, and OpenSSL, which asyncio would have. Code that asks for one of them by name gets all of
it: what is kept from the start is not kept from the code.
"""

import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

import imports as hooks

_ABSENT = ("debugpy", "ssl")
#: ipykernel reads dates of messages with it. They are written by our host, in the one form of ISO 8601.
_DATES: dict[str, dict[str, object]] = {
    "dateutil": {"__path__": []},
    "dateutil.parser": {"isoparse": datetime.fromisoformat},
    "dateutil.tz": {"tzlocal": lambda: UTC},
}
_CLIENT = "jupyter_client"
#: Each has a variable `ssl`, which is None where there is none.
_HAVE_SSL = ("asyncio.base_events", "asyncio.selector_events", "asyncio.sslproto")


@contextlib.contextmanager
def imports() -> Iterator[None]:
    """For the block, imports of those parts give as little of them as a kernel needs."""
    # None is how a module is said to be absent.
    replaced: dict[str, Any] = dict.fromkeys(_ABSENT)
    replaced |= {name: _module(name, parts) for name, parts in _DATES.items()}
    replaced[_CLIENT] = _bare_client()
    sys.modules.update(replaced)
    try:
        yield
    finally:
        for name in replaced:
            sys.modules.pop(name, None)
        hooks.change({"ssl": _give_to_asyncio})


def _give_to_asyncio(ssl: ModuleType) -> None:
    for name in _HAVE_SSL:
        vars(sys.modules[name])["ssl"] = ssl
    # What it is made of depends on there being one.
    importlib.reload(sys.modules["asyncio.sslproto"])


def _module(name: str, parts: dict[str, object]) -> ModuleType:
    module = ModuleType(name)
    vars(module).update(parts)
    return module


def _bare_client() -> ModuleType:
    """The package without what its __init__ imports; its modules are found."""
    spec = importlib.util.find_spec(_CLIENT)
    if spec is None:
        raise ModuleNotFoundError(_CLIENT)
    # The last is all that ipykernel takes from the package itself; our connection file is written by the host.
    own = {"__path__": spec.submodule_search_locations, "__spec__": spec, "__file__": spec.origin}
    return _module(_CLIENT, {**own, "write_connection_file": None})
