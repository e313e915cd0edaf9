"""Lines that run in a process of their own count as covered too, for code that runs nowhere else: reload and its keys."""

import sys
from collections.abc import Mapping
from pathlib import Path

ROOT = Path(__file__).parents[1]


def counting() -> Mapping[str, str]:
    """What to add to the environment of a process; nothing if this run of the tests counts no lines."""
    coverage = sys.modules.get("coverage")
    if coverage is None or coverage.Coverage.current() is None:
        return {}
    return {"COVERAGE_PROCESS_START": str(ROOT / "pyproject.toml"), "COVERAGE_FILE": str(ROOT / ".coverage")}
