"""The `perdure` command: its subcommands, each in a module of its own, and its exit codes.

Must stay true: a command's module is imported when that command is asked for, so that none pays for what another needs.
See tests/cli/test_main.py and tests/cli/test_help.py.
"""

import importlib
import json
import platform
import sys
from collections.abc import Iterator, MutableMapping, Sequence
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typing_extensions import override

from perdure.cli.command_group import CONTEXT
from perdure.cli.exit_code import ExitCode
from perdure.cli.usage import UsageError, as_refusal, no_such_command
from perdure.host.version import VERSION
from perdure.model.errors import WrongValue

COMMANDS = {
    "init": "perdure.cli.init",
    "dev": "perdure.cli.dev",
    "check": "perdure.cli.check",
    "types": "perdure.cli.types",
    "objects": "perdure.cli.objects",
    "alarms": "perdure.cli.alarms",
    "query": "perdure.cli.query",
    "backup": "perdure.cli.backup",
    "doctor": "perdure.cli.doctor",
}
"""Each command with its module, with a function or a group of that name and `EXAMPLES`; in the order of the help."""

EXAMPLES = """
Examples:

    perdure init hits       a new project in the folder hits

    perdure dev             serve the project of this folder

    perdure check           look for mistakes in it

    perdure objects list    what it has stored

    perdure dev -h          the options of a command
"""


class _Commands(MutableMapping[str, Any]):
    """The commands by name; looking one up imports its module."""

    def __init__(self) -> None:
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            self._loaded[name] = _load(name)
        return self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter({**COMMANDS, **self._loaded})

    def __len__(self) -> int:
        return len({*COMMANDS, *self._loaded})

    def __contains__(self, name: object) -> bool:
        return name in COMMANDS or name in self._loaded

    def __setitem__(self, name: str, command: Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]


def _load(name: str) -> Any:
    module = importlib.import_module(COMMANDS[name])
    command = getattr(module, name)
    if isinstance(command, typer.Typer):
        return typer.main.get_command(command)
    alone = typer.Typer(add_completion=False, context_settings=CONTEXT)
    alone.command(name=name, epilog=module.EXAMPLES)(command)
    return typer.main.get_command(alone)


class _CommandGroup(TyperGroup):
    """Typer's own, with commands that are looked up when they are asked for."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _Commands()

    @override
    def main(self, args: Sequence[str] | None = None, *others: Any, **options: Any) -> Any:
        """Run the command that `args` name, and end the process with its exit code."""
        options["standalone_mode"] = False  # else Typer would say in its own words what it does not understand
        said = sys.argv[1:] if args is None else args
        try:
            code = super().main(args, *others, **options)
        except UsageError as error:
            code = _refused(as_refusal(error, next((word for word in said if word in COMMANDS), "")), said)
        except WrongValue as error:
            code = _refused(error, said)
        except typer.Abort:
            code = ExitCode.ERROR
        sys.exit(code or ExitCode.OK)

    @override
    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args[0] not in self.commands and not ctx.resilient_parsing:
            raise no_such_command(args[0], COMMANDS)
        return super().resolve_command(ctx, args)


def _refused(error: WrongValue, said: Sequence[str]) -> ExitCode:
    refuse = importlib.import_module("perdure.cli.refusal").refuse_here
    code: ExitCode = refuse(error, as_json="--json" in said, code=ExitCode.USAGE)
    return code


app = typer.Typer(
    name="perdure",
    cls=_CommandGroup,
    help="Durable Objects for Python: named objects that exist once and keep what they store.",
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    context_settings=CONTEXT,
    epilog=EXAMPLES,
)


@app.callback()
def perdure(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Show the version and end.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="With --version: as JSON, with Python's version and the machine.")
    ] = False,
) -> None:
    """Options of the command itself."""
    if version:
        versions = {"perdure": VERSION, "python": platform.python_version(), "platform": platform.platform()}
        typer.echo(json.dumps(versions) if as_json else f"perdure {VERSION}")
        raise typer.Exit
    if as_json:
        raise typer.BadParameter("it goes after the command: perdure check --json", param_hint="--json")
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())
        raise typer.Exit(ExitCode.USAGE)
