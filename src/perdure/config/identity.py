"""Who a Worker is and where it begins: `name`, `main`, the old `[build.upload]`, `compatibility_*`.

Must stay true: paths are relative to the file that says them (CFG-7); what is missing is shown as the line to add. See
tests/config/test_identity.py.
"""

import difflib
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from perdure.config.key_path import KeyPath
from perdure.config.known_keys import DAY_PATTERN, NAME_CHARS_MAX, NAME_PATTERN, UPLOAD_FORMATS
from perdure.config.problem import Findings
from perdure.config.shape import echo, table_at, text_at, wrong_shape
from perdure.config.snippet import Line, Section

_NAME = re.compile(NAME_PATTERN)
_DAY = re.compile(DAY_PATTERN)
_DASHES = re.compile("[\u2010-\u2015\u2212]")
_UPLOAD_DIR_DEFAULT = "dist"
_UPLOAD_EXAMPLE = Section("build", {"upload": {"main": "main.py", "dir": "src"}})


def read_name(data: Mapping[str, Any], root: Path, findings: Findings) -> str | None:
    """The Worker's name, or None after a report."""
    if "name" not in data:
        _missing("name", slug(root.name), data, findings)
        return None
    name = text_at(("name",), data["name"], slug(root.name), findings)
    if name is None:
        return None
    fix = "write"
    if not _NAME.fullmatch(name):
        what = f"is {echo(name, findings)}: only lower-case letters, digits, - and _ may be in it, and no - in front"
        findings.error(("name",), what, fix, Line("name", slug(name)))
        return None
    if len(name) > NAME_CHARS_MAX:
        what = f"has {len(name)} characters, and {NAME_CHARS_MAX} are possible"
        findings.error(("name",), what, fix, Line("name", slug(name)))
        return None
    return name


def slug(text: str) -> str:
    """A name that is allowed and as near to `text` as can be."""
    plain = re.sub(r"[^a-z0-9_]+", "-", re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", text).lower())
    return plain.strip("-")[:NAME_CHARS_MAX].rstrip("-") or "my-worker"


def read_main(data: Mapping[str, Any], root: Path, findings: Findings) -> Path | None:
    """The main module's file, which exists; or None after a report."""
    uploaded = _read_upload(data, findings)
    path: KeyPath = ("main",)
    main: str | None
    if "main" in data:
        main = text_at(path, data["main"], "main.py", findings)
        if main is not None and uploaded is not None and (root / main).resolve() != (root / uploaded).resolve():
            findings.error(
                ("build", "upload", "main"),
                f'means "{uploaded}", but `main` is "{main}"',
                "keep the `main` that is right and remove the section `build.upload`",
            )
            return None
    elif uploaded is not None:
        path, main = ("build", "upload", "main"), uploaded
    elif findings.document.default_main is not None:
        return root / findings.document.default_main
    else:
        if not _upload_says_main(data):
            _missing("main", _likely_main(root), data, findings)
        return None
    return None if main is None else _existing(path, main, root, findings)


def check_compatibility(data: Mapping[str, Any], findings: Findings) -> None:
    """`compatibility_date` and `compatibility_flags`: nothing here depends on them, but what is there has to be right."""
    day = data.get("compatibility_date")
    if "compatibility_date" in data and not (isinstance(day, str) and _DAY.fullmatch(day)):
        plain = _DASHES.sub("-", str(day))
        is_day = _DAY.fullmatch(plain)
        what = f"is {echo(day, findings)}, but has to be a day in quotes, year first"
        if isinstance(day, str) and is_day:
            what = f"is {echo(day, findings)}, with dashes that only look like -"
        snippet = Line("compatibility_date", plain if is_day else "2026-11-01")
        findings.error(("compatibility_date",), what, "write", snippet)
    flags = data.get("compatibility_flags", [])
    if not (isinstance(flags, list) and all(isinstance(flag, str) for flag in flags)):
        better = Line("compatibility_flags", ["python_workers"])
        wrong_shape(("compatibility_flags",), flags, "a list of texts", better, findings)


def check_legacy_env(data: Mapping[str, Any], findings: Findings) -> None:
    """Environments inside one Worker are gone; whoever relied on them has to know (ENV-8)."""
    if data.get("legacy_env") is False:
        findings.error(
            ("legacy_env",),
            "is false, and what that meant does not exist any more",
            "remove the line: an environment is a Worker of its own, called <name>-<environment>",
        )


def wants_service_worker(data: Mapping[str, Any]) -> bool:
    """Is the upload's format the one of before modules? Such a Worker cannot have classes (RT-12)."""
    return _upload_section(data).get("format") == "service-worker"


def _upload_section(data: Mapping[str, Any]) -> Mapping[str, Any]:
    build = data.get("build")
    upload = build.get("upload") if isinstance(build, Mapping) else None
    return upload if isinstance(upload, Mapping) else {}


def _upload_says_main(data: Mapping[str, Any]) -> bool:
    return "main" in _upload_section(data)


def _read_upload(data: Mapping[str, Any], findings: Findings) -> str | None:
    """What `[build.upload]` says the main module is; it says once what to write instead (CFG-12, CFG-13)."""
    if "build" not in data or table_at(("build",), data["build"], _UPLOAD_EXAMPLE, findings) is None:
        return None
    build = data["build"]
    path: KeyPath = ("build", "upload")
    if "upload" not in build or table_at(path, build["upload"], _UPLOAD_EXAMPLE, findings) is None:
        return None
    upload = build["upload"]
    _check_upload_format(upload, findings)
    folder: str | None = _UPLOAD_DIR_DEFAULT
    if "dir" in upload:
        folder = text_at((*path, "dir"), upload["dir"], "src", findings)
    if "main" not in upload:
        return None
    main = text_at((*path, "main"), upload["main"], "main.py", findings)
    if main is None or folder is None:
        return None
    entry = (Path(folder) / main).as_posix()
    if "main" not in data:
        instead = f"{findings.document.format.root_place}, instead of the section, write"
        findings.warning(path, "is the old way to name the main module", instead, Line("main", entry))
    return entry


def _check_upload_format(upload: Mapping[str, Any], findings: Findings) -> None:
    chosen = upload.get("format", "modules")
    if chosen not in UPLOAD_FORMATS:
        findings.error(
            ("build", "upload", "format"),
            f'is {echo(chosen, findings)}, but "modules" is what works here',
            "remove the line",
        )


def _existing(path: KeyPath, main: str, root: Path, findings: Findings) -> Path | None:
    file = root / main
    if file.is_file() and file.suffix == ".py":
        return file
    if file.is_file():
        findings.error(
            path,
            f"is {echo(main, findings)}, but a main module is a Python file",
            "name one that ends in .py",
        )
    elif file.is_dir():
        findings.error(
            path,
            f"is {echo(main, findings)}, which is a folder",
            "name the file in it",
            _main_line(root, file),
        )
    else:
        findings.error(path, f"is {echo(main, findings)}, which does not exist", *_instead_of(main, root))
    return None


def _instead_of(main: str, root: Path) -> tuple[str, Line | None]:
    there = _modules_of(root)
    wanted = Path(main).name
    by_name = {Path(each).name: each for each in reversed(there)}
    near = difflib.get_close_matches(wanted, by_name, n=1)
    if near:
        return "write", Line("main", by_name[near[0]])
    return f"create it, or name another file relative to {root}", None


def _likely_main(root: Path) -> str:
    there = [each for each in _modules_of(root) if not Path(each).name.startswith(("test_", "conftest", "__"))]
    return there[0] if there else "main.py"


def _modules_of(root: Path) -> list[str]:
    """Python files of the project's own folder and of the usual ones below, the likeliest main module first."""
    files = [*root.glob("*.py"), *(root / "src").glob("*.py")]
    names = sorted(file.relative_to(root).as_posix() for file in files)
    return sorted(names, key=lambda name: Path(name).stem not in ("main", "index", "worker", "entry", "app"))


def _main_line(root: Path, folder: Path) -> Line:
    return Line("main", (folder.relative_to(root) / "main.py").as_posix())


def _missing(key: str, example: str, data: Mapping[str, Any], findings: Findings) -> None:
    for path in _strays(key, data):
        findings.error(
            path,
            f"{findings.document.format.stray(str(path[0]))}, so the Worker has no `{key}`",
            f"move it to where it belongs, {findings.document.format.root_place}",
        )
        return
    findings.error((), f"`{key}` is missing", f"write {findings.document.format.root_place}", Line(key, example))


def _strays(key: str, data: Mapping[str, Any]) -> list[KeyPath]:
    """Where the key stands in a table that has no use for it: a slip that TOML cannot see."""
    found: list[KeyPath] = []
    for section, value in data.items():
        if isinstance(value, Mapping) and isinstance(value.get(key), str):
            found.append((section, key))
        elif isinstance(value, list) and value and isinstance(value[-1], Mapping) and key in value[-1]:
            found.append((section, len(value) - 1, key))
    return found
