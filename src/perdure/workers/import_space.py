"""A project's own import space: its modules have their plain names there, and no other project sees or replaces them.

Inside the project `import bank` finds the project's `bank.py`, before any installed package of that name. To the
interpreter the module is `<hits>.bank`: registered in `sys.modules` under that name (dataclasses, typing and msgspec
look annotations up there), so two Workers of one process, or two loads of one Worker, never share or shadow a module,
and the host's own `bank` is another. See tests/workers/test_import_space.py.
"""

from __future__ import annotations

import builtins
import importlib
import importlib.util
import sys
import time
from collections.abc import Mapping, Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, NamespaceLoader, PathFinder, SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any, Protocol

# Bytecode on disk knows its source by size and whole seconds of its time: an edit within the same second would run
# the old code.
BYTECODE_TRUSTED_AFTER_S = 2.0

# What a project can't replace even for itself: its own classes must derive from this very package.
_NEVER_OF_A_PROJECT = frozenset({"perdure", "__future__", "__main__", *sys.builtin_module_names})


class ProjectModules(Protocol):
    """The modules of one project, as the loader and the calls between objects need them."""

    def owns(self, module_name: str, /) -> bool:
        """Whether a module, by its `__name__`, is the project's."""
        ...

    def find_imported(self, plain_name: str, /) -> ModuleType | None:
        """The module that the project's code means by this name, if it is imported already. Imports nothing."""
        ...

    def close(self) -> None:
        """The project is not needed any more."""
        ...


class ImportSpace(MetaPathFinder):
    """The modules of one loaded project. `close()` when the project is unloaded, or failed to load."""

    def __init__(self, name: str, paths: Sequence[Path]) -> None:
        """name: the Worker's, for people. paths: the folders whose modules are the project's, first match wins."""
        self._paths = [str(path) for path in paths]
        self.prefix = _free_name(name)
        """What every module of this space has in front of its plain name, with a dot."""
        self._is_own: dict[str, bool] = {}
        self._builtins = {**vars(builtins), "__import__": self._import}
        root = ModuleType(self.prefix)
        root.__spec__ = ModuleSpec(self.prefix, None, is_package=True)
        root.__spec__.submodule_search_locations = self._paths
        root.__path__ = self._paths
        root.__package__ = self.prefix
        sys.modules[self.prefix] = root
        sys.meta_path.insert(0, self)
        importlib.invalidate_caches()  # a file may be newer than a listing of its folder that the interpreter keeps

    def load(self, plain_name: str) -> ModuleType:
        """Import a module of the project by its plain name. Raises what the module raises."""
        return importlib.import_module(f"{self.prefix}.{plain_name}")

    def close(self) -> None:
        """Forget the modules. Objects that came from them go on working; the next load starts afresh."""
        if self in sys.meta_path:
            sys.meta_path.remove(self)
        for name in [name for name in sys.modules if name == self.prefix or name.startswith(f"{self.prefix}.")]:
            del sys.modules[name]

    def owns(self, module_name: str) -> bool:
        """Whether a module, by its `__name__`, is the project's."""
        return module_name.startswith(f"{self.prefix}.")

    def find_imported(self, plain_name: str) -> ModuleType | None:
        """The module that the project's code means by this name, if it is imported already. Imports nothing."""
        return sys.modules.get(f"{self.prefix}.{plain_name}") or sys.modules.get(plain_name)

    # What the import system calls

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if not self.owns(fullname):
            return None
        spec = PathFinder.find_spec(fullname, path, target)
        if spec is not None and isinstance(spec.loader, SourceFileLoader):
            spec.loader = _ProjectFileLoader(fullname, spec.loader.path, self._builtins)
        return spec

    def _import(
        self,
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> ModuleType:
        """`import` statements in the project's modules arrive here."""
        top = name.partition(".")[0]
        if level == 0 and self._has(top):
            own_name = f"{self.prefix}.{name}"
            if fromlist:
                return builtins.__import__(own_name, globals, locals, fromlist, 0)
            importlib.import_module(own_name)
            return sys.modules[f"{self.prefix}.{top}"]
        return builtins.__import__(name, globals, locals, fromlist or (), level)

    def _has(self, top: str) -> bool:
        known = self._is_own.get(top)
        if known is None:
            known = self._is_own[top] = top not in _NEVER_OF_A_PROJECT and self._finds(top)
        return known

    def _finds(self, top: str) -> bool:
        own_name = f"{self.prefix}.{top}"
        if own_name in sys.modules:
            return True
        spec = PathFinder.find_spec(own_name, self._paths)
        if spec is None:
            return False
        if spec.loader is None or isinstance(spec.loader, NamespaceLoader):
            # A mere folder (`redis/` with a dump in it) must not hide an installed package; Python ranks it last, too.
            return top not in sys.modules and importlib.util.find_spec(top) is None
        return True


class _ProjectFileLoader(SourceFileLoader):
    """Runs a project's module with the imports of its space."""

    def __init__(self, fullname: str, path: str, its_builtins: dict[str, Any]) -> None:
        super().__init__(fullname, path)
        self._builtins = its_builtins

    def exec_module(self, module: ModuleType) -> None:
        # Where the interpreter looks for `__import__` when it runs an import statement of this module or its functions.
        module.__dict__["__builtins__"] = self._builtins
        super().exec_module(module)

    def path_stats(self, path: str) -> Mapping[str, Any]:
        stats = super().path_stats(path)
        if time.time() - stats["mtime"] < BYTECODE_TRUSTED_AFTER_S:
            raise OSError(f"{path} was changed just now: compiled anew")  # the import system goes on without bytecode
        return stats


def plain_name(module_name: str) -> str:
    """The name by which the code of a module's own project knows it: `bank` of `<hits>.bank`, and any other as it is."""
    return module_name.partition(">.")[2] if module_name.startswith("<") else module_name


def _free_name(name: str) -> str:
    number = 1
    while (free := f"<{name}>" if number == 1 else f"<{name} {number}>") in sys.modules:
        number += 1
    return free
