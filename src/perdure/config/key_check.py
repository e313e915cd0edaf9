"""Keys without effect: unknown ones, which are slips, and known ones that nothing here listens to.

Must stay true: such a key never stops anyone unless asked to (CFG-9), and is always said, else people wait for it to work.
See tests/config/test_keys.py.
"""

import difflib
from collections.abc import Iterable, Mapping
from typing import Any

from perdure.config.key import Key, ListOf, Shape, Status, Table
from perdure.config.key_path import KeyPath
from perdure.config.known_keys import KEYS
from perdure.config.problem import Findings

# Two letters exchanged in a word of three are 0.67; from here down, words are like each other by accident.
_LIKENESS_MIN = 0.65


def check_keys(data: Mapping[str, Any], findings: Findings) -> None:
    """Say of every key of the file that has no effect why it has none."""
    _check_table((), data, KEYS, findings)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that is most like `word`, if one is: `className`, `class-name` and `clas_name` are `class_name`."""
    plain = {each.replace("_", ""): each for each in sorted(known)}
    found = difflib.get_close_matches(word.replace("_", "").replace("-", "").lower(), plain, n=1, cutoff=_LIKENESS_MIN)
    return plain[found[0]] if found else None


def _check_table(path: KeyPath, table: Mapping[str, Any], known: Mapping[str, Key], findings: Findings) -> None:
    for name, value in table.items():
        key = known.get(name)
        if key is None:
            _report_unknown((*path, name), known, findings)
        elif key.status is Status.NOT_YET:
            findings.ineffective((*path, name), "is understood but not supported yet, so it has no effect")
        elif key.status is Status.WITHOUT_MEANING:
            what = "has no meaning here, so it has no effect"
            findings.ineffective((*path, name), what, "the line can be removed")
        else:
            _check_below((*path, name), value, key.shape, findings)


def _check_below(path: KeyPath, value: object, shape: Shape, findings: Findings) -> None:
    """Go on where there are keys; that a value is of another shape is reported by who reads it."""
    if isinstance(shape, Table) and isinstance(value, Mapping):
        _check_table(path, value, shape.keys, findings)
    elif isinstance(shape, ListOf) and isinstance(value, list):
        for position, each in enumerate(value):
            _check_below((*path, position), each, shape.items, findings)


def _report_unknown(path: KeyPath, known: Mapping[str, Key], findings: Findings) -> None:
    key = str(path[-1])
    near = nearest(key, known)
    if near is None and len(path) > 1 and key in KEYS:
        # TOML: whatever follows a [table] line belongs to that table.
        fix = f"it belongs to the whole file: move it to there, {findings.document.format.root_place}"
    elif near is None:
        fix = f"known here: {', '.join(sorted(known))}" if len(path) > 1 else "remove it, or correct its spelling"
    else:
        fix = f"did you mean `{near}`?"
    findings.ineffective(path, "is not a known key, so it has no effect", fix)
