"""The text of a file that people write by hand, or why it has none. See tests/config/test_load.py."""

import codecs
import os
from pathlib import Path

from perdure.config.syntax_problem import SyntaxProblem

# A configuration is written by hand. Far beyond any that was, and small enough to be read in a moment.
FILE_BYTES_MAX = 1 << 20


def why_no_file(file: Path) -> str | None:
    """What has the name of a file that people look for and is none; None if nothing has it, or it is a file."""
    if file.is_dir():
        return "is a folder"
    if file.is_symlink() and not file.exists():
        return f"is a link to {os.readlink(file)}, which does not exist"
    return None


def read_text(file: Path) -> str:
    """The text, with lines that end as everywhere. Raises SyntaxProblem."""
    try:
        if file.stat().st_size > FILE_BYTES_MAX:
            raise SyntaxProblem(f"this is larger than {FILE_BYTES_MAX >> 20} MiB, so it is no configuration")
        raw = file.read_bytes()
    except OSError as error:
        raise SyntaxProblem(f"it cannot be read: {error.strerror}", fix="correct the file's permissions") from error
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise SyntaxProblem("this is UTF-16", fix="save it as UTF-8")
    try:
        text = raw.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise SyntaxProblem("this is not UTF-8", line=line, fix="save it as UTF-8") from error
    return text.replace("\r\n", "\n")
