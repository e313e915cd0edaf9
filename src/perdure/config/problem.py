"""Problems: what is wrong with a configuration, each with its place and the lines to type instead.

Must stay true: a check reports and goes on, so that one run shows everything (CFG-8). See tests/config/test_problem.py.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from perdure.config.document import Document
from perdure.config.key_path import KeyPath, key_text
from perdure.config.snippet import Snippet

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
    fix: str = ""
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
    """Collects the problems of one document and of the files beside it."""

    document: Document
    strict: bool = False
    """Is what has no effect an error (`--strict-config`)?"""
    problems: list[Problem] = field(default_factory=list)
    idle: list[Problem] = field(default_factory=list)
    """Those of keys that have no effect."""
    explained: set[str] = field(default_factory=set)
    """Keys that an error speaks of; to warn of them as well would say it twice."""

    def error(self, path: KeyPath, what: str, fix: str = "", snippet: Snippet | None = None) -> None:
        """It cannot be used like this. `what` goes on after the key: "is missing", "has to be text"."""
        self._add(Severity.ERROR, path, what, fix, snippet)
        self.explain(path)

    def warning(self, path: KeyPath, what: str, fix: str = "", snippet: Snippet | None = None) -> None:
        """It can be used, though perhaps not as meant."""
        self._add(Severity.WARNING, path, what, fix, snippet)

    def ineffective(self, path: KeyPath, what: str, fix: str = "") -> None:
        """The key has no effect: a warning, or an error if the reader is to be strict (CFG-9)."""
        severity = Severity.ERROR if self.strict else Severity.WARNING
        self.idle.append(self._problem(severity, path, what, fix, None))

    def elsewhere(self, problem: Problem) -> None:
        """Something of another file: of one with secrets, say."""
        self.problems.append(problem)

    def explain(self, path: KeyPath) -> None:
        """An error speaks of this key already."""
        self.explained.add(self._shown_key(path))

    def of(self, severity: Severity) -> list[Problem]:
        """In order of their lines; what concerns the whole file comes first, other files come last."""
        chosen = [
            problem for problem in self.problems if severity is Severity.ERROR or problem.key not in self.explained
        ]
        chosen += [problem for problem in self.idle if problem.key not in self.explained]
        chosen = [problem for problem in chosen if problem.severity is severity]
        return sorted(chosen, key=lambda each: (each.file != self.document.shown, each.file, each.line or 0))

    def _add(self, severity: Severity, path: KeyPath, what: str, fix: str, snippet: Snippet | None) -> None:
        self.problems.append(self._problem(severity, path, what, fix, snippet))

    def _problem(self, severity: Severity, path: KeyPath, what: str, fix: str, snippet: Snippet | None) -> Problem:
        document = self.document
        lines = () if snippet is None else tuple(document.format.lines(snippet))
        return Problem(severity, document.shown, document.line_of(path), self._shown_key(path), what, fix, lines)

    def _shown_key(self, path: KeyPath) -> str:
        return key_text((*self.document.within, *path)) if path else ""
