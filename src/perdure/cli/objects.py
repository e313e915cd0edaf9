"""`perdure objects`: which objects a data folder has, what is in them, and SQL over one. See tests/cli/test_objects.py."""

import json
from typing import Annotated, Any

import typer

from perdure.cli.command_group import command_group
from perdure.cli.config_option import ConfigFile
from perdure.cli.console import Console, tune_streams
from perdure.cli.data_question import AsJson, ClassName, DataFolderOption, Like, ObjectName, answered
from perdure.cli.export import add_to
from perdure.cli.table import csv_text, in_json, printable, table
from perdure.host.inspection_request import LISTED_MAX, DeleteObject, ListObjects, RunSql, ShowObject

EXAMPLES = """
Examples:

    perdure objects list                                  all objects of the project of this folder

    perdure objects list Room --like 'team-*'             those of a class with such names

    perdure objects show Room lobby                       its keys, its tables, its alarm

    perdure objects sql Room lobby 'select * from said'   what is in a table of it

    perdure objects delete Room lobby                     all that it stored; says how to get it back
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
    tune_streams()
    request = ListObjects(class_name, like, limit, after)
    answer = answered(lambda access: access.ask(request), data=data, config=config, as_json=as_json)
    console = Console()
    if as_json:
        console.line(json.dumps(answer))
        return
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
    tune_streams()
    request = ShowObject(class_name, object)
    answer = answered(lambda access: access.ask(request), data=data, config=config, as_json=as_json)
    console = Console()
    if as_json:
        console.line(json.dumps(answer))
        return
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
    tune_streams()
    if as_csv and as_json:
        raise typer.BadParameter("it is either --csv or --json", param_hint="--csv")
    request = RunSql(class_name, object, statement, write)
    answer = answered(lambda access: access.ask(request), data=data, config=config, as_json=as_json)
    console = Console()
    columns, rows = answer["columns"], answer["rows"]
    if as_json:
        shown = [[in_json(value) for value in row] for row in rows]
        console.line(json.dumps({"columns": columns, "rows": shown, "written": answer["written"]}))
    elif as_csv:
        console.line(csv_text(columns, rows))
    elif columns:
        for line in table(columns, rows):
            console.line(line)
    if not as_json and not as_csv and (write or not columns):
        written = answer["written"]
        console.line(f"{written or 'no'} row{'' if written == 1 else 's'} written")


@objects.command(name="delete", epilog="Example:\n\n    perdure objects delete Room lobby")
def delete_object(
    class_name: ClassName,
    object: ObjectName,
    data: DataFolderOption = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Delete all that one object has stored, its alarms too. Prints the bookmark that undoes it; if it runs, it is reset."""
    tune_streams()
    request = DeleteObject(class_name, object)
    answer = answered(lambda access: access.ask(request), data=data, config=config, as_json=as_json)
    console = Console()
    if as_json:
        console.line(json.dumps(answer))
        return
    console.line(f"Deleted {answer['class']}/{printable(answer['name'] or answer['id'])}")
    console.line(f"The bookmark that undoes it: {answer['bookmark']}")


add_to(objects)
