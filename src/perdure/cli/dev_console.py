"""The console that a command line of `perdure dev` asks for, and no other one imported. See tests/cli/test_dev.py."""

import importlib

from perdure.cli.console import Console, tune_streams
from perdure.cli.dev_options import DevOptions


def console_for(options: DevOptions) -> Console:
    """On this process's standard streams, whose lines leave when they end."""
    tune_streams()
    if options.log_format == "text":
        return Console()
    console: Console = importlib.import_module("perdure.cli.json_console").JsonConsole()
    return console
