"""Secrets of this machine: `.dev.vars`, else `.env` and its like, or the files that were named (VARS-1 to VARS-7).

Must stay true: no message has a value in it; where the configuration says which secrets there are, no other name is taken; a
name stands for one thing only. See tests/config/test_secrets.py.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perdure.config.git_ignore import is_ignored, repository_of
from perdure.config.problem import Findings, Problem, Severity
from perdure.config.reading import syntax_error
from perdure.config.shape import table_at, wrong_shape
from perdure.config.snippet import Line, Section
from perdure.config.syntax_problem import SyntaxProblem
from perdure.config.text_file import read_text, why_no_file
from perdure.model.errors import ConfigError
from perdure.model.secret import Secret

if TYPE_CHECKING:
    from perdure.config.dotenv_text import DotenvText

_EXAMPLE = Section("secrets", {"required": ["API_KEY"]})
_Expand = Callable[[Mapping[str, str], Mapping[str, str]], tuple[dict[str, str], list[str]]]
# The names are those of the tool whose files these are, so that one setting serves both.
_DOTENV_SWITCH = "CLOUDFLARE_LOAD_DEV_VARS_FROM_DOT_ENV"
_PROCESS_SWITCH = "CLOUDFLARE_INCLUDE_PROCESS_ENV"


@dataclass(slots=True)
class Secrets:
    """The secrets, and where they are from."""

    values: dict[str, Secret] = field(default_factory=dict)
    notices: list[str] = field(default_factory=list)
    sources: list[Path] = field(default_factory=list)
    """Files that were read or looked for."""


@dataclass(frozen=True, slots=True)
class SecretPlace:
    """Where secrets may come from."""

    root: Path
    start: Path
    """What paths are shown relative to."""
    environment: str | None
    env_files: Sequence[Path]
    process: Mapping[str, str]
    """The variables of this process."""


@dataclass(slots=True)
class _Read:
    """What files said, merged."""

    values: dict[str, str] = field(default_factory=dict)
    places: dict[str, tuple[str, int]] = field(default_factory=dict)
    """The file and the line of each name."""


def read_required(data: Mapping[str, Any], findings: Findings) -> tuple[str, ...] | None:
    """The names that `secrets.required` lists; None if there is no `secrets`. What is wrong is reported."""
    if "secrets" not in data:
        return None
    section = table_at(("secrets",), data["secrets"], _EXAMPLE, findings)
    if section is None or "required" not in section:
        return ()
    names = section["required"]
    if not isinstance(names, list):
        better = Line("required", [names] if isinstance(names, str) and names else ["API_KEY"])
        wrong_shape(("secrets", "required"), names, "a list of names", better, findings)
        return ()
    for position, name in enumerate(names):
        if not isinstance(name, str) or not name:
            wrong_shape(("secrets", "required", position), name, "a name", None, findings)
    return tuple(name for name in names if isinstance(name, str) and name)


def read_secrets(
    place: SecretPlace, required: Sequence[str] | None, names: Mapping[str, str], findings: Findings
) -> Secrets:
    """The secrets that the Worker gets. names: what else `env` has, with its kind: "variable", "object binding"."""
    secrets = Secrets()
    files, is_expanded = _files_of(place, secrets)
    _warn_of_no_files(secrets.sources, place, findings)
    read = _Read()
    for file in files:
        _read_file(file, place, read, findings)
    joined = _process_values(place, required, names) if is_expanded and not place.env_files else {}
    if is_expanded and files:
        read.values, unknown = _expand(read.values, joined)
        _warn_of_unknown(files, place, unknown, findings)
    _refuse_clashes(read, names, findings)
    for name, value in {**read.values, **joined}.items():
        if required is None or name in required or name in names:
            secrets.values[name] = Secret(value)
    if files:
        shown = ", ".join(_shown(file, place.start) for file in files)
        secrets.notices.append(f"Using secrets defined in {shown}")
    if any(name not in read.values for name in joined):
        secrets.notices.append("Using secrets defined in the environment of this process")
    _warn_of_missing(required or (), secrets, files, findings)
    return secrets


def _files_of(place: SecretPlace, secrets: Secrets) -> tuple[list[Path], bool]:
    """The files to read, in the order in which later ones win; and whether `${OTHER}` means something in them."""
    if place.env_files:
        files = [place.start / file for file in place.env_files]
        secrets.sources += files
        for file in files:
            if (why := why_no_file(file)) is not None:
                what = f"--env-file {_shown(file, place.start)}: this {why}"
                raise ConfigError(what=what, where=str(file), next_step="name a file of NAME=value lines")
            if not file.is_file():
                what = f"the file {_shown(file, place.start)} does not exist"
                raise ConfigError(what=what, where=str(file), next_step="correct the path after --env-file")
        return files, True
    suffix = f".{place.environment}" if place.environment else ""
    candidates = [place.root / name for name in dict.fromkeys([f".dev.vars{suffix}", ".dev.vars"])]
    secrets.sources += candidates
    there = [file for file in candidates if file.is_file()]
    if there:
        return there[:1], False
    if place.process.get(_DOTENV_SWITCH, "").lower() == "false":
        return [], False
    names = [".env", ".env.local", f".env{suffix}", f".env{suffix}.local"]
    candidates = [place.root / name for name in dict.fromkeys(names)]
    secrets.sources += candidates
    return [file for file in candidates if file.is_file()], True


def _read_file(file: Path, place: SecretPlace, read: _Read, findings: Findings) -> None:
    shown = _shown(file, place.start)
    try:
        found = _parse(read_text(file))
    except SyntaxProblem as problem:
        findings.elsewhere(syntax_error(shown, problem))
        return
    for line in found.odd_lines:
        what, fix = "this is not NAME=value, so it is not read", "correct it, or begin it with # if it is a comment"
        findings.elsewhere(Problem(Severity.WARNING, shown, line, "", what, fix))
    read.values |= found.values
    read.places |= {name: (shown, line) for name, line in found.lines.items()}
    repository = repository_of(file)
    if repository is not None and not is_ignored(file, repository):
        what = "git does not ignore it, so its secrets can get into the repository"
        fix = f"add to {_shown(repository / '.gitignore', place.start)}"
        findings.elsewhere(Problem(Severity.WARNING, shown, None, "", what, fix, (file.name,)))


def _process_values(place: SecretPlace, required: Sequence[str] | None, names: Mapping[str, str]) -> dict[str, str]:
    """What joins from the process: all if that is asked for, else the required secrets alone.

    Not the names of `vars`, though files may override those: a variable called USER is not meant to be the shell's.
    """
    if place.process.get(_PROCESS_SWITCH, "").lower() == "true":
        return {name: value for name, value in place.process.items() if names.get(name, "variable") == "variable"}
    return {name: place.process[name] for name in required or () if name in place.process}


def _refuse_clashes(read: _Read, names: Mapping[str, str], findings: Findings) -> None:
    for name in read.values:
        if names.get(name, "variable") != "variable":
            shown, line = read.places[name]
            what = f'is a secret called "{name}", and so is an {names[name]} of the configuration'
            fix = "give one of them another name: each is one attribute of env"
            findings.elsewhere(Problem(Severity.ERROR, shown, line, name, what, fix))


def _warn_of_no_files(looked_for: Sequence[Path], place: SecretPlace, findings: Findings) -> None:
    for file in looked_for:
        if file.name == ".env" and file.is_dir():  # where some keep a virtual environment
            continue
        if (why := why_no_file(file)) is not None:
            what, fix = f"this {why}, so no secrets are read from it", "write a file of NAME=value lines"
            findings.elsewhere(Problem(Severity.WARNING, _shown(file, place.start), None, "", what, fix))


def _warn_of_unknown(files: Sequence[Path], place: SecretPlace, unknown: Sequence[str], findings: Findings) -> None:
    for name in unknown:
        shown = ", ".join(_shown(file, place.start) for file in files)
        what, fix = (
            f"nothing is called {name}, so ${{{name}}} is empty",
            f"define {name} there, or give ${{{name}:-a default}}",
        )
        findings.elsewhere(Problem(Severity.WARNING, shown, None, "", what, fix))


def _warn_of_missing(required: Sequence[str], secrets: Secrets, files: Sequence[Path], findings: Findings) -> None:
    file = files[-1].name if files else ".dev.vars"
    for position, name in enumerate(required):
        if name not in secrets.values:
            what = f"needs {name}, which is nowhere, so env.{name} is not bound"
            findings.warning(("secrets", "required", position), what, f"add to {file} the line {name}=...")


def _shown(file: Path, start: Path) -> str:
    return str(file.relative_to(start)) if file.is_relative_to(start) else str(file)


# Both from a module that is imported when there is such a file: most projects begin without one, and its parser takes
# longer to import than most configurations to read.


def _parse(text: str) -> "DotenvText":
    parse: Callable[[str], DotenvText] = importlib.import_module("perdure.config.dotenv_text").parse_dotenv
    return parse(text)


def _expand(values: Mapping[str, str], around: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    expand: _Expand = importlib.import_module("perdure.config.dotenv_text").expand
    return expand(values, around)
