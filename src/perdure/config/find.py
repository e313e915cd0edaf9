"""Which file is the configuration: the one that was named, or the nearest one upward (CFG-3).

Must stay true: the nearest folder wins, within it the order of `NAMES`, and a file that is there and not used is said. See
tests/config/test_find.py.
"""

from dataclasses import dataclass
from pathlib import Path

from perdure.config.pyproject import PYPROJECT_NAME, is_configuration
from perdure.config.text_file import why_no_file
from perdure.model.errors import ConfigError

# In this order: what was written for Perdure comes before what other tools read as well.
NAMES = ("perdure.toml", PYPROJECT_NAME, "wrangler.json", "wrangler.jsonc", "wrangler.toml")
# What messages tell people to write who have none.
NAME_TO_WRITE = "wrangler.toml"
_SUFFIXES = (".toml", ".json", ".jsonc", ".py")


@dataclass(frozen=True, slots=True)
class Found:
    """The configuration to read."""

    file: Path
    ignored: tuple[str, ...] = ()
    """Names of other configurations in its folder."""
    looked_for: tuple[Path, ...] = ()
    """Files of which one would be the configuration if it were there."""


def find_config(named: Path | None, start: Path) -> Found:
    """The file to read. named: after `-c`, relative to `start`; a folder stands for the file in it. Raises ConfigError."""
    if named is None:
        return _nearest(start)
    file = start / named
    if file.is_dir():
        if (found := _in_folder(file)) is not None:
            return found
        raise ConfigError(what=f"there is no configuration in the folder {named}", **_how_to_begin(file))
    if not file.is_file():
        raise ConfigError(
            what=f"the configuration {named} does not exist",
            where=str(file),
            next_step=f"correct the path after -c; {_names_there(file.parent)}",
        )
    if file.suffix not in _SUFFIXES:
        raise ConfigError(
            what=f"the configuration {named} is in a format that is not supported",
            where=str(file),
            next_step=f"write it as {NAME_TO_WRITE}, or in the main module as a `# /// wrangler` block",
        )
    return Found(file, looked_for=(file,))


def _nearest(start: Path) -> Found:
    looked_for: list[Path] = []
    for folder in (start, *start.parents):
        looked_for += [folder / name for name in NAMES]
        if (found := _in_folder(folder)) is not None:
            return Found(found.file, found.ignored, tuple(looked_for))
    raise ConfigError(what="there is no configuration here or in a folder above", **_how_to_begin(start))


def _in_folder(folder: Path) -> Found | None:
    there = [name for name in NAMES if _is_there(folder / name)]
    if not there:
        return None
    return Found(folder / there[0], tuple(there[1:]), tuple(folder / name for name in NAMES))


def _is_there(file: Path) -> bool:
    return file.is_file() and (file.name != PYPROJECT_NAME or is_configuration(file))


def _how_to_begin(folder: Path) -> dict[str, str]:
    modules = sorted(each.name for each in folder.glob("*.py") if not each.name.startswith(("test_", "_", "conftest")))
    main = modules[0] if len(modules) == 1 else "main.py"
    no_files = [f"{name} is there and {why}" for name in NAMES if (why := why_no_file(folder / name)) is not None]
    return {
        "where": str(folder),
        "why": "; ".join([f"looked for {', '.join(NAMES)}", *no_files]),
        "next_step": f'write {NAME_TO_WRITE} with the lines `name = "my-worker"` and `main = "{main}"`, '
        "or name another file: perdure dev -c FILE",
    }


def _names_there(folder: Path) -> str:
    if not folder.is_dir():
        return f"the folder {folder} does not exist"
    names = sorted(each.name for each in folder.iterdir() if each.suffix in _SUFFIXES)
    return f"in {folder} there is: {', '.join(names) or 'no configuration'}"
