"""A command with commands of its own, as `perdure objects list`. See tests/cli/test_help.py."""

from typing import Final

import typer

from perdure.cli.exit_code import ExitCode

CONTEXT: Final = {"help_option_names": ["-h", "--help"]}


def command_group(name: str, about: str, examples: str) -> typer.Typer:
    """The group; without a command it says which it has, and ends as a command line that is not understood."""
    group = typer.Typer(
        name=name,
        help=about,
        epilog=examples,
        add_completion=False,
        invoke_without_command=True,
        context_settings=CONTEXT,
    )

    @group.callback()
    def alone(context: typer.Context) -> None:
        if context.invoked_subcommand is None:
            typer.echo(context.get_help())
            raise typer.Exit(ExitCode.USAGE)

    alone.__doc__ = about
    return group
