"""The modules of a project that the host program has imported itself: a script, a notebook, an application's package.

Nothing is loaded or forgotten for it: its classes are the very ones that the program has, so `rt[Counter]` takes the
class that stands in the same file. See tests/host/test_open.py.
"""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

_INSTALLED = frozenset({"site-packages", "dist-packages"})


class ImportedModules:
    """Everything that is imported. The project's own is what lies beside or below its main module, if it has one."""

    def __init__(self, main: ModuleType | None = None) -> None:
        self._main = main
        self._folder = None if main is None else _folder_of(main)

    def owns(self, module_name: str, /) -> bool:
        """Whether a module, by its `__name__`, is the project's."""
        if self._main is not None and module_name == self._main.__name__:
            return True
        if self._folder is None or module_name.partition(".")[0] == "perdure":
            return False
        file = getattr(sys.modules.get(module_name), "__file__", None)
        if file is None:
            return False
        path = Path(file).resolve()
        return path.is_relative_to(self._folder) and _INSTALLED.isdisjoint(path.relative_to(self._folder).parts)

    def find_imported(self, plain_name: str, /) -> ModuleType | None:
        """The module of this name, if it is imported already. Imports nothing."""
        return sys.modules.get(plain_name)

    def close(self) -> None:
        """Nothing: who imported the modules goes on using them."""


def _folder_of(main: ModuleType) -> Path | None:
    """The folder that the module's own project is imported from; None for a notebook or an interpreter's prompt."""
    file = getattr(main, "__file__", None)
    if file is None:
        return None
    folder = Path(file).resolve().parent
    for _ in range(main.__name__.count(".") + (Path(file).name == "__init__.py")):
        folder = folder.parent
    return folder
