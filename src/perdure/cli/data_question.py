"""What commands that ask a data folder share: which folder, how it is asked, and how the answer is said.

Must stay true: a folder that a process has open is asked through it, so that what was acknowledged is seen; with `--json`
stdout is exactly one object. See tests/cli/test_objects.py.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer

from perdure.cli.backup_work import data_folder, progress_bar, refused_in_words
from perdure.cli.console import Console
from perdure.cli.table import printable
from perdure.host.control_client import FolderAccess
from perdure.host.inspection_request import Request

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
Answer = dict[str, Any]


def answered(question: Question[T], *, data: Path | None, config: Path | None, as_json: bool) -> T:
    """What `question` gives. Raises typer.Exit, having said why, if there is no answer."""

    async def ask(folder: Path) -> T:
        access = await FolderAccess.open(folder)
        try:
            return await question(access)
        finally:
            await access.close()

    with refused_in_words(as_json=as_json):
        return asyncio.run(ask(data_folder(data, config)))


def ask_and_say(
    request: Request,
    say: Callable[[Console, Answer], None],
    *,
    data: Path | None,
    config: Path | None,
    as_json: bool,
    takes_long: str | None = None,
    in_json: Callable[[Answer], Answer] = lambda answer: answer,
) -> None:
    """Asks, and says the answer: as one JSON object, of what `in_json` gives, or as `say` does for people.

    takes_long: what is shown on a terminal beside how far it is.
    """
    with ExitStack() as shown:
        progress = nothing if takes_long is None else shown.enter_context(progress_bar(takes_long))
        answer = answered(lambda access: access.ask(request, progress), data=data, config=config, as_json=as_json)
    console = Console()
    if as_json:
        console.line(json.dumps(in_json(answer)))
    else:
        say(console, answer)


def nothing(done: int, total: int) -> None:
    """Progress that nobody is shown."""


def whose(answer: Answer) -> str:
    """The object that an answer is about, for people."""
    return f"{answer['class']}/{printable(answer['name'] or answer['id'])}"
