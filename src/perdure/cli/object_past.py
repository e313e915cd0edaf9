"""`perdure objects restore` and `fork`: an object as it was, in its own place or in another's.

See tests/cli/test_object_past.py.
"""

from typing import Annotated

import typer

from perdure.cli.config_option import ConfigFile
from perdure.cli.console import Console
from perdure.cli.data_question import Answer, AsJson, ClassName, DataFolderOption, ObjectName, ask_and_say, whose
from perdure.host.inspection_request import ForkObject, RestoreObject

MOMENT = "BOOKMARK|TIME"
_MOMENTS = "A bookmark of the object, or a time with its zone, as 2026-12-01T09:30Z"


def add_to(objects: typer.Typer) -> None:
    """Makes the two commands part of `perdure objects`."""
    objects.command(name="restore", epilog="Example:\n\n    perdure objects restore Room lobby --at 2026-12-01T09:30Z")(
        restore
    )
    objects.command(name="fork", epilog="Example:\n\n    perdure objects fork Room lobby lobby-copy")(fork)


def restore(
    class_name: ClassName,
    object: ObjectName,
    at: Annotated[str, typer.Option("--at", metavar=MOMENT, help=f"{_MOMENTS}.")],
    data: DataFolderOption = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Take an object back to what it stored: keys, tables and alarm. Prints the bookmark that undoes it.

    If it runs, it is reset, and starts anew when it is there. Without a bookmark it is the state at that time or a little before:
    the longer ago, the fewer states are kept.
    """

    def say(console: Console, answer: Answer) -> None:
        console.line(f"Restored {whose(answer)}{'' if answer['exists'] else ': it stores nothing, as then'}")
        console.line(f"The bookmark that undoes it: {answer['bookmark']}")

    ask_and_say(RestoreObject(class_name, object, at), say, data=data, config=config, as_json=as_json)


def fork(
    class_name: ClassName,
    source: Annotated[str, typer.Argument(metavar="FROM", help="The object's name, or its id.")],
    to: Annotated[str, typer.Argument(metavar="TO", help="The name of the one that is made.")],
    at: Annotated[
        str | None, typer.Option("--at", metavar=MOMENT, help=f"{_MOMENTS}. Else: now.", show_default=False)
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Let it take the place of what TO stores.")] = False,
    data: DataFolderOption = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Make another object that holds what this one does: its keys and its tables. Its alarm is not copied.

    FROM is only read, also for --at, and serves on. TO is what it was until all of it is there; its alarm stays.
    """

    def say(console: Console, answer: Answer) -> None:
        console.line(f"Forked: {whose(answer)}")
        if answer["alarm"] is not None:
            console.line(f"The alarm was not copied: {answer['alarm']}")
        if answer["bookmark"] is not None:
            console.line(f"The bookmark that undoes it: {answer['bookmark']}")

    request = ForkObject(class_name, source, to, replace, at)
    ask_and_say(request, say, data=data, config=config, as_json=as_json, takes_long="Forking")
