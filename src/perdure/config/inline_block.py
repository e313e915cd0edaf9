"""A configuration in the main module itself, in the block format of PEP 723:

    # /// wrangler
    # name = "counter"
    # ///

Must stay true: a line of a message is the line of the Python file. See tests/config/test_inline_block.py.
"""

import re
from collections.abc import Mapping
from typing import Any

from perdure.config.key_path import KeyPath
from perdure.config.syntax_problem import SyntaxProblem
from perdure.config.toml_text import parse_toml

LINE_PREFIX = "# "
_BLOCK = re.compile(r"^# /// wrangler[ \t]*\n(?P<content>(?:#(?:| .*)\n)+?)# ///[ \t]*$", re.MULTILINE)
_OPENING = re.compile(r"^#\s*///\s*wrangler\s*$", re.MULTILINE)
_EXAMPLE = '# /// wrangler\n# name = "{name}"\n# ///'


def has_inline_block(text: str) -> bool:
    """Whether a Python file's text has a block, or the beginning of one."""
    return _OPENING.search(text) is not None


def parse_inline_block(text: str, *, name: str) -> tuple[dict[str, Any], Mapping[KeyPath, int]]:
    """The data of a Python file's block and the line of each key. Raises SyntaxProblem, also if there is no block."""
    blocks = list(_BLOCK.finditer(text))
    openings = [_line(text, found.start()) for found in _OPENING.finditer(text)]
    if len(openings) > 1:
        raise SyntaxProblem(
            "this is a second `# /// wrangler` block", line=openings[1], fix=f"join it to the one of line {openings[0]}"
        )
    if not blocks and openings:
        raise SyntaxProblem(
            "this `# /// wrangler` block does not end",
            line=openings[0],
            fix="begin each of its lines with `# ` and close it with",
            snippet="# ///",
        )
    if not blocks:
        raise SyntaxProblem(
            "there is no configuration in it",
            fix="begin the file with, or name a wrangler.toml after -c",
            snippet=_EXAMPLE.format(name=name),
        )
    content_lines = blocks[0]["content"].removesuffix("\n").split("\n")
    lines_before = _line(text, blocks[0].start("content")) - 1
    try:
        data, lines = parse_toml("\n".join(line[len(LINE_PREFIX) :] for line in content_lines) + "\n")
    except SyntaxProblem as problem:
        if problem.line is not None:
            problem.line += lines_before
        raise
    return data, {path: line + lines_before for path, line in lines.items()}


def _line(text: str, at: int) -> int:
    return text.count("\n", 0, at) + 1
