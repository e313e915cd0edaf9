"""`perdure check`: what is wrong with a project, found without serving it. See tests/cli/test_check.py."""

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from perdure.cli.check_finding import Finding
from perdure.cli.check_program import Started, start_program
from perdure.cli.check_project import findings_of
from perdure.cli.config_option import ConfigFile
from perdure.cli.console import Console, tune_streams
from perdure.cli.exit_code import ExitCode
from perdure.cli.refusal import refuse
from perdure.config import Project, load_project
from perdure.model.errors import ConfigError

EXAMPLES = """
Examples:

    perdure check                          the project of this folder

    perdure check -c shop/wrangler.toml    another project

    perdure check --strict --json          for CI: any warning ends it with 1
"""


def check(
    config: ConfigFile = None,
    strict: Annotated[bool, typer.Option("--strict", help="Let warnings end it with 1 too.")] = False,
    strict_config: Annotated[
        bool, typer.Option("--strict-config", help="Unknown keys of the configuration are errors, and end it with 3.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Say what was found as one JSON object.")] = False,
) -> None:
    """Look for mistakes: in the configuration, in how the code starts, and in the code itself.

    Runs the main module in a process of its own, and opens none of the project's data. Ends with 3 for a
    configuration that cannot be used, with 1 for code that cannot run; warnings alone end it with 0.
    """
    tune_streams()
    console = Console()
    try:
        project = load_project(config, strict=strict_config)
    except ConfigError as error:
        raise typer.Exit(refuse(error, console, as_json=as_json, code=ExitCode.CONFIG)) from error
    started = start_program(project)
    findings = findings_of(project, started)
    if as_json:
        console.line(json.dumps(_as_object(project, started, findings)))
    else:
        _show(console, project, started, findings)
    if any(finding.is_error or strict for finding in findings):
        raise typer.Exit(ExitCode.ERROR)


def _as_object(project: Project, started: Started, findings: Sequence[Finding]) -> dict[str, Any]:
    return {
        "name": project.name,
        "config": str(project.config_file),
        "main": str(project.main),
        "handlers": list(started.handlers),
        "bindings": [
            *({"name": each.name, "kind": "durable_object", "class": each.class_name} for each in project.objects),
            *({"name": name, "kind": "variable"} for name in project.vars),
            *({"name": name, "kind": "secret"} for name in project.secrets),
        ],
        "classes": list(started.classes),
        "entrypoints": list(started.entrypoints),
        "findings": [finding.as_object() for finding in findings],
    }


def _show(console: Console, project: Project, started: Started, findings: Sequence[Finding]) -> None:
    console.line(f"{console.coloured(project.name, 'cyan', bold=True)} ({project.config_file})")
    if started.error is None:
        _show_program(console, project, started)
    for finding in findings:
        (console.error if finding.is_error else console.warning)(str(finding))
    errors = sum(finding.is_error for finding in findings)
    console.line(f"{_count(errors, 'error')}, {_count(len(findings) - errors, 'warning')}")


def _show_program(console: Console, project: Project, started: Started) -> None:
    rows = [("handler", label) for label in started.handlers]
    rows += [("entry point", _members(each)) for each in started.entrypoints]
    rows += [("class", f"{_members(each)}{_bound(each['name'], project)}") for each in started.classes]
    rows += [("variable", f"env.{name}") for name in project.vars]
    rows += [("secret", f"env.{name}") for name in project.secrets]
    width = max((len(kind) for kind, _ in rows), default=0)
    for kind, text in rows:
        console.line(f"  {kind:<{width}}  {text}")


def _members(described: Any) -> str:
    members = [*described["handlers"], *(f"{name}()" for name in described["methods"])]
    return f"{described['name']}: {', '.join(members) or 'no handlers and no methods'}"


def _bound(class_name: str, project: Project) -> str:
    names = [f"env.{binding.name}" for binding in project.objects if binding.class_name == class_name]
    return f"  ({', '.join(names)})" if names else "  (no binding)"


def _count(number: int, noun: str) -> str:
    return f"{number or 'no'} {noun}{'' if number == 1 else 's'}"
