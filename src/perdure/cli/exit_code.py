"""The exit codes of every command; scripts rely on them. See tests/cli/test_main.py and the specification,
DEP-15."""

from enum import IntEnum


class ExitCode(IntEnum):
    OK = 0
    ERROR = 1
    USAGE = 2
    """Options that cannot be understood; typer's own number."""
    CONFIG = 3
    INTERRUPTED = 130
    """What a shell gives for a program that died of Ctrl-C."""
