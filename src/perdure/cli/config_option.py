"""The option that names a project's configuration, the same for every command that takes one. See tests/cli/test_help.py."""

from pathlib import Path
from typing import Annotated

import typer

ConfigFile = Annotated[
    Path | None,
    typer.Option(
        "--config", "-c", metavar="FILE", help="The project's configuration. Else: the nearest, upwards from here."
    ),
]
