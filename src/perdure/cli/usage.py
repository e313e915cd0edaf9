"""A command line that cannot be understood: what is wrong with it, and what was probably meant.

Must stay true: it says the word that is wrong, and how to go on; with `--json` it is one object on stdout, as every refusal.
See tests/cli/test_usage.py.
"""

import difflib
from collections.abc import Iterable
from typing import Any

import typer

from perdure.model.errors import WrongValue

# Typer names only some of the errors that its parser raises; they have this one in common.
UsageError: type[Exception] = next(
    each for each in typer.BadParameter.__mro__ if each.__name__ == "UsageError" and issubclass(each, Exception)
)


def as_refusal(error: Any, command: str) -> WrongValue:
    """What the parser found, in our words. command: that which was asked for, if any was."""
    context = error.ctx
    command = f"perdure {command}".strip() if context is None else context.command_path
    lists = f"{command} -h lists its options"
    option = getattr(error, "option_name", None)
    usage = "" if context is None else context.get_usage()
    if type(error).__name__ == "NoSuchOption" and option is not None:
        known = [] if context is None else [name for each in context.command.params for name in each.opts]
        known += ["-h", "--help"]
        return WrongValue(what=f"{command} has no option {option}", next_step=f"{_nearest(option, known)}{lists}")
    what = str(error.format_message()).rstrip(".").replace("Value error, ", "")
    return WrongValue(what=what, why=usage, next_step=lists)


def no_such_command(name: str, known: Iterable[str]) -> WrongValue:
    names = list(known)
    return WrongValue(
        what=f"perdure has no command {name}",
        why=f"its commands: {', '.join(names)}",
        next_step=f"{_nearest(name, names)}perdure -h says what each does",
    )


def _nearest(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}? " if near else ""
