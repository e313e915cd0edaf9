"""From a place on the disk to a Project: find the file, read it, check it whole.

Must stay true: either there is a Project in which everything is right, or a ConfigError in which everything is that is
wrong. See tests/config/test_load.py.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

from perdure.config.bindings import check_names, read_bindings
from perdure.config.dev_settings import read_dev
from perdure.config.document import Document
from perdure.config.find import Found, find_config
from perdure.config.identity import check_compatibility, check_legacy_env, read_main, read_name, wants_service_worker
from perdure.config.key_check import check_keys
from perdure.config.migration_list import read_classes, read_migrations
from perdure.config.problem import Findings, Problem, Severity
from perdure.config.project import Project
from perdure.config.reading import read_document
from perdure.config.secret_files import SecretPlace, read_required, read_secrets
from perdure.config.storage_settings import read_retention
from perdure.config.variables import read_vars
from perdure.model.errors import ConfigError

_NONE_GIVEN: Mapping[str, str] = MappingProxyType({})


def load_project(
    path: Path | None = None,
    *,
    start: Path | None = None,
    environment: str | None = None,
    env_files: Sequence[Path] = (),
    variables: Mapping[str, str] = _NONE_GIVEN,
    strict: bool = False,
) -> Project:
    """The project that a configuration describes.

    path: the file, or the folder it is in; None: the nearest one from `start` upward, by the names of `find.NAMES`. A
    Python file is read for its `# /// wrangler` block. start: where to look, and what a relative `path` is relative to;
    None: the current folder. environment: which `.dev.vars.<environment>` or `.env.<environment>` is read. env_files: read
    these for secrets and no others. variables: override what the configuration and the files say. strict: a key without
    effect is an error. Raises ConfigError with all that is wrong in `problems`; what is merely doubtful is in
    `Project.warnings`.
    """
    start = (start or Path.cwd()).resolve()
    found = find_config(path, start)
    document = read_document(found.file, shown=_shown(found.file, start))
    findings = Findings(document, strict)
    _mention_ignored(found, findings)
    place = SecretPlace(document.file.parent, start, environment, env_files, os.environ)
    project = _check(document, place, variables, findings)
    errors = findings.of(Severity.ERROR)
    if project is None or errors:
        raise _refusal(document, errors, findings.of(Severity.WARNING))
    return replace(project, sources=tuple(dict.fromkeys([found.file, *found.looked_for, *project.sources])))


def _check(document: Document, place: SecretPlace, given: Mapping[str, str], findings: Findings) -> Project | None:
    """Look at everything, whatever is wrong elsewhere; None if there is no project in it."""
    data, root = document.data, document.file.parent
    check_keys(data, findings)
    check_legacy_env(data, findings)
    check_compatibility(data, findings)
    name = read_name(data, root, findings)
    main = read_main(data, root, findings)
    variables = read_vars(data, findings)
    required = read_required(data, findings)
    bound = read_bindings(data, name, findings)
    check_names(data, variables, required or (), bound, findings)
    migrations = read_migrations(data, findings)
    classes = read_classes(data, migrations, bound, findings)
    dev = read_dev(data, findings)
    retention = read_retention(data, findings)
    kinds = {**dict.fromkeys(variables, "variable"), **{each.binding.name: "object binding" for each in bound}}
    secrets = read_secrets(place, required, kinds, findings)
    _check_given(given, kinds, findings)
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
        secrets=MappingProxyType(secrets.values),
        required_secrets=required or (),
        overrides=MappingProxyType(dict(given)),
        objects=tuple(each.binding for each in bound),
        classes=MappingProxyType(classes),
        migrations=migrations,
        dev=dev,
        retention=retention,
        warnings=tuple(str(problem) for problem in findings.of(Severity.WARNING)),
        notices=tuple(secrets.notices),
        sources=tuple(secrets.sources),
    )


def _check_given(given: Mapping[str, str], kinds: Mapping[str, str], findings: Findings) -> None:
    for name in given:
        if kinds.get(name, "variable") != "variable":
            what = f"gives {name} a value, which is an {kinds[name]} of the configuration"
            fix = "give the variable another name: each is one attribute of env"
            findings.elsewhere(Problem(Severity.ERROR, "--var", None, "", what, fix))


def _refusal(document: Document, errors: list[Problem], warnings: list[Problem]) -> ConfigError:
    count = "a problem" if len(errors) == 1 else f"{len(errors)} problems"
    # The warnings too: a key that nobody knows is often why another is missing.
    problems = [*map(str, errors), *(f"(warning) {problem}" for problem in warnings)]
    return ConfigError(what=f"{document.file.name} has {count}", where=str(document.file), problems=problems)


def _shown(file: Path, start: Path) -> str:
    return str(file.relative_to(start)) if file.is_relative_to(start) else str(file)


def _mention_ignored(found: Found, findings: Findings) -> None:
    for name in found.ignored:
        findings.warning((), f"this is the configuration, and {name} beside it is not read", "keep one of the two")
