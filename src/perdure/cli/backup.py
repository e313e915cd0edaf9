"""`perdure backup`: a whole data folder as one file, and back. See tests/cli/test_backup.py."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from perdure.cli.backup_work import data_folder, progress_bar, refused_in_words, size_text
from perdure.cli.command_group import command_group
from perdure.cli.config_option import ConfigFile
from perdure.cli.console import Console
from perdure.cli.data_question import AsJson, DataFolderOption
from perdure.host.version import VERSION
from perdure.store.backup import Manifest, create_backup, restore_backup, verify_backup
from perdure.store.file_system import checksummed_file_system

EXAMPLES = """
Examples:

    perdure backup create monday.perdure             all objects of the project of this folder, as of one instant

    perdure backup verify monday.perdure             read it all and compare its checksums

    perdure backup restore monday.perdure restored   a new data folder
"""

backup = command_group("backup", "Take a data folder with you, whether it is being served or not.", EXAMPLES)

BackupFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="The backup: a tar of SQLite databases and their sums.")
]


@backup.command(name="create", epilog="Example:\n\n    perdure backup create monday.perdure")
def create(
    file: BackupFile,
    force: Annotated[bool, typer.Option("--force", help="Replace a file of that name.")] = False,
    data: DataFolderOption = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Write the whole folder, as it is at one instant, to a file; who serves it serves on."""
    with refused_in_words(as_json=as_json), progress_bar("Backing up") as progress:
        made = create_backup(
            data_folder(data, config),
            file,
            file_system=checksummed_file_system(),
            written_by=VERSION,
            now_ms=time.time_ns() // 1_000_000,
            force=force,
            progress=progress,
        )
    _say("Backed up", file, made, as_json=as_json)


@backup.command(name="verify", epilog="Example:\n\n    perdure backup verify monday.perdure")
def verify(file: BackupFile, as_json: AsJson = False) -> None:
    """Read a backup to its end and compare every checksum; ends with 1 if it is not what was written."""
    with refused_in_words(as_json=as_json), progress_bar("Verifying") as progress:
        found = verify_backup(file, progress=progress)
    _say("Whole", file, found, as_json=as_json)


@backup.command(name="restore", epilog="Example:\n\n    perdure backup restore monday.perdure restored")
def restore(
    file: BackupFile,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The data folder to make; missing, or empty.")],
    as_json: AsJson = False,
) -> None:
    """Make a data folder of a backup, whole or not at all; checks it on the way."""
    with refused_in_words(as_json=as_json), progress_bar("Restoring") as progress:
        made = restore_backup(file, folder, progress=progress)
    _say("Restored", folder, made, as_json=as_json)


def _say(done: str, path: Path, manifest: Manifest, *, as_json: bool) -> None:
    taken = datetime.fromtimestamp(manifest.created_ms / 1000, UTC)
    size = sum(member.bytes for member in manifest.files.values())
    answer: dict[str, Any] = {
        "path": str(path),
        "created": taken.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "written_by": manifest.written_by,
        "stores": len(manifest.files) - 1,
        "bytes": size,
    }
    console = Console()
    if as_json:
        console.line(json.dumps(answer))
        return
    stores = answer["stores"]
    about = f"{stores} store{'' if stores == 1 else 's'}, {size_text(size)}, as of {taken:%Y-%m-%d %H:%M:%S} UTC"
    console.line(f"{done}: {path} ({about})")
