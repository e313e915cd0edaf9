"""`perdure doctor`: what is damaged in a data folder, and what to do. See tests/cli/test_backup.py."""

import json
import time
from dataclasses import asdict

import typer

from perdure.cli.backup_work import data_folder, refused_in_words
from perdure.cli.config_option import ConfigFile
from perdure.cli.console import Console
from perdure.cli.data_question import AsJson, DataFolderOption
from perdure.cli.exit_code import ExitCode
from perdure.host.doctor import examine

EXAMPLES = """
Examples:

    perdure doctor                  the data of the project of this folder

    perdure doctor --data backup    another data folder

    perdure doctor --json           what was found as one JSON object
"""


def doctor(data: DataFolderOption = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Read every page, value and SQL database of a data folder, and name what is damaged; ends with 1 if anything is.

    Writes nothing, and may run while the folder is served.
    """
    console = Console()
    with refused_in_words(as_json=as_json):
        folder = data_folder(data, config)

        def looking_at(label: str) -> None:
            if not as_json:
                console.line(f"Looking at {label}")

        seen = examine(folder, now_ms=time.time_ns() // 1_000_000, looking_at=looking_at)
    if as_json:
        found = [asdict(finding) for finding in seen.findings]
        answer = {"data": str(folder), "served_by": seen.served_by, "objects": seen.objects, "findings": found}
        console.line(json.dumps(answer))
    else:
        if seen.served_by is not None:
            console.line(f"Served by {seen.served_by}: this is how it was a moment ago")
        for finding in seen.findings:
            console.error(str(finding))
        damages, objects = len(seen.findings), seen.objects
        console.line(
            f"{objects:,} object{'' if objects == 1 else 's'}, {damages or 'no'} damage{'s' if damages > 1 else ''}"
        )
    if seen.findings:
        raise typer.Exit(ExitCode.ERROR)
