"""`perdure objects export` and `import`: objects as files that `sqlite3` opens. See tests/cli/test_export.py."""

import json
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from perdure.cli.backup_work import data_folder, progress_bar, refused_in_words, size_text
from perdure.cli.config_option import ConfigFile
from perdure.cli.console import Console
from perdure.cli.data_question import Answer, AsJson, DataFolderOption, answered, ask_and_say, whose
from perdure.cli.exit_code import ExitCode
from perdure.cli.import_wrangler import import_from_wrangler
from perdure.cli.table import printable
from perdure.host.control_client import FolderAccess
from perdure.host.export import export_object
from perdure.host.export_all import LEFT_OUT_MAX, export_objects
from perdure.host.export_index import read_index
from perdure.host.inspection_request import ImportFile
from perdure.host.stored_object import stored_class, stored_classes
from perdure.model.errors import Disconnected, PerdureError, StorageFull

LEFT_OUT_SHOWN_MAX = 10

# Given unless --all is.
_Class = Annotated[
    str | None,
    typer.Argument(metavar="CLASS", help="The object class; WORKER/CLASS if several have one.", show_default=False),
]
_Object = Annotated[
    str | None, typer.Argument(metavar="OBJECT", help="The object's name, or its id.", show_default=False)
]
_File = Annotated[
    Path | None,
    typer.Argument(
        metavar="FILE", help="An SQLite database; the keys are in its table _perdure_kv.", show_default=False
    ),
]


def add_to(objects: typer.Typer) -> None:
    """Makes the two commands part of `perdure objects`."""
    objects.command(
        name="export",
        epilog="Example:\n\n    perdure objects export Room lobby lobby.db",
    )(export)
    objects.command(
        name="import",
        epilog="Example:\n\n    perdure objects import Room lobby lobby.db",
    )(import_file)


def export(
    class_name: _Class = None,
    object: _Object = None,
    file: _File = None,
    all: Annotated[
        Path | None,
        typer.Option("--all", metavar="DIR", help="Every object, or every one of CLASS, into a new folder."),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace a file, or an export, of that name.")] = False,
    data: DataFolderOption = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Write one object to a file that sqlite3 opens: its SQL tables as they are, its keys in _perdure_kv.

    With --all, a file for each object and `index.jsonl`, which says whose it is; objects that cannot be read are left out and
    named. Alarms are not in there. Wakes no object; who serves the folder serves on.
    """
    if all is not None:
        if object is not None:
            raise typer.BadParameter("with --all there is no OBJECT and no FILE", param_hint="--all")
        _export_all(class_name, all, force=force, folder=lambda: data_folder(data, config), as_json=as_json)
        return
    if class_name is None or object is None or file is None:
        raise typer.BadParameter("give CLASS, OBJECT and FILE, or --all DIR", param_hint="CLASS OBJECT FILE")
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


def _export_all(class_name: str | None, into: Path, *, force: bool, folder: Callable[[], Path], as_json: bool) -> None:
    with refused_in_words(as_json=as_json), progress_bar("Exporting") as progress:
        classes = stored_classes(folder()) if class_name is None else [stored_class(folder(), class_name)]
        exported = export_objects(classes, into, force=force, progress=progress)
    console = Console()
    if as_json:
        console.line(json.dumps({"path": str(into), **asdict(exported)}))
    else:
        count = exported.objects
        console.line(f"Exported: {count:,} object{'' if count == 1 else 's'} to {into} ({size_text(exported.bytes)})")
        _say_left_out(console, exported.left_out, exported.left_out_count)
    _end(exported.objects, exported.left_out_count)


def import_file(
    class_name: _Class = None,
    object: _Object = None,
    file: _File = None,
    all: Annotated[
        Path | None, typer.Option("--all", metavar="DIR", help="Every object of a folder that export --all made.")
    ] = None,
    from_wrangler: Annotated[
        Path | None,
        typer.Option(
            "--from-wrangler", metavar="DIR", help="Every object that wrangler dev has in .wrangler, or of CLASS."
        ),
    ] = None,
    names: Annotated[
        Path | None,
        typer.Option("--names", metavar="FILE", help="Names of such objects, one a line, where wrangler kept none."),
    ] = None,
    replace: Annotated[bool, typer.Option("--replace", help="Let the file take the place of what is stored.")] = False,
    data: DataFolderOption = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Make an object of a file: all its tables, and its keys if it has _perdure_kv.

    The object is what it was until all of the file is stored; its alarm stays. If the folder is served, that goes on, and an
    object that is replaced while it runs is reset. With --all, objects that cannot be made are left out and named. So they are
    with --from-wrangler, which takes alarms too, and needs the folder for itself.
    """
    if from_wrangler is not None:
        if object is not None or all is not None:
            raise typer.BadParameter("with --from-wrangler there is only CLASS to name", param_hint="--from-wrangler")
        import_from_wrangler(
            from_wrangler,
            class_name=class_name,
            names=names,
            replace=replace,
            data=data,
            config=config,
            as_json=as_json,
        )
        return
    if names is not None:
        raise typer.BadParameter("names are of --from-wrangler", param_hint="--names")
    if all is not None:
        if class_name is not None:
            raise typer.BadParameter("with --all there is nothing else to name", param_hint="--all")
        _import_all(all, replace=replace, data=data, config=config, as_json=as_json)
        return
    if class_name is None or object is None or file is None:
        raise typer.BadParameter(
            "give CLASS, OBJECT and FILE, --all DIR, or --from-wrangler DIR", param_hint="CLASS OBJECT FILE"
        )

    def say(console: Console, answer: Answer) -> None:
        console.line(f"Imported: {file} as {whose(answer)}")
        if answer["bookmark"] is not None:
            console.line(f"The bookmark that undoes it: {answer['bookmark']}")

    request = ImportFile(class_name, object, str(file.absolute()), replace)
    ask_and_say(
        request,
        say,
        data=data,
        config=config,
        as_json=as_json,
        takes_long="Importing",
        in_json=lambda answer: answer | {"path": str(file)},
    )


def _import_all(source: Path, *, replace: bool, data: Path | None, config: Path | None, as_json: bool) -> None:
    with progress_bar("Importing") as progress:

        async def import_each(access: FolderAccess) -> Answer:
            left_out: list[Answer] = []
            objects = left_out_count = 0
            total = sum(1 for _ in read_index(source))
            for line, file in read_index(source):
                request = (
                    ImportFile(line.class_name, line.id, str(file), replace, "id")
                    if line.name is None
                    else ImportFile(line.class_name, line.name, str(file), replace, "name")
                )
                try:
                    await access.ask(request)
                    objects += 1
                except (Disconnected, StorageFull):
                    raise  # the others would end like that, too
                except PerdureError as error:
                    left_out_count += 1
                    if len(left_out) < LEFT_OUT_MAX:
                        why = f"{error.what}: {error.why}" if error.why else error.what
                        left_out.append({"class": line.class_name, "name": line.name, "id": line.id, "error": why})
                progress(objects + left_out_count, total)
            return {"path": str(source), "objects": objects, "left_out": left_out, "left_out_count": left_out_count}

        answer = answered(import_each, data=data, config=config, as_json=as_json)
    console = Console()
    if as_json:
        console.line(json.dumps(answer))
    else:
        count = answer["objects"]
        console.line(f"Imported: {count:,} object{'' if count == 1 else 's'} of {source}")
        _say_left_out(console, answer["left_out"], answer["left_out_count"])
    _end(answer["objects"], answer["left_out_count"])


def _say_left_out(console: Console, left_out: list[Answer], count: int) -> None:
    for each in left_out[:LEFT_OUT_SHOWN_MAX]:
        of = f"{each['class']}/{printable(each['name'] or each['id'])}" if each["id"] else each["class"]
        console.warning(f"{of} was left out: {printable(each['error'])}")
    if count > LEFT_OUT_SHOWN_MAX:
        console.warning(f"{count - LEFT_OUT_SHOWN_MAX:,} more were left out; --json names more of them")


def _end(done: int, left_out: int) -> None:
    if left_out:
        raise typer.Exit(ExitCode.PARTIAL if done else ExitCode.ERROR)
