"""The exit codes of every command; scripts rely on them. See tests/cli/test_main.py and the specification,
DEP-15."""

from enum import IntEnum


class ExitCode(IntEnum):
    OK = 0
    ERROR = 1
    USAGE = 2
    """Typer's own number."""
    CONFIG = 3
    PARTIAL = 6
    INTERRUPTED = 130
    """What a shell gives for a program that died of Ctrl-C."""

    @property
    def meaning(self) -> str:
        """For the page about the command line."""
        return _MEANINGS[self]


_MEANINGS = {
    ExitCode.OK: "It did what was asked.",
    ExitCode.ERROR: "It did not: the message says why, and what to do.",
    ExitCode.USAGE: "The command or its options cannot be understood.",
    ExitCode.CONFIG: "The project's configuration cannot be used, or is not found.",
    ExitCode.PARTIAL: "It did a part of what was asked: the messages name what was left out.",
    ExitCode.INTERRUPTED: "It was ended with Ctrl-C.",
}
