"""How JSON is written, for messages that show what to write. Reading it is another matter, which needs a parser.

See tests/config/test_snippets.py.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from perdure.config.snippet import Entry, Line, Section, Snippet, Value


@dataclass(frozen=True, slots=True)
class JsonFormat:
    """JSON, with or without comments."""

    table: str = "an object { }"
    root_place: str = "between the outermost { and }"

    def value(self, value: object) -> str:
        return json.dumps(value, ensure_ascii=False, default=str)

    def lines(self, snippet: Snippet) -> Sequence[str]:
        match snippet:
            case Line(key, value):
                return [f"{self.value(key)}: {self.value(value)},"]
            case Value(value):
                return [self.value(value)]
            case Entry(key, value, is_first=False):
                return [f"{self.value(value)},"]
            case Entry(key, value):
                return self._spread(key, [value])
            case Section(key, value):
                return self._spread(key, value)

    def stray(self, section: str) -> str:
        return f"stands inside `{section}`"

    def entry_place(self, key: str, *, is_first: bool) -> str:
        return self.root_place if is_first else f"at the end of the list `{key}`"

    def _spread(self, key: str, value: object) -> list[str]:
        """A key with what is below it: tables of a list in one line each, all else below each other."""
        if isinstance(value, Mapping):
            inner = [line for name, each in value.items() for line in self._spread(name, each)]
            return [f"{self.value(key)}: {{", *(f"  {line}" for line in inner), "},"]
        if isinstance(value, list) and value and isinstance(value[0], Mapping):
            return [f"{self.value(key)}: [", *(f"  {self.value(each)}," for each in value), "],"]
        return [f"{self.value(key)}: {self.value(value)},"]
