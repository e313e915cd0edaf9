"""`index.jsonl` of a folder that many objects were exported to: which file is which object.

Must stay true: a file's name is safe whatever the object is called, and no two are the same, also where the case of letters does
not count; an index leads nowhere outside of its folder. See tests/host/test_export_all.py.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import msgspec

from perdure.model.errors import WrongValue

INDEX = "index.jsonl"
FORMAT = 1
"""Goes up with every change that an older Perdure would misread."""

_UNSAFE = re.compile(r"[^A-Za-z0-9_-]")
_READABLE_CHARS = 40
_ID_CHARS = 32
"""128 bits of an id are its alone."""
_LINE_BYTES_MAX = 64 * 1024
"""A name has at most 1,024 bytes, each written as up to 6."""


class Line(msgspec.Struct, frozen=True, rename={"class_name": "class"}):
    """One object."""

    class_name: str
    """Or WORKER/CLASS, where several Workers have one of that name."""
    name: str | None
    """None: it has none, or one too long to be kept."""
    id: str
    file: str
    """Below the folder, with slashes."""
    bytes: int


class _Head(msgspec.Struct, frozen=True):
    perdure_export: int
    written_by: str


_LINES = msgspec.json.Decoder(Line)


def folder_name(class_name: str, taken: set[str]) -> str:
    """For the files of a class; none of `taken`, which are in lower case."""
    readable = _UNSAFE.sub("_", class_name)
    number = 1
    while (name := readable if number == 1 else f"{readable}-{number}").lower() in taken:
        number += 1
    taken.add(name.lower())
    return name


def file_name(name: str | None, id: str) -> str:
    """For one object: something of its name to read, and of its id to tell it from all others."""
    readable = "" if name is None else _UNSAFE.sub("_", name[:_READABLE_CHARS])
    return f"{readable or 'object'}.{id[:_ID_CHARS]}.db"


def write_head(out: IO[str], written_by: str) -> None:
    _write(out, {"perdure_export": FORMAT, "written_by": written_by})


def write_line(out: IO[str], line: Line) -> None:
    _write(out, msgspec.to_builtins(line))


def _write(out: IO[str], values: dict[str, Any]) -> None:
    out.write(json.dumps(values) + "\n")  # in ASCII: any tool reads it line by line


def is_export(folder: Path) -> bool:
    """Whether it has an index that an export wrote, of whatever format."""
    try:
        with (folder / INDEX).open("rb") as lines:
            msgspec.json.decode(lines.readline(_LINE_BYTES_MAX), type=_Head)
    except (OSError, msgspec.MsgspecError):
        return False
    return True


def read_index(folder: Path) -> Iterator[tuple[Line, Path]]:
    """The objects and their files, as they are asked for. Raises WrongValue where it is not what an export wrote."""
    index, inside = folder / INDEX, folder.resolve()
    if not index.is_file():
        raise WrongValue(
            what="there is no export of objects here",
            where=str(folder),
            why=f"it has no {INDEX}, which is written at the end",
            next_step="give the folder that perdure objects export --all wrote",
        )
    with index.open("rb") as lines:
        try:
            head = msgspec.json.decode(lines.readline(_LINE_BYTES_MAX), type=_Head)
        except msgspec.MsgspecError as error:
            raise _no_index(index, 1, str(error)) from error
        if head.perdure_export != FORMAT:
            raise WrongValue(
                what=f"{INDEX} was written by another Perdure ({head.written_by[:50]})",
                where=str(index),
                why=f"its format is {head.perdure_export}, this program knows {FORMAT}",
                next_step="use that version",
            )
        for number, text in enumerate(iter(lambda: lines.readline(_LINE_BYTES_MAX), b""), start=2):
            try:
                line = _LINES.decode(text)
                file = (inside / line.file).resolve()
            except (msgspec.MsgspecError, ValueError, OSError, RuntimeError) as error:
                raise _no_index(index, number, str(error)) from error
            if not file.is_relative_to(inside):
                raise _no_index(index, number, f"{line.file!r:.100} is outside of the folder")
            yield line, file


def _no_index(index: Path, number: int, why: str) -> WrongValue:
    return WrongValue(
        what=f"line {number} of {INDEX} is not what an export wrote",
        where=str(index),
        why=why,
        next_step="export anew, or import file by file: perdure objects import CLASS NAME FILE",
    )
