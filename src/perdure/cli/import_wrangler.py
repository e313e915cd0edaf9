"""`perdure objects import --from-wrangler`: the objects that Cloudflare's local tools have, brought into a data folder.

See tests/cli/test_import_wrangler.py.
"""

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import typer

from perdure.cli.backup_work import progress_bar, refused_in_words
from perdure.cli.console import Console
from perdure.cli.exit_code import ExitCode
from perdure.cli.refusal import as_object
from perdure.cli.table import printable
from perdure.config import load_project
from perdure.config.project import DATA_FOLDER
from perdure.host.inspection_alarms import moment
from perdure.host.wrangler_import import Brought, import_local_state
from perdure.model.errors import WrongValue

SHOWN_MAX = 10
"""Files that are named with what is wrong; a class that stores one kind of value that cannot be brought has it in each."""


def import_from_wrangler(
    source: Path,
    *,
    class_name: str | None,
    names: Path | None,
    replace: bool,
    data: Path | None,
    config: Path | None,
    as_json: bool,
) -> None:
    """Does it and says what became of it. Raises typer.Exit unless all of it was brought over."""
    with refused_in_words(as_json=as_json), progress_bar("Importing") as progress:
        project = load_project(config) if data is None or config is not None else None
        folder = data if data is not None or project is None else project.root / DATA_FOLDER
        assert folder is not None
        known = [] if names is None else _names_in(names)
        brought = asyncio.run(
            import_local_state(
                folder,
                source,
                project=project,
                class_name=class_name,
                names=known,
                replace=replace,
                progress=progress,
            )
        )
    console = Console()
    if as_json:
        console.line(json.dumps(_as_json(brought)))
    else:
        _say(brought, console)
    if brought.failed:
        raise typer.Exit(ExitCode.PARTIAL if brought.objects else ExitCode.ERROR)


def _names_in(file: Path) -> list[str]:
    try:
        return [name for name in file.read_text(encoding="utf-8").splitlines() if name]
    except UnicodeDecodeError as error:
        raise WrongValue(
            what=f"{file.name} is not in UTF-8",
            where=str(file),
            why=f"byte {error.start:,} is not: {error.reason}",
            next_step="write it anew in UTF-8, a name a line",
        ) from error


def _say(brought: Brought, console: Console) -> None:
    for class_name, count in sorted(Counter(each.class_name for each in brought.objects).items()):
        of = [each for each in brought.objects if each.class_name == class_name]
        same = sum(each.id.hex == each.old_id for each in of)
        nameless = sum(each.id.name is None for each in of)
        alarms = sum(each.alarm is not None for each in of)
        ids = "the ids that they had" if same == count else "new ids, made of their names"
        console.line(f"Imported {count:,} object{'' if count == 1 else 's'} of {class_name}, with {ids}")
        if nameless:
            console.line(f"  {nameless:,} without a name; who knows it finds the object by it all the same")
        if alarms:
            console.line(f"  {alarms:,} with an alarm")
    if brought.empty:
        console.line(f"{brought.empty:,} had stored nothing")
    for key in brought.no_class:
        console.warning(f"{printable(key)} was left out: there is no such class here")
    for each in brought.failed[:SHOWN_MAX]:
        console.warning(f"{each.file.parent.name}/{each.file.name} was left out: {printable(str(each.error))}")
    if len(brought.failed) > SHOWN_MAX:
        console.warning(f"{len(brought.failed) - SHOWN_MAX:,} more were left out; --json names them")


def _as_json(brought: Brought) -> dict[str, Any]:
    return {
        "imported": [
            {
                "class": each.class_name,
                "name": each.id.name,
                "id": each.id.hex,
                "old_id": each.old_id,
                "alarm": None if each.alarm is None else moment(each.alarm.at_ms),
            }
            for each in brought.objects
        ],
        "left_out": [{"path": str(each.file), "error": as_object(each.error)} for each in brought.failed],
        "empty": brought.empty,
        "no_class": brought.no_class,
    }
