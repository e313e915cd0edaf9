"""`perdure query`: one statement over the databases of many objects. See tests/cli/test_query.py."""

import dataclasses
import json
from dataclasses import dataclass, field
from typing import Annotated, Any

import msgspec
import typer

from perdure.cli.config_option import ConfigFile
from perdure.cli.console import Console, tune_streams
from perdure.cli.data_question import AsJson, ClassName, DataFolderOption, Like, answered
from perdure.cli.exit_code import ExitCode
from perdure.cli.table import in_json, printable, table
from perdure.host.control_client import FolderAccess
from perdure.host.inspection_request import Query

EXAMPLES = """
Examples:

    perdure query Room 'select count(*) from said'             one row for each room

    perdure query Room 'select * from said' --like 'team-*'    of those with such names

    perdure query Room 'select text from said' --json          for programs
"""
LEFT_OUT_SHOWN_MAX = 10
LEFT_OUT_MAX = 1_000
"""After that many the statement is wrong, and not the objects."""


@dataclass
class _Found:
    """What all parts of the answer gave together."""

    columns: list[str] = field(default_factory=list)
    rows: list[list[Any]] = field(default_factory=list)
    left_out: list[dict[str, Any]] = field(default_factory=list)
    more: bool = False


def query(
    class_name: ClassName,
    statement: Annotated[str, typer.Argument(metavar="SQL", help="One statement that reads.")],
    like: Like = None,
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, help="How many rows at most.")] = 1000,
    data: DataFolderOption = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Run one statement over the databases of all objects of a class, and show the rows with each object's name and id.

    Each object is read for itself, as it is at that moment. One whose database has no such table is left out and named, and the
    command ends with 6; objects without any database are passed over.
    """
    tune_streams()
    request = Query(class_name, statement, like, limit)
    found = answered(lambda access: _all_parts(access, request), data=data, config=config, as_json=as_json)
    console = Console()
    if as_json:
        rows = [[in_json(value) for value in row] for row in found.rows]
        console.line(json.dumps(dataclasses.asdict(found) | {"rows": rows}))
    else:
        _show(console, found)
    if found.left_out:
        raise typer.Exit(ExitCode.PARTIAL if found.columns else ExitCode.ERROR)


async def _all_parts(access: FolderAccess, request: Query) -> _Found:
    found = _Found()
    left, after = request.limit, request.after
    while True:
        part = await access.ask(msgspec.structs.replace(request, limit=left, after=after))
        found.columns = found.columns or list(part["columns"] or ())
        found.rows += [list(row) for row in part["rows"]]
        found.left_out += part["left_out"]
        left, after = request.limit - len(found.rows), part["cursor"]
        if after is None or left <= 0 or len(found.left_out) >= LEFT_OUT_MAX:
            found.more = after is not None
            return found


def _show(console: Console, found: _Found) -> None:
    if found.columns:
        for line in table(found.columns, found.rows):
            console.line(line)
    elif not found.left_out:
        console.line("No objects with a database")
    if found.more:
        console.line(f"There may be more: these are the first {len(found.rows)} rows; --limit")
    for each in found.left_out[:LEFT_OUT_SHOWN_MAX]:
        console.warning(f"{printable(each['name'] or each['id'])} was left out: {each['error']}")
    if len(found.left_out) > LEFT_OUT_SHOWN_MAX:
        console.warning(f"{len(found.left_out) - LEFT_OUT_SHOWN_MAX} more were left out")
