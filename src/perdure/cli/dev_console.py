"""The console that a command line of `perdure dev` asks for. See tests/cli/test_dev.py."""

from perdure.cli.console import Console, tune_streams
from perdure.cli.dev_options import DevOptions
from perdure.cli.json_console import JsonConsole


def console_for(options: DevOptions) -> Console:
    """On this process's standard streams, whose lines leave when they end."""
    tune_streams()
    return JsonConsole() if options.log_format == "json" else Console()
