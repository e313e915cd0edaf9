"""Problems: what is wrong with a configuration, each with its place and the lines to type instead.

Must stay true: a check reports and goes on, so that one run shows everything (CFG-8). See tests/config/test_problem.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from perdure.config.document import Document, KeyPath

INDENT = " " * 6


class Severity(Enum):
    """Whether the project can be used nevertheless."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. `str()` is what to print."""

    severity: Severity
    file: str
    line: int | None
    key: str
    """As one would write it: `durable_objects.bindings[0].name`; empty: the file as a whole."""
    what: str
    fix: str
    snippet: Sequence[str] = ()
    """Lines to paste, in the format of the file."""

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        text = f"{place}: {f'`{self.key}` ' if self.key else ''}{self.what}"
        if self.fix:
            # An excerpt of the file stands in lines of its own, and so does what comes after it.
            text += f"\n{INDENT}{self.fix}" if "\n" in self.what else f"; {self.fix}"
        return "\n".join([text + (":" if self.snippet else ""), *(INDENT + line for line in self.snippet)])


@dataclass(slots=True)
class Findings:
    """Collects the problems of one document."""

    document: Document
    problems: list[Problem] = field(default_factory=list)
    explained: set[str] = field(default_factory=set)
    """Keys that an error speaks of; to warn of them as well would say it twice."""

    def error(self, path: KeyPath, what: str, fix: str = "", snippet: str = "") -> None:
        """It cannot be used like this. `what` goes on after the key: "is missing", "has to be text"."""
        self._add(Severity.ERROR, path, what, fix, snippet)
        self.explain(path)

    def warning(self, path: KeyPath, what: str, fix: str = "", snippet: str = "") -> None:
        """It can be used, though perhaps not as meant."""
        self._add(Severity.WARNING, path, what, fix, snippet)

    def explain(self, path: KeyPath) -> None:
        """An error speaks of this key already."""
        self.explained.add(key_text(path))

    def of(self, severity: Severity) -> list[Problem]:
        """In order of their lines; what concerns the whole file comes first."""
        chosen = [problem for problem in self.problems if problem.severity is severity]
        if severity is Severity.WARNING:
            chosen = [problem for problem in chosen if problem.key not in self.explained]
        return sorted(chosen, key=lambda problem: problem.line or 0)

    def _add(self, severity: Severity, path: KeyPath, what: str, fix: str, snippet: str) -> None:
        document = self.document
        lines = tuple(document.line_prefix + line for line in snippet.splitlines())
        self.problems.append(
            Problem(severity, document.shown, document.line_of(path), key_text(path), what, fix, lines)
        )


def key_text(path: KeyPath) -> str:
    """A key path as one would write it."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text
