"""What a child of `perdure dev` does once its parent has said what: serve the project, or stand in for one that is broken.

Must stay true: all that either needs is imported with this module, before anything is said. See tests/cli/test_reload.py.
"""

import gc
import importlib
import sys

from perdure.cli.broken import Broken
from perdure.cli.child_channel import Channel
from perdure.cli.dev_options import DevOptions
from perdure.cli.dev_session import run_dev
from perdure.cli.exit_code import ExitCode
from perdure.cli.stand_in import run_stand_in
from perdure.cli.succession import Succession


def work(channel: Channel) -> ExitCode:
    """Wait for the order, and carry it out; gives the exit code."""
    gc.freeze()  # what has been imported stays
    order = channel.receive()
    if order is None:
        return ExitCode.ERROR
    gc.enable()
    importlib.invalidate_caches()  # this process may be older than what was installed last
    sys.argv = ["perdure", "dev"]  # what locks and messages call this program
    options = DevOptions.from_json(order["options"])
    sockets = channel.take_sockets()

    def succession() -> Succession:
        return Succession(channel, order, sockets)

    if order["kind"] == "stand in":
        return run_stand_in(options, succession, Broken.from_message(order["broken"]))
    return run_dev(options, succession)
