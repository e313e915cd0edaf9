"""Files of `NAME=value` lines: what is in them, and `${OTHER}` in their values.

Must stay true: a line that is not understood is said with its number and without its text, which may be a secret. See
tests/config/test_secrets.py.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dotenv.parser import parse_stream
from dotenv.variables import Variable, parse_variables

# Names in values of names in values: more than anybody follows by eye, and few enough that doublings stay small.
NESTED_MAX = 8


@dataclass(frozen=True, slots=True)
class DotenvText:
    """A text, read."""

    values: Mapping[str, str]
    """As written; of a name that is there twice, the last one."""
    lines: Mapping[str, int]
    """The line of each name, from 1."""
    odd_lines: Sequence[int]
    """Those that are no `NAME=value`."""


def parse_dotenv(text: str) -> DotenvText:
    """Read a text; nothing in it is an error."""
    values: dict[str, str] = {}
    lines: dict[str, int] = {}
    odd_lines: list[int] = []
    for binding in parse_stream(io.StringIO(text)):
        written = binding.original.string
        line = binding.original.line + written[: len(written) - len(written.lstrip())].count("\n")
        if binding.key is not None and binding.value is not None:
            values[binding.key] = binding.value
            lines[binding.key] = line
        elif binding.error or binding.key is not None:
            odd_lines.append(line)
    return DotenvText(values, lines, odd_lines)


def expand(values: Mapping[str, str], around: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """The values with each `${OTHER}` replaced, and the names that nothing stands for, which become empty.

    around: what else there is. `${OTHER:-text}` is `text` if there is no OTHER. A name that stands for itself, directly or
    by way of others, is what is around, or nothing.
    """
    unknown: list[str] = []

    def expanded(name: str, on_the_way: tuple[str, ...]) -> str:
        text = ""
        for part in parse_variables(values[name]):
            if not isinstance(part, Variable):
                text += part.resolve({})
            elif part.name in values and part.name not in on_the_way and len(on_the_way) < NESTED_MAX:
                text += expanded(part.name, (*on_the_way, part.name))
            elif part.name in around:
                text += around[part.name]
            elif part.default is not None:
                text += part.default
            else:
                unknown.append(part.name)
        return text

    return {name: expanded(name, (name,)) for name in values}, list(dict.fromkeys(unknown))
