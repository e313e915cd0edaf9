"""The page of proofs names tests that are there: a promise whose test was renamed away is a promise without a proof."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "proofs.md").read_text()
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ")]


def test_every_test_that_a_promise_names_exists() -> None:
    named = re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", PAGE)

    missing = [
        f"{path}::{name}"
        for path, name in named
        if not (ROOT / path).exists()
        or not re.search(rf"^(async def|def|class) {name}\b", (ROOT / path).read_text(), re.MULTILINE)
    ]
    assert named
    assert not missing


def test_every_promise_names_a_test() -> None:
    promises = [row for row in ROWS if not re.match(r"\| (Promise|Fault|What goes wrong) \|", row)]

    assert promises
    assert not [row for row in promises if "::" not in row]
