"""`perdure objects`: which objects a data folder has, what is in them, and SQL over one. See tests/cli/test_objects.py."""

from typing import Annotated, Any

import typer

from perdure.cli import export, object_past
from perdure.cli.command_group import command_group
from perdure.cli.config_option import ConfigFile
from perdure.cli.console import Console
from perdure.cli.data_question import Answer, AsJson, ClassName, DataFolderOption, Like, ObjectName, ask_and_say, whose
from perdure.cli.table import csv_text, in_json, printable, table
from perdure.host.inspection_request import LISTED_MAX, DeleteObject, ListObjects, RunSql, ShowObject

EXAMPLES = """
Examples:

    perdure objects list                                  all objects of the project of this folder

    perdure objects list Room --like 'team-*'             those of a class with such names

    perdure objects show Room lobby                       its keys, its tables, its alarm

    perdure objects sql Room lobby 'select * from said'   what is in a table of it

    perdure objects delete Room lobby                     all that it stored; says how to get it back

    perdure objects restore Room lobby --at 2026-12-01T09:30Z    what it was then

    perdure objects fork Room lobby copy                  another one that holds the same

    perdure objects export --all rooms                    a file for each object

    perdure objects import --from-wrangler .wrangler      the objects that wrangler dev has
"""
FIELDS = ("class", "name", "id", "created", "last_written", "bytes", "alarm", "sockets", "state")

objects = command_group("objects", "See the objects of a data folder, whether it is being served or not.", EXAMPLES)


@objects.command(name="list", epilog="Example:\n\n    perdure objects list Room --like 'team-*'")
def list_objects(
    class_name: Annotated[
        str | None, typer.Argument(metavar="CLASS", help="The object class. Else: all.", show_default=False)
    ] = None,
    like: Like = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=LISTED_MAX, help="How many at most.")] = 100,
    after: Annotated[
        str | None, typer.Option("--after", metavar="CURSOR", help="Go on where the list before ended, which said so.")
    ] = None,
    data: DataFolderOption = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """List the objects that have stored something: by class, then by name, those without a name by id. Wakes none."""
    ask_and_say(ListObjects(class_name, like, limit, after), _say_list, data=data, config=config, as_json=as_json)


def _say_list(console: Console, answer: Answer) -> None:
    found: list[dict[str, Any]] = answer["objects"]
    if not found:
        console.line("No objects")
        return
    for line in table(FIELDS, ([each[field] for field in FIELDS] for each in found)):
        console.line(line)
    if answer["cursor"] is not None:
        console.line(f"There are more: --after {answer['cursor']}")


@objects.command(name="show", epilog="Example:\n\n    perdure objects show Room lobby")
def show_object(
    class_name: ClassName,
    object: ObjectName,
    data: DataFolderOption = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Show one object: its keys with the bytes that each takes, its tables with their rows. Does not wake it."""
    ask_and_say(ShowObject(class_name, object), _say_object, data=data, config=config, as_json=as_json)


def _say_object(console: Console, answer: Answer) -> None:
    for field in FIELDS:
        if answer[field] is not None:
            console.line(f"{field:<12}  {printable(str(answer[field]))}")
    if answer["tables"]:
        console.line()
        for line in table(("table", "rows"), ((each["name"], each["rows"]) for each in answer["tables"])):
            console.line(line)
    if answer["keys"]:
        console.line()
        for line in table(("key", "bytes"), ((each["key"], each["bytes"]) for each in answer["keys"])):
            console.line(line)
    if answer["keys_left_out"]:
        console.line("and more keys")


@objects.command(name="sql", epilog="Example:\n\n    perdure objects sql Room lobby 'select * from said' --csv")
def run_sql(
    class_name: ClassName,
    object: ObjectName,
    statement: Annotated[str, typer.Argument(metavar="SQL", help="A statement, or several; the last one is shown.")],
    write: Annotated[bool, typer.Option("--write", help="Let it change the object.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Say it as CSV.")] = False,
    data: DataFolderOption = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Run SQL over one object's database; only to read, unless --write.

    A write is one unit of the object, through its gate if it is in memory. Beside running objects a statement may take 1 s.
    """
    if as_csv and as_json:
        raise typer.BadParameter("it is either --csv or --json", param_hint="--csv")

    def say(console: Console, answer: Answer) -> None:
        columns, rows, written = answer["columns"], answer["rows"], answer["written"]
        if as_csv:
            console.line(csv_text(columns, rows))
            return
        if columns:
            for line in table(columns, rows):
                console.line(line)
        if write or not columns:
            console.line(f"{written or 'no'} row{'' if written == 1 else 's'} written")

    request = RunSql(class_name, object, statement, write)
    ask_and_say(request, say, data=data, config=config, as_json=as_json, in_json=_result_in_json)


def _result_in_json(answer: Answer) -> Answer:
    return answer | {"rows": [[in_json(value) for value in row] for row in answer["rows"]]}


@objects.command(name="delete", epilog="Example:\n\n    perdure objects delete Room lobby")
def delete_object(
    class_name: ClassName,
    object: ObjectName,
    data: DataFolderOption = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Delete all that one object has stored, its alarms too. Prints the bookmark that undoes it; if it runs, it is reset."""

    def say(console: Console, answer: Answer) -> None:
        console.line(f"Deleted {whose(answer)}")
        console.line(f"The bookmark that undoes it: {answer['bookmark']}")

    ask_and_say(DeleteObject(class_name, object), say, data=data, config=config, as_json=as_json)


object_past.add_to(objects)
export.add_to(objects)
