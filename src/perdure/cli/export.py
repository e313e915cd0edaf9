"""`perdure objects export` and `import`: one object as a file that `sqlite3` opens. See tests/cli/test_backup.py."""

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from perdure.cli.backup_work import data_folder, progress_bar, refused_in_words, size_text
from perdure.cli.config_option import ConfigFile
from perdure.cli.console import Console
from perdure.cli.data_question import AsJson, ClassName, DataFolderOption, ObjectName
from perdure.host.export import export_object
from perdure.host.import_object import import_into
from perdure.host.stored_object import stored_class

ObjectFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="An SQLite database; the keys are in its table _perdure_kv.")
]


def add_to(objects: typer.Typer) -> None:
    """Makes the two commands part of `perdure objects`."""
    objects.command(name="export", epilog="Example:\n\n    perdure objects export Room lobby lobby.db")(export)
    objects.command(name="import", epilog="Example:\n\n    perdure objects import Room lobby lobby.db")(import_file)


def export(
    class_name: ClassName,
    object: ObjectName,
    file: ObjectFile,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of that name.")] = False,
    data: DataFolderOption = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Write one object to a file that sqlite3 opens: its SQL tables as they are, its keys in _perdure_kv.

    Its alarm is not in there. Does not wake the object; who serves the folder serves on.
    """
    with refused_in_words(as_json=as_json), progress_bar("Exporting") as progress:
        of = stored_class(data_folder(data, config), class_name)
        id = of.id_of(object)
        export_object(of, id, file, force=force, progress=progress)
        size = file.stat().st_size
    console = Console()
    if as_json:
        console.line(json.dumps({"class": of.row.class_name, "id": id.hex, "path": str(file), "bytes": size}))
    else:
        console.line(f"Exported: {file} ({size_text(size)})")


def import_file(
    class_name: ClassName,
    object: ObjectName,
    file: ObjectFile,
    replace: Annotated[bool, typer.Option("--replace", help="Let the file take the place of what is stored.")] = False,
    data: DataFolderOption = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Make an object of a file: all its tables, and its keys if it has _perdure_kv. The folder must not be served.

    The object is what it was until all of the file is stored. Its alarm stays.
    """
    with refused_in_words(as_json=as_json), progress_bar("Importing") as progress:
        folder = data_folder(data, config)
        id = asyncio.run(import_into(folder, class_name, object, file, replace=replace, progress=progress))
    console = Console()
    if as_json:
        console.line(json.dumps({"class": class_name, "id": id.hex, "path": str(file)}))
    else:
        console.line(f"Imported: {file} as {class_name} {id.hex}")
