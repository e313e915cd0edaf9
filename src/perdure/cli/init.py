"""`perdure init`: a project that runs, from nothing but this package. See tests/cli/test_init.py."""

import json
import os
from pathlib import Path
from typing import Annotated

import typer

from perdure.cli.console import Console, tune_streams
from perdure.cli.exit_code import ExitCode
from perdure.cli.init_project import Template, template_files, worker_name, write_project
from perdure.cli.refusal import refuse
from perdure.model.errors import PerdureError

EXAMPLES = """
Examples:

    perdure init hits                        one object per URL path, in the folder hits

    perdure init hits --template typed       counters, checked by mypy and pyright in strict mode

    perdure init shop --template packages    several modules, and a package from outside

    perdure init .                           in this folder, with its name
"""


def init(
    name: Annotated[
        Path,
        typer.Argument(metavar="NAME", help="The new folder; its last part is the Worker's name.", show_default=False),
    ],
    template: Annotated[
        Template,
        typer.Option(
            "--template",
            "-t",
            metavar="TEMPLATE",
            help="basic: the program of Get started. typed: with types to the last call. packages: in several modules.",
        ),
    ] = Template.BASIC,
    force: Annotated[
        bool, typer.Option("--force", help="Also in a folder that has other files. None of them is overwritten.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Say what was made as JSON.")] = False,
) -> None:
    """Make a new project: configuration, code, a test, a README. Needs no network, overwrites nothing."""
    tune_streams()
    console = Console()
    folder = name
    try:
        worker = worker_name(Path(os.path.abspath(name)))
        files = template_files(template, worker)
        write_project(folder, files, beside_others=force)
    except PerdureError as error:
        raise typer.Exit(refuse(error, console, as_json=as_json, code=ExitCode.ERROR)) from error
    paths = [str(folder / path) for path in files]
    if as_json:
        console.line(json.dumps({"name": worker, "folder": str(folder), "template": template.value, "files": paths}))
        return
    console.line(f"{console.coloured(worker, 'cyan', bold=True)}: a new project from the template {template.value}")
    for path in paths:
        console.line(f"  {path}")
    console.line("Start it:")
    if folder.resolve() != Path.cwd():
        console.line(f"  cd {folder}")
    console.line("  perdure dev")
