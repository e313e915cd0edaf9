"""A new project from a template: what its files are called and what is in them, and their way onto the disk.

Must stay true: no file that exists is touched, whatever the options; either all files of the template are written or none.
Needs no network. See tests/cli/test_init.py.
"""

import os
from collections.abc import Mapping
from contextlib import suppress
from enum import StrEnum
from pathlib import Path

from perdure.config.identity import slug
from perdure.model.errors import WrongValue

_TEMPLATES = Path(__file__).parent / "templates"
# So that no tool takes a template's file for one of Perdure's own.
_SUFFIX = ".in"
_NAME_MARK = "@NAME@"
# Found in folders where a project is yet to be made.
_NOT_A_PROJECT = frozenset({".git", ".hg", ".idea", ".vscode", ".venv", "venv", ".DS_Store"})
_SHOWN_MAX = 5


class Template(StrEnum):
    """What a new project starts as."""

    BASIC = "basic"
    TYPED = "typed"
    PACKAGES = "packages"


def worker_name(folder: Path) -> str:
    """The Worker's name for a project in this folder. Raises WrongValue if the folder's name cannot be one."""
    name = folder.name
    allowed = slug(name)
    if name != allowed:
        raise WrongValue(
            what=f'"{name}" cannot be the name of a Worker',
            why="it becomes a label of a host name: few lower-case letters and digits, with - and _ between them",
            next_step=f"take {allowed}",
        )
    return name


def template_files(template: Template, name: str) -> dict[Path, str]:
    """The files of a project called `name`, by their path in it."""
    root = _TEMPLATES / template.value
    files: dict[Path, str] = {}
    for source in sorted(root.rglob(f"*{_SUFFIX}")):
        path = source.relative_to(root).with_name(source.name.removesuffix(_SUFFIX))
        if path.name == "gitignore":  # under its own name it would rule over the template
            path = path.with_name(".gitignore")
        files[path] = source.read_text(encoding="utf-8").replace(_NAME_MARK, name)
    return files


def write_project(folder: Path, files: Mapping[Path, str], *, beside_others: bool = False) -> None:
    """Write the files into `folder`, which is made if need be.

    Raises WrongValue if one of them exists, if other files do and not `beside_others`, and if the disk refuses: then
    nothing was written.
    """
    _refuse_taken(folder, files, beside_others=beside_others)
    written: list[Path] = []
    try:
        for path, text in files.items():
            target = folder / path
            written += _made_folders(target.parent)
            with target.open("x", encoding="utf-8", newline="\n") as file:
                written.append(target)
                file.write(text)
    except BaseException as error:
        _remove(written)
        if isinstance(error, OSError):
            raise WrongValue(
                what=f"{folder} cannot be written",
                where=str(error.filename or ""),
                why=error.strerror or str(error),
                next_step="choose another place, or make room there",
            ) from error
        raise


def _made_folders(folder: Path) -> list[Path]:
    """Make `folder` and what it stands in; gives those that were not there."""
    made: list[Path] = []
    for each in (*reversed(folder.parents), folder):
        with suppress(FileExistsError):  # it was there, or somebody else is making a project beside this one
            if not each.exists():
                each.mkdir()
                made.append(each)
    return made


def _remove(written: list[Path]) -> None:
    for path in reversed(written):
        if path.is_dir():
            with suppress(OSError):  # somebody else has put something there meanwhile
                path.rmdir()
        else:
            path.unlink(missing_ok=True)


def _refuse_taken(folder: Path, files: Mapping[Path, str], *, beside_others: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise WrongValue(what=f"{folder} is a file", next_step="choose another name")
    taken = [str(path) for path in files if os.path.lexists(folder / path)]
    if taken:
        raise WrongValue(
            what=f"{folder} has {_listed(taken)} already",
            why="no file that exists is overwritten",
            next_step="choose another name, or move them away",
        )
    others = (
        sorted(each.name for each in folder.iterdir() if each.name not in _NOT_A_PROJECT) if folder.is_dir() else []
    )
    if others and not beside_others:
        raise WrongValue(
            what=f"{folder} is not empty",
            why=f"it has {_listed(others)}",
            next_step="choose another name, or add --force to write beside them: nothing is overwritten",
        )


def _listed(names: list[str]) -> str:
    more = len(names) - _SHOWN_MAX
    return ", ".join(names[:_SHOWN_MAX]) + (f" and {more} more" if more > 0 else "")
