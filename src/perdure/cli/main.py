"""The `perdure` command: its subcommands and its exit codes. See tests/cli/test_main.py.

A command's module is imported here, and imports what it needs at its top: the time until the first reply is a target.
"""

from typing import Annotated

import typer

from perdure.cli.dev import EXAMPLES, dev
from perdure.host.version import VERSION

app = typer.Typer(
    name="perdure",
    help="Durable Objects for Python: named objects that exist once and keep what they store.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    epilog="Example: perdure dev --port 8787",
)
app.command(name="dev", epilog=EXAMPLES)(dev)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"perdure {VERSION}")
        raise typer.Exit


@app.callback()
def perdure(
    show_version: Annotated[
        bool, typer.Option("--version", help="Show the version and end.", is_eager=True, callback=_show_version)
    ] = False,
) -> None:
    """Options of the command itself."""


def main() -> None:
    """What the console script calls."""
    app()
