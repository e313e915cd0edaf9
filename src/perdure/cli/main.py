"""What the `perdure` script calls.

Must stay true: nothing is imported before the child of `perdure dev` is on its way: what that imports takes most of the time
until its first reply, and what the command line needs is imported beside it. See tests/cli/test_main.py.
"""

import importlib
import sys
from collections.abc import Sequence

from perdure.cli.child_process import ChildProcess
from perdure.cli.exit_code import ExitCode

NO_CHILD = frozenset({"--no-reload", "--help", "-h"})
"""With one of these `dev` needs no child."""


def main() -> None:
    child = ChildProcess() if _serves_by_a_child(sys.argv[1:]) else None
    try:
        importlib.import_module("perdure.cli.app").app(obj=child)
    except KeyboardInterrupt:  # while it was imported
        sys.exit(ExitCode.INTERRUPTED)
    finally:
        if child is not None:
            child.end()


def _serves_by_a_child(arguments: Sequence[str]) -> bool:
    """A guess: the command line is parsed later, and a child that is not needed after all ends."""
    return arguments[:1] == ["dev"] and NO_CHILD.isdisjoint(arguments)
