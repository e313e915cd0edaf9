"""The process of a child of `perdure dev`, which owns code and data: `python -m perdure.cli.child`, by the parent alone.

Must stay true: a Ctrl-C at the terminal is the parent's, from the first moment on. See tests/cli/test_reload.py.
"""

import gc
import importlib
import signal
import socket
import sys
from types import FrameType

from perdure.cli.child_channel import Channel


def main() -> None:
    signal.signal(signal.SIGINT, _leave_it_to_the_parent)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    # All that is imported now stays: looking for garbage in it took a tenth of the start.
    gc.disable()
    sys.exit(importlib.import_module("perdure.cli.child_work").work(channel))


def _leave_it_to_the_parent(signum: int, frame: FrameType | None) -> None:
    """A handler, since to ignore the signal would be inherited by the programs that the project starts."""


if __name__ == "__main__":
    main()
