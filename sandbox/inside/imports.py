"""Libraries that are changed as they are imported, so that nothing is imported for that alone. Runs inside."""

import sys
from collections.abc import Callable, Sequence
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

Change = Callable[[Any], None]


def change(changes: dict[str, Change]) -> None:
    """Has each module changed by its function: at once where it is there, else when it is imported."""
    for name in changes.keys() & sys.modules.keys():
        changes[name](sys.modules[name])
    sys.meta_path.insert(0, _Changes({name: changes[name] for name in changes.keys() - sys.modules.keys()}))


class _Changes:
    """Finds the modules that are to be changed, as the other finders do, and changes them once they are loaded.

    Neither this nor the loader has a base class of importlib.abc, which alone takes a tenth of a kernel's start.
    """

    def __init__(self, changes: dict[str, Change]) -> None:
        self._changes = changes

    def find_spec(self, name: str, path: Sequence[str] | None, target: ModuleType | None = None) -> ModuleSpec | None:
        change = self._changes.pop(name, None)
        if change is None:
            return None
        for finder in sys.meta_path:
            spec = finder.find_spec(name, path, target) if finder is not self else None
            if spec is not None and spec.loader is not None:
                loader: Any = _Loader(spec.loader, change)
                spec.loader = loader
                return spec
        return None


class _Loader:
    """A loader that changes what it has loaded; all else is the first one's."""

    def __init__(self, loader: Any, change: Change) -> None:
        self._loader = loader
        self._change = change

    def __getattr__(self, name: str) -> Any:
        return getattr(self._loader, name)

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        made: ModuleType | None = self._loader.create_module(spec)
        return made

    def exec_module(self, module: ModuleType) -> None:
        self._loader.exec_module(module)
        self._change(module)
