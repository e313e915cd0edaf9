"""`perdure types`: the type of `env`, written from the configuration. See tests/cli/test_types.py."""

import json
from pathlib import Path
from typing import Annotated

import typer

from perdure.cli.config_option import ConfigFile
from perdure.cli.console import Console, tune_streams
from perdure.cli.exit_code import ExitCode
from perdure.cli.refusal import refuse
from perdure.cli.types_module import ENV_CLASS, MARK, env_module
from perdure.config import load_project
from perdure.model.errors import ConfigError, PerdureError, WrongValue

DEFAULT_NAME = "worker_env.py"
STDOUT = Path("-")

EXAMPLES = """
Examples:

    perdure types                    writes worker_env.py beside the main module

    perdure types -o -               shows it

    perdure types --check            ends with 1 if the file is not current: for CI
"""


def types(
    config: ConfigFile = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Where to write; -: show it. Else: worker_env.py beside the main module.",
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; end with 1 if the file is not current.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Say what was done as JSON.")] = False,
) -> None:
    """Write the class Env of this project, with a typed attribute for each binding and variable.

    Use it where the code says what env is: from worker_env import Env. Secrets that it has are those of
    secrets.required, or, without that, those found on this machine: declare them, and the file is the same everywhere.
    """
    if output == STDOUT and (check or as_json):
        raise typer.BadParameter("there is no file with -", param_hint="--check" if check else "--json")
    tune_streams()
    console = Console()
    try:
        project = load_project(config)
        text = env_module(project)
        if output == STDOUT:
            console.line(text.removesuffix("\n"))
            return
        file = output or project.main.parent / DEFAULT_NAME
        before = _before(file)
        if not check and before != text:
            _write(file, text)
    except ConfigError as error:
        raise typer.Exit(refuse(error, console, as_json=as_json, code=ExitCode.CONFIG)) from error
    except PerdureError as error:
        raise typer.Exit(refuse(error, console, as_json=as_json, code=ExitCode.ERROR)) from error
    _say(console, file, was_current=before == text, is_missing=before is None, check=check, as_json=as_json)
    if check and before != text:
        raise typer.Exit(ExitCode.ERROR)


def _before(file: Path) -> str | None:
    """What is in the file; None if there is none. Raises WrongValue if it is somebody's own."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    except (OSError, UnicodeDecodeError) as error:
        raise WrongValue(
            what=f"{file} cannot be read", why=str(error), next_step="name another file with -o"
        ) from error
    if text.strip() and MARK not in text.partition("\n")[0]:
        raise WrongValue(
            what=f"{file} was not made by this command",
            why=f"its first line does not say: {MARK}",
            next_step="name another file with -o, or move it away",
        )
    return text


def _write(file: Path, text: str) -> None:
    try:
        file.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise WrongValue(
            what=f"{file} cannot be written", why=error.strerror or str(error), next_step="name another file with -o"
        ) from error


def _say(console: Console, file: Path, *, was_current: bool, is_missing: bool, check: bool, as_json: bool) -> None:
    if as_json:
        console.line(json.dumps({"file": str(file), "current": was_current, "written": not was_current and not check}))
    elif was_current:
        console.line(f"{file} is current")
    elif check:
        console.error(f"{file} does not exist" if is_missing else f"{file} is not what the configuration says")
        console.line("Write it anew: perdure types")
    else:
        console.line(f"Wrote {file}: from {file.stem} import {ENV_CLASS}")
