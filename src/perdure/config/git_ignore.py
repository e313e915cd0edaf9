"""Would git leave this file out? By the .gitignore files alone, so that no git is needed to know.

Must stay true: the last pattern that matches decides, and nothing comes back from below a folder that is left out, as in git
(gitignore(5)). A user's own global file does not count: it does not protect whoever clones the repository. See
tests/config/test_git_ignore.py.
"""

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class _Rule:
    folder: Path
    pattern: re.Pattern[str]
    is_for_folders: bool
    is_exception: bool


def repository_of(file: Path) -> Path | None:
    """The folder of the repository that the file is in, if it is in one."""
    return next((folder for folder in file.parents if (folder / ".git").exists()), None)


def is_ignored(file: Path, repository: Path) -> bool:
    """Is the file, or a folder around it, left out of the repository?"""
    rules = _rules_of(repository / ".git" / "info" / "exclude", repository)
    way = [*reversed(file.relative_to(repository).parents)][1:]
    rules += _rules_of(repository / ".gitignore", repository)
    for step in way:
        if _is_left_out(repository / step, is_folder=True, rules=rules):
            return True
        rules += _rules_of(repository / step / ".gitignore", repository / step)
    return _is_left_out(file, is_folder=False, rules=rules)


def _is_left_out(path: Path, *, is_folder: bool, rules: list[_Rule]) -> bool:
    for rule in reversed(rules):
        if rule.is_for_folders and not is_folder:
            continue
        if rule.pattern.fullmatch(path.relative_to(rule.folder).as_posix()):
            return not rule.is_exception
    return False


def _rules_of(file: Path, folder: Path) -> list[_Rule]:
    try:
        text = file.read_text(encoding="utf-8", errors="surrogateescape")
    except OSError:
        return []  # there is none, or git could not read it either
    return [rule for line in text.splitlines() if (rule := _rule(line, folder)) is not None]


def _rule(line: str, folder: Path) -> _Rule | None:
    line = re.sub(r"(?<!\\)[ \t]+$", "", line)
    is_exception = line.startswith("!")
    line = line.removeprefix("!")
    if not line or (line.startswith("#") and not is_exception):
        return None
    is_for_folders = line.endswith("/")
    line = line.rstrip("/")
    is_anchored = "/" in line
    try:
        pattern = re.compile(("" if is_anchored else "(?:.*/)?") + _regex(line.removeprefix("/")), re.DOTALL)
    except re.error:
        return None
    return _Rule(folder, pattern, is_for_folders, is_exception)


def _regex(pattern: str) -> str:
    text = ""
    at = 0
    while at < len(pattern):
        rest = pattern[at:]
        if rest.startswith("**/") and (at == 0 or pattern[at - 1] == "/"):
            text, at = text + "(?:.*/)?", at + 3
        elif rest == "**" and pattern[at - 1 : at] == "/":
            text, at = text + ".+", at + 2
        elif rest[0] == "*":
            text, at = text + "[^/]*", at + 1
        elif rest[0] == "?":
            text, at = text + "[^/]", at + 1
        elif rest[0] == "\\" and len(rest) > 1:
            text, at = text + re.escape(rest[1]), at + 2
        elif rest[0] == "[" and (found := re.match(r"\[([!^]?)(\]?[^\]]*)\]", rest)):
            inside = found[2].replace("\\", "\\\\").replace("[", "\\[")
            inside = f"\\{inside}" if inside.startswith("]") else inside
            text, at = text + f"(?!/)[{'^' if found[1] else ''}{inside}]", at + found.end()
        else:
            text, at = text + re.escape(rest[0]), at + 1
    return text
