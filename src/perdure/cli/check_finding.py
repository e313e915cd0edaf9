"""One thing that `perdure check` has to say, for people as a line and for programs as an object. See tests/cli/test_check.py."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class Rule(StrEnum):
    """What a finding is about. The names are stable: scripts filter by them."""

    CONFIG = "config"
    LOAD = "load"
    ENV = "env"
    IMPORTED_HANDLER = "imported-handler"
    MISSPELT_HANDLER = "misspelt-handler"
    UNBOUND_CLASS = "unbound-class"
    PLAIN_METHOD = "plain-method"
    STORAGE_IN_TASK = "storage-in-task"
    BLOCKING_CALL = "blocking-call"
    DROPPED_CALL = "dropped-call"
    UNAWAITED_CALL = "unawaited-call"


ABOUT = {
    Rule.CONFIG: "Something in the configuration is doubtful.",
    Rule.LOAD: "The main module cannot be imported, or cannot be a Worker. An error.",
    Rule.ENV: "An `Env` class of the code and the configuration do not fit. An error.",
    Rule.IMPORTED_HANDLER: "The main module imports something under a handler's name: `from perdure import fetch`. An error.",
    Rule.MISSPELT_HANDLER: "A method or function is almost called like a handler: `on_fech`, `web_socket_message`.",
    Rule.UNBOUND_CLASS: "An object class of the main module is in no binding and no migration.",
    Rule.PLAIN_METHOD: "A public method of an object class is a plain `def`, so its type is wrong where it is awaited.",
    Rule.STORAGE_IN_TASK: "`gather`, `create_task`, a `TaskGroup` or, on Python 3.11, `wait_for` runs a storage operation: "
    "that ends the unit of writes, and lets other events in.",
    Rule.BLOCKING_CALL: "A call holds the loop, and with it every other object and request: `requests.get`, `time.sleep`.",
    Rule.DROPPED_CALL: "Nobody waits for the call of a stub, so its error is lost.",
    Rule.UNAWAITED_CALL: "The call of a stub is used as if it were the result.",
}
"""For the page about the command line; what is no error is a warning."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong, where, and what to write instead."""

    rule: Rule
    is_error: bool
    """Whether the project cannot run like this; else it runs, though hardly as meant."""
    what: str
    fix: str = ""
    file: str = ""
    line: int = 0
    """0: the file as a whole."""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}: " if self.line else f"{self.file}: " if self.file else ""
        first, _, rest = self.what.partition("\n")
        if rest:
            next_line = f"\n  next: {self.fix}" if self.fix else ""
            return f"{place}{first} [{self.rule.value}]\n{rest}{next_line}"
        return f"{place}{first}{f'; {self.fix}' if self.fix else ''} [{self.rule.value}]"

    def as_object(self) -> dict[str, Any]:
        said = asdict(self)
        is_error = said.pop("is_error")
        return {"severity": "error" if is_error else "warning", **said}
