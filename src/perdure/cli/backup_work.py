"""How commands that work on a data folder find it, say how far they are, and end when they cannot go on.

Must stay true: progress goes to a terminal's stderr and nowhere else; with `--json` stdout is exactly one object. See
tests/cli/test_backup.py.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import typer

from perdure.cli.console import Console, tune_streams
from perdure.cli.exit_code import ExitCode
from perdure.cli.refusal import refuse
from perdure.config import load_project
from perdure.config.project import DATA_FOLDER
from perdure.model.errors import ConfigError, PerdureError, StoreBroken, WrongValue


def data_folder(data: Path | None, config: Path | None) -> Path:
    """The folder that is meant. Raises ConfigError if that takes a project, and there is none."""
    return load_project(config).root / DATA_FOLDER if data is None else data


@contextmanager
def refused_in_words(*, as_json: bool) -> Iterator[None]:
    """What is raised inside ends the command with its exit code, having been said."""
    tune_streams()
    console = Console()
    try:
        yield
    except ConfigError as error:
        raise typer.Exit(refuse(error, console, as_json=as_json, code=ExitCode.CONFIG)) from error
    except PerdureError as error:
        raise typer.Exit(refuse(error, console, as_json=as_json, code=ExitCode.ERROR)) from error
    except UnicodeEncodeError as error:  # SQLite takes no other names of files
        refused = WrongValue(
            what=f"{error.object!r:.200} cannot be encoded as UTF-8",
            why="it came from bytes that are no UTF-8",
            next_step="give the file, or the folder that it is in, another name",
        )
        raise typer.Exit(refuse(refused, console, as_json=as_json, code=ExitCode.ERROR)) from error
    except OSError as error:
        failed = StoreBroken(
            what="a file cannot be read or written",
            where=str(error.filename or ""),
            why=error.strerror or str(error),
            next_step="check that there is room, and that this user may",
        )
        raise typer.Exit(refuse(failed, console, as_json=as_json, code=ExitCode.ERROR)) from error
    except KeyboardInterrupt:
        raise typer.Exit(ExitCode.INTERRUPTED) from None


@contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None]]:
    """To be told how many bytes are done, of how many."""
    with ExitStack() as shown:
        bars: list[Any] = []

        def progress(done: int, total: int) -> None:
            if not sys.stderr.isatty():
                return
            if not bars:
                bars.append(shown.enter_context(typer.progressbar(length=total, label=label, file=sys.stderr)))
            bars[0].length = total
            bars[0].update(done - bars[0].pos)

        yield progress


def size_text(size: int) -> str:
    """As people say it."""
    return f"{size / 1_000_000:,.1f} MB" if size >= 100_000 else f"{size:,} bytes"
