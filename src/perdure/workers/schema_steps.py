"""`schema` of a class, as it stands in the code: a list of steps, or a folder of files with SQL (API-43).

Looked at when the class is loaded, so that what is wrong with it is said before any object is touched. See
tests/workers/test_schema_steps.py.
"""

import inspect
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from perdure.model.errors import WrongType, WrongValue
from perdure.objects.sql.schema import Schema, Step


def schema_of(cls: type[Any]) -> Schema | None:
    """None for a class without. Raises WrongType and WrongValue, naming the class and the step."""
    given = getattr(cls, "schema", None)
    if given is None:
        return None
    if isinstance(given, str):
        raise WrongType(
            what=f"{cls.__qualname__}.schema is a str",
            why="it is a list of steps, or the path of a folder with files of SQL",
            next_step="write `schema = [...]` with the text in it, or `schema = Path(__file__).parent / 'schema'`",
        )
    if isinstance(given, os.PathLike):
        return Schema(_steps_of_folder(cls, Path(given)))
    if not isinstance(given, Sequence):
        raise WrongType(
            what=f"{cls.__qualname__}.schema is of type {type(given).__name__}",
            next_step="write `schema = [...]`: SQL as text, or functions that take `sql`",
        )
    return Schema([_checked(Step(step, f"{cls.__qualname__}.schema[{n}]")) for n, step in enumerate(given)])


def _checked(step: Step) -> Step:
    made_of: object = step.made_of
    if isinstance(made_of, str):
        if not made_of.strip():
            raise WrongValue(what=f"{step.source} is empty", next_step="leave it out")
    elif not callable(made_of):
        raise WrongType(
            what=f"{step.source} is of type {type(made_of).__name__}",
            next_step="a step is text of SQL, or a function that takes `sql`",
        )
    elif inspect.iscoroutinefunction(made_of):
        raise WrongType(
            what=f"{step.source} is an async function",
            why="all steps are made in one go, before anything else of the object runs",
            next_step="make it a plain `def`; SQL does not need `await`",
        )
    elif "<lambda>" in getattr(made_of, "__qualname__", "<lambda>"):
        raise WrongType(
            what=f"{step.source} is a function without a name",
            why="a step is known by its name, for ever",
            next_step="define it with `def`",
        )
    return step


def _steps_of_folder(cls: type[Any], folder: Path) -> list[Step]:
    if not folder.is_absolute():
        module = sys.modules.get(cls.__module__)
        folder = Path(getattr(module, "__file__", None) or "").parent / folder
    files = sorted(folder.glob("*.sql")) if folder.is_dir() else []
    if not files:
        raise WrongValue(
            what=f"{cls.__qualname__}.schema is a folder without files that end in .sql",
            where=str(folder),
            next_step="put one file for each step there, named so that they sort: 0001_tables.sql",
        )
    return [_checked(Step(_text_of(file), file.name)) for file in files]


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise WrongValue(
            what="a step of a schema cannot be read", where=str(file), why=str(error), next_step="mend the file"
        ) from error
