"""All that `perdure check` finds in a project whose configuration is in order. See tests/cli/test_check.py."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

from perdure.cli.check_calls import Source, check_calls
from perdure.cli.check_classes import check_classes
from perdure.cli.check_finding import Finding, Rule
from perdure.cli.check_program import Place, Started
from perdure.config import Project


def findings_of(project: Project, started: Started) -> list[Finding]:
    """What the configuration, the start and the source have to say: first by file, then by line."""
    found = [Finding(Rule.CONFIG, False, warning) for warning in project.warnings]
    if started.error is not None:
        found.append(_not_started(started))
    in_files = [each for file in started.files for each in _of_file(Path(file), project, started)]
    return found + sorted(in_files, key=lambda each: (each.file, each.line))


def _not_started(started: Started) -> Finding:
    error = started.error or {}
    file, _, line = str(error.get("where") or "").rpartition(":")
    is_place = bool(file) and line.isdecimal()
    rule = Rule.ENV if error.get("code") == "PERDURE_ENV_MISMATCH" else Rule.LOAD
    lines = [str(error.get("what"))]
    lines += [f"  {line}" for line in str(error.get("why") or "").strip("\n").splitlines()]
    lines += [f"  - {problem}" for problem in error.get("problems", ())]
    return Finding(
        rule,
        True,
        "\n".join(lines),
        str(error.get("next_step", "")),
        shown_path(Path(file)) if is_place else "",
        int(line) if is_place else 0,
    )


def _of_file(file: Path, project: Project, started: Started) -> Iterator[Finding]:
    shown = shown_path(file)
    try:
        tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError):
        return  # the start said so, with the line
    here = {
        "on_loop": _names_in(file, started.on_loop),
        "plain_methods": _names_in(file, started.plain_methods),
        "unbound": _names_in(file, started.unbound),
    }
    yield from check_classes(
        shown,
        tree,
        is_main=file == project.main,
        object_classes={str(each["name"]) for each in started.classes},
        plain_methods=here["plain_methods"],
        unbound=here["unbound"],
    )
    bindings = {binding.name for binding in project.objects}
    python = (sys.version_info.major, sys.version_info.minor)
    yield from check_calls(Source(shown, tree, bindings, here["on_loop"], python))


def _names_in(file: Path, places: frozenset[Place]) -> set[str]:
    return {name for where, name in places if where == str(file)}


def shown_path(file: Path) -> str:
    """As it is found from here, else from the root of the disk."""
    here = Path.cwd()
    return str(file.relative_to(here)) if file.is_relative_to(here) else str(file)
