"""Which files a running project came from, so that a change of one of them counts.

Must stay true: a change of the main module's folder, of an imported module of the project, of its configuration or of a
file with secrets counts, also when an editor replaces the file instead of writing it; what an installation, a cache or
the data folder changes does not. See tests/cli/test_watch.py.
"""

import os
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

FOLDERS_MAX = 2_000
"""Watched folders: far more than a project has, and within what a Linux user may watch."""
NEVER_OF_A_PROJECT = frozenset({"__pycache__", "node_modules", "site-packages", "dist-packages", "venv"})


@dataclass(frozen=True, slots=True)
class Watched:
    """What counts as a change."""

    trees: tuple[Path, ...]
    """Folders below which any Python file counts."""
    files: frozenset[Path]
    """Files that count wherever they are; they need not exist."""
    sources: frozenset[Path]
    """Those of `files` that the configuration was read from."""

    def to_message(self) -> dict[str, list[str]]:
        parts = {"trees": self.trees, "files": self.files, "sources": self.sources}
        return {name: sorted(map(str, paths)) for name, paths in parts.items()}

    @staticmethod
    def from_message(message: dict[str, list[str]]) -> "Watched":
        trees, files, sources = (map(Path, message[name]) for name in ("trees", "files", "sources"))
        return Watched(tuple(trees), frozenset(files), frozenset(sources))

    def counts(self, changed: Path) -> bool:
        if changed in self.files:
            return True
        for tree in self.trees:
            if changed.is_relative_to(tree):
                # A folder that appears or goes may hold modules.
                inside = changed.relative_to(tree)
                return (changed.suffix == ".py" or changed.is_dir()) and not any(map(_is_foreign, inside.parts))
        return False

    def folders(self) -> list[Path]:
        """The folders to watch, each by itself."""
        found = {file.parent: None for file in sorted(self.files) if file.parent.is_dir()}
        for tree in self.trees:
            for folder in _folders_below(tree):
                if len(found) >= FOLDERS_MAX:
                    break
                found[folder] = None
        return list(found)


def imported_files(below: Iterable[Path]) -> Iterator[Path]:
    """The files of the modules in this process that may be a project's: not those of the interpreter, of what is
    installed, and of this package."""
    installed = (Path(sys.prefix), Path(sys.base_prefix), Path(os.__file__).parent, Path(__file__).parents[1])
    own = tuple(below)
    for module in list(sys.modules.values()):
        name = getattr(module, "__file__", None)
        if not isinstance(name, str) or NEVER_OF_A_PROJECT.intersection(Path(name).parts):
            continue
        file = Path(name)
        if any(map(file.is_relative_to, own)) or not any(map(file.is_relative_to, installed)):
            yield file


def _folders_below(tree: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(tree):
        if "pyvenv.cfg" in files:
            names.clear()
            continue
        names[:] = sorted(name for name in names if not _is_foreign(name))
        yield Path(folder)


def _is_foreign(part: str) -> bool:
    return part.startswith(".") or part in NEVER_OF_A_PROJECT
