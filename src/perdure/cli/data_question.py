"""What commands that look into a data folder share: which folder, how it is asked, and how a refusal ends them.

Must stay true: a folder that a process has open is asked through it, so that what was acknowledged is seen; with `--json`
stdout is exactly one object. See tests/cli/test_objects.py.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from perdure.cli.console import Console
from perdure.cli.exit_code import ExitCode
from perdure.cli.refusal import refuse
from perdure.config import load_project
from perdure.config.project import DATA_FOLDER
from perdure.host.control_client import FolderAccess
from perdure.model.errors import ConfigError, PerdureError, StoreBroken

T = TypeVar("T")

DataFolderOption = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="The data folder. Else: .perdure/state beside the configuration."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Say it as one JSON object.")]
ClassName = Annotated[str, typer.Argument(metavar="CLASS", help="The object class; WORKER/CLASS if several have one.")]
ObjectName = Annotated[str, typer.Argument(metavar="OBJECT", help="The object's name, or its id.")]
Like = Annotated[
    str | None,
    typer.Option("--like", metavar="GLOB", help="Only objects with such a name: *, ? and [...] as in file names."),
]

Question = Callable[[FolderAccess], Awaitable[T]]


def answered(question: Question[T], *, data: Path | None, config: Path | None, as_json: bool) -> T:
    """What `question` gives. Raises typer.Exit, having said why, if there is no answer."""
    console = Console()

    async def ask(folder: Path) -> T:
        access = await FolderAccess.open(folder)
        try:
            return await question(access)
        finally:
            await access.close()

    try:
        return asyncio.run(ask(load_project(config).root / DATA_FOLDER if data is None else data))
    except ConfigError as error:
        raise typer.Exit(refuse(error, console, as_json=as_json, code=ExitCode.CONFIG)) from error
    except PerdureError as error:
        raise typer.Exit(refuse(error, console, as_json=as_json, code=ExitCode.ERROR)) from error
    except OSError as error:
        broken = StoreBroken(
            what="the data folder cannot be opened",
            where=error.filename or "",
            why=error.strerror or str(error),
            next_step="run the command as the user whose data it is",
        )
        raise typer.Exit(refuse(broken, console, as_json=as_json, code=ExitCode.ERROR)) from error
    except KeyboardInterrupt:
        raise typer.Exit(ExitCode.INTERRUPTED) from None
