"""The reference page of the configuration; `python -m perdure.config.reference FILE` writes it.

Must stay true: the page is what the declared keys say, all of them. See tests/config/test_schema.py.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from perdure.config.find import NAMES
from perdure.config.key import Anything, Key, ListOf, Number, Shape, Status, Table, Text, Values
from perdure.config.known_keys import KEYS

_INTRODUCTION = f"""\
# Configuration

A project has one configuration. It is the nearest of these, from the current folder upwards; if a folder has several, the
first of them:

{", ".join(f"`{name}`" for name in NAMES)}

In `pyproject.toml` it is the table `[tool.perdure]`. JSON may have comments, and commas after the last element. A main module
can have its configuration in itself, in a `# /// wrangler` block; name the file with `-c`. Paths are relative to the file that
says them.

A key that has no effect is a warning, and with `--strict-config` an error.
"""
_SECRETS = """\
## Secrets

Values of secrets are in files beside the configuration, as lines `NAME=value`: in `.dev.vars`, or, if there is none, in
`.env` and `.env.local`, of which the later one wins, and where `${OTHER}` stands for another value. `--env-file` names other
files instead. Secrets go over `vars` of the same name, and `--var` goes over both. If the configuration has a
table `secrets`, no names are taken from the files but those of `secrets.required` and of `vars`; a required secret that is not
in `.env` or its like is taken from the environment of the process. Keep these files out of the repository: one that git does
not ignore is a warning.
"""
_OTHERS = {
    Status.HARMLESS: ("Keys that may stay", "Checked where they are wrong, and otherwise without effect."),
    Status.NOT_YET: ("Keys that are understood and have no effect so far", "Each is said in a warning."),
    Status.WITHOUT_MEANING: ("Keys without meaning", "For JavaScript, for one company's cloud, or of years ago."),
}


def reference() -> str:
    """The page."""
    parts = [_INTRODUCTION, "## Keys\n", "\n".join(_rows("", KEYS, Status.HONOURED)), "", _SECRETS]
    for status, (title, note) in _OTHERS.items():
        parts += [f"## {title}\n\n{note}\n", "\n".join(_rows("", KEYS, status)), ""]
    return "\n".join(parts).rstrip() + "\n"


def _rows(prefix: str, keys: Mapping[str, Key], status: Status) -> Iterator[str]:
    yield "| key | value | default | meaning |"
    yield "| --- | --- | --- | --- |"
    yield from _rows_below(prefix, keys, status)


def _rows_below(prefix: str, keys: Mapping[str, Key], status: Status) -> Iterator[str]:
    for name, key in keys.items():
        if key.status is not status and not (prefix and key.status is Status.NOT_YET):
            continue
        default = "required" if key.is_required else key.default
        about = key.about + (" No effect so far." if prefix and key.status is Status.NOT_YET else "")
        yield f"| `{prefix}{name}` | {_kind(key.shape)} | {default} | {about} |".replace("|  |", "| |")
        if isinstance(key.shape, Table):
            yield from _rows_below(f"{prefix}{name}.", key.shape.keys, status)
        elif isinstance(key.shape, ListOf) and isinstance(key.shape.items, Table):
            yield from _rows_below(f"{prefix}{name}[].", key.shape.items.keys, status)


def _kind(shape: Shape) -> str:
    match shape:
        case Text(values=(_, *_) as values):
            return " or ".join(f'`"{value}"`' for value in values)
        case Text():
            return "text"
        case Number(lowest, highest):
            return f"{lowest} to {highest}"
        case ListOf(Table()):
            return "list of tables"
        case ListOf():
            return "list of texts"
        case Table() | Values():
            return "table"
        case Anything():
            return "anything"


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reference(), encoding="utf-8")
