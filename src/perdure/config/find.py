"""Which file is the configuration: the one that was named, or the nearest one upward (CFG-3).

Must stay true: the nearest folder wins, and a file that is there and not used is said. See tests/config/test_find.py.
"""

from dataclasses import dataclass
from pathlib import Path

from perdure.model.errors import ConfigError

CONFIG_NAME = "wrangler.toml"
# Formats that are known and not read yet; in a folder without a readable one they are named, else people search in vain.
OTHER_NAMES = ("perdure.toml", "wrangler.json", "wrangler.jsonc")
_SUFFIXES = (".toml", ".py")


@dataclass(frozen=True, slots=True)
class Found:
    """The configuration to read."""

    file: Path
    ignored: tuple[str, ...] = ()
    """Names of other configurations in its folder."""


def find_config(named: Path | None, start: Path) -> Found:
    """The file to read. named: after `-c`, relative to `start`; a folder stands for the file in it. Raises ConfigError."""
    if named is None:
        return _nearest(start)
    file = start / named
    if file.is_dir():
        if (file / CONFIG_NAME).is_file():
            return _with_neighbours(file / CONFIG_NAME)
        raise ConfigError(
            what=f"there is no {CONFIG_NAME} in the folder {named}", **_how_to_begin(file, file / CONFIG_NAME)
        )
    if not file.is_file():
        raise ConfigError(
            what=f"the configuration {named} does not exist",
            where=str(file),
            next_step=f"correct the path after -c; {_names_there(file.parent)}",
        )
    if file.suffix not in _SUFFIXES:
        raise ConfigError(
            what=f"the configuration {named} is in a format that is not supported"
            + (" yet" if file.name in OTHER_NAMES else ""),
            where=str(file),
            next_step=f"write it as {CONFIG_NAME}, or in the main module as a `# /// wrangler` block",
        )
    return Found(file)


def _nearest(start: Path) -> Found:
    for folder in (start, *start.parents):
        if (folder / CONFIG_NAME).is_file():
            return _with_neighbours(folder / CONFIG_NAME)
        if others := _others_in(folder):
            raise ConfigError(
                what=f"{others[0]} is a configuration that is not supported yet",
                where=str(folder),
                next_step=f"write the same keys in a {CONFIG_NAME} beside it",
            )
    raise ConfigError(
        what=f"there is no {CONFIG_NAME} here or in a folder above", **_how_to_begin(start, start / CONFIG_NAME)
    )


def _with_neighbours(file: Path) -> Found:
    return Found(file, _others_in(file.parent))


def _others_in(folder: Path) -> tuple[str, ...]:
    return tuple(name for name in OTHER_NAMES if (folder / name).is_file())


def _how_to_begin(folder: Path, file: Path) -> dict[str, str]:
    modules = sorted(each.name for each in folder.glob("*.py") if not each.name.startswith(("test_", "_", "conftest")))
    main = modules[0] if len(modules) == 1 else "main.py"
    return {
        "where": str(folder),
        "next_step": f'write {file.name} with the lines `name = "my-worker"` and `main = "{main}"`, '
        "or name another file: perdure dev -c FILE",
    }


def _names_there(folder: Path) -> str:
    if not folder.is_dir():
        return f"the folder {folder} does not exist"
    names = sorted(each.name for each in folder.iterdir() if each.suffix in _SUFFIXES)
    return f"in {folder} there is: {', '.join(names) or f'no {CONFIG_NAME}'}"
