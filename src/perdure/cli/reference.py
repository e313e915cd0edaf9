"""The page about the command line, made from the commands themselves: `python -m perdure.cli.reference docs/command-line.md`.

Must stay true: what the page says is what `--help` says, so that there is one place to write it. See
tests/cli/test_reference.py.
"""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from perdure.cli.app import COMMANDS, app
from perdure.cli.check_finding import ABOUT
from perdure.cli.exit_code import ExitCode

HEAD = """\
# The command line

Made from the help of the commands by `python -m perdure.cli.reference docs/command-line.md`; do not edit.
"""
NOT_FOUND = """\
It reads the project's own files, and says nothing where reading is not enough to be sure. `open()` is not reported: a small
local file is read sooner than a thread is found for it.
"""
TAIL = """
## For scripts

Problems go to stderr, all else to stdout. With `--json` stdout has exactly one JSON object, also where the command could not
do its work: `{"error": {"code", "what", "where", "why", "next_step"}}`, and `problems` where there are several. Colours are
for terminals, and not for those where `NO_COLOR` is set.

## Completion

`perdure --install-completion` installs it for the shell that it is run from: bash, zsh, fish or PowerShell. To have the
script itself, for a shell that you name: `_PERDURE_COMPLETE=source_zsh perdure`.
"""


def page() -> str:
    """The text of the page."""
    command = typer.main.get_command(app)
    commands = getattr(command, "commands", {})
    sections = [_section("perdure", command, heading="")]
    for name in COMMANDS:
        sections += _sections(f"perdure {name}", commands[name])
    return HEAD + "".join(sections) + _rules() + _exit_codes() + TAIL


def _sections(usage: str, command: Any) -> Iterator[str]:
    """Of a command, and of those that it has of its own."""
    yield _section(usage, command, heading=f"\n## `{usage}`\n")
    for name, inner in getattr(command, "commands", {}).items():
        yield _section(f"{usage} {name}", inner, heading=f"\n### `{usage} {name}`\n")


def _section(usage: str, command: Any, *, heading: str) -> str:
    arguments = [
        parameter.metavar if parameter.required else f"[{parameter.metavar}]"
        for parameter in command.params
        if parameter.param_type_name == "argument"
    ]
    is_group = hasattr(command, "commands")
    shown = " ".join([usage, *arguments, "COMMAND" if is_group else "[OPTIONS]"])
    text = _paragraphs(command.help or "") if heading else ""
    return f"{heading}\n{text}```sh\n{shown}\n```\n\n{_options(command)}\n{_examples(command.epilog or '')}"


def _paragraphs(text: str) -> str:
    parts = [" ".join(part.split()) for part in text.strip().split("\n\n")]
    return "".join(f"{part}\n\n" for part in parts)


def _options(command: Any) -> str:
    rows = ["| option | meaning |\n| --- | --- |\n"]
    for parameter in command.params:
        about = parameter.help or ""
        if parameter.param_type_name == "argument":
            rows.append(f"| `{parameter.metavar}` | {_cell(about)} |\n")
        else:
            rows.append(f"| {', '.join(_spellings(parameter))} | {_cell(about)}{_default(parameter)} |\n")
    rows.append("| `-h`, `--help` | Show the help of the command and end. |\n")
    return "".join(rows)


def _spellings(parameter: Any) -> Iterator[str]:
    names = sorted([*parameter.opts, *parameter.secondary_opts], key=len)
    value = "" if parameter.is_flag else f" {parameter.metavar or parameter.name.upper()}"
    return (f"`{name}{value if name == names[-1] else ''}`" for name in names)


def _default(parameter: Any) -> str:
    default = parameter.default
    if parameter.is_flag or default is None or callable(default) or default in ((), []):
        return ""
    return f" Default: {getattr(default, 'value', default)}."


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _examples(epilog: str) -> str:
    lines = [
        line.strip() for line in epilog.splitlines() if line.strip() and line.strip() not in ("Examples:", "Example:")
    ]
    pairs = [(command, about.strip()) for command, _, about in (line.partition("   ") for line in lines)]
    width = max((len(command) for command, _ in pairs), default=0)
    shown = "".join(f"{command:<{width}}  # {about}\n" if about else f"{command}\n" for command, about in pairs)
    return f"```sh\n{shown}```\n" if pairs else ""


def _rules() -> str:
    rows = "".join(f"| `{rule.value}` | {_cell(about)} |\n" for rule, about in ABOUT.items())
    return f"\n## What `perdure check` finds\n\n| finding | meaning |\n| --- | --- |\n{rows}\n{NOT_FOUND}"


def _exit_codes() -> str:
    rows = "".join(f"| {code.value} | {code.meaning} |\n" for code in ExitCode)
    return f"\n## Exit codes\n\n| code | meaning |\n| --- | --- |\n{rows}"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
