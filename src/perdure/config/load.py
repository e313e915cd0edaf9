"""From a place on the disk to a Project: find the file, read it, check it whole.

Must stay true: either there is a Project in which everything is right, or a ConfigError in which everything is that is
wrong. See tests/config/test_load.py.
"""

import codecs
from pathlib import Path
from types import MappingProxyType

from perdure.config.bindings import check_names, read_bindings
from perdure.config.dev_settings import read_dev
from perdure.config.document import Document, SyntaxProblem
from perdure.config.find import Found, find_config
from perdure.config.identity import check_compatibility, read_main, read_name, slug, wants_service_worker
from perdure.config.inline_block import LINE_PREFIX, parse_inline_block
from perdure.config.known_keys import check_top_level
from perdure.config.migration_list import read_classes, read_migrations
from perdure.config.problem import INDENT, Findings, Problem, Severity
from perdure.config.project import Project
from perdure.config.toml_text import parse_toml
from perdure.config.variables import read_vars
from perdure.model.errors import ConfigError

# A configuration is written by hand. Far beyond any that was, and small enough to be read in a moment.
FILE_BYTES_MAX = 1 << 20


def load_project(path: Path | None = None, *, start: Path | None = None) -> Project:
    """The project that a configuration describes.

    path: the file, or the folder it is in; None: the nearest `wrangler.toml` from `start` upward. A Python file is read
    for its `# /// wrangler` block. start: where to look, and what a relative `path` is relative to; None: the current
    folder. Raises ConfigError with all that is wrong in `problems`; what is merely doubtful is in `Project.warnings`.
    """
    start = (start or Path.cwd()).resolve()
    found = find_config(path, start)
    document = _read(found.file, shown=_shown(found.file, start))
    findings = Findings(document)
    _mention_ignored(found, findings)
    project = _check(document, findings)
    errors = findings.of(Severity.ERROR)
    if project is None or errors:
        raise _refusal(document, errors, findings.of(Severity.WARNING))
    return project


def _check(document: Document, findings: Findings) -> Project | None:
    """Look at everything, whatever is wrong elsewhere; None if there is no project in it."""
    data, root = document.data, document.file.parent
    check_top_level(data, findings)
    check_compatibility(data, findings)
    name = read_name(data, root, findings)
    main = read_main(data, root, findings)
    variables = read_vars(data, findings)
    bound = read_bindings(data, name, findings)
    check_names(data, variables, bound, findings)
    migrations = read_migrations(data, findings)
    classes = read_classes(data, migrations, bound, findings)
    dev = read_dev(data, findings)
    if wants_service_worker(data) and classes:
        findings.error(
            ("build", "upload", "format"),
            f'is "service-worker", and such a Worker cannot have object classes ({", ".join(classes)})',
            "remove the line",
        )
    if name is None or main is None:
        return None
    return Project(
        name=name,
        main=main,
        root=root,
        config_file=document.file,
        vars=MappingProxyType(variables),
        objects=tuple(each.binding for each in bound),
        classes=MappingProxyType(classes),
        migrations=migrations,
        dev=dev,
        warnings=tuple(str(problem) for problem in findings.of(Severity.WARNING)),
    )


def _refusal(document: Document, errors: list[Problem], warnings: list[Problem]) -> ConfigError:
    count = "a problem" if len(errors) == 1 else f"{len(errors)} problems"
    # The warnings too: a key that nobody knows is often why another is missing.
    problems = [*map(str, errors), *(f"(warning) {problem}" for problem in warnings)]
    return ConfigError(what=f"{document.file.name} has {count}", where=str(document.file), problems=problems)


# Reading


def _read(file: Path, *, shown: str) -> Document:
    try:
        text = _text(file)
        if file.suffix == ".py":
            data, lines = parse_inline_block(text, name=slug(file.stem))
            return Document(file, shown, data, lines, line_prefix=LINE_PREFIX, default_main=file.name)
        data, lines = parse_toml(text)
        return Document(file, shown, data, lines)
    except SyntaxProblem as problem:
        raise _unreadable(file, shown, problem) from problem.__cause__


def _text(file: Path) -> str:
    try:
        if file.stat().st_size > FILE_BYTES_MAX:
            raise SyntaxProblem(f"this is larger than {FILE_BYTES_MAX >> 20} MiB, so it is no configuration")
        raw = file.read_bytes()
    except OSError as error:
        raise SyntaxProblem(f"it cannot be read: {error.strerror}", fix="correct the file's permissions") from error
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise SyntaxProblem("this is UTF-16", fix="save it as UTF-8")
    try:
        text = raw.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise SyntaxProblem("this is not UTF-8", line=line, fix="save it as UTF-8") from error
    return text.replace("\r\n", "\n")


def _unreadable(file: Path, shown: str, problem: SyntaxProblem) -> ConfigError:
    snippet = tuple(problem.snippet.splitlines())
    what = "\n".join([problem.what, *(f"{INDENT}{line}" for line in problem.text.splitlines())])
    said = Problem(Severity.ERROR, shown, problem.line, "", what, problem.fix, snippet)
    return ConfigError(what=f"{file.name} cannot be read", where=str(file), problems=[str(said)])


def _shown(file: Path, start: Path) -> str:
    return str(file.relative_to(start)) if file.is_relative_to(start) else str(file)


def _mention_ignored(found: Found, findings: Findings) -> None:
    for name in found.ignored:
        findings.warning((), f"{name} beside it is not read", "keep one of the two")
