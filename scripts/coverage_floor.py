"""Every folder of Perdure stays at or above its floor of covered lines and branches, or the test run fails.

A pytest plugin, so that the verdict falls inside the run whose closing line people read:
`pytest -p scripts.coverage_floor --cov=perdure --cov-branch --cov-report=json:.coverage.json`.
The judgement itself is `shortfalls`, held by tests/house/test_coverage_floor.py.
"""

import json
from collections import defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

REPORT = Path(".coverage.json")
SOURCE = "src/perdure/"
# What data depends on: a line here that no test ran is a promise that nobody checked.
STRICT_FOLDERS = frozenset({"model", "core", "store", "objects"})
STRICT_PERCENT_MIN = 95.0
OTHER_PERCENT_MIN = 85.0


def shortfalls(report: Mapping[str, Any]) -> list[str]:
    """One sentence per folder below its floor, worst first. `report` is coverage's JSON, measured with branches."""
    measured: defaultdict[str, int] = defaultdict(int)
    covered: defaultdict[str, int] = defaultdict(int)
    for name, file in report["files"].items():
        folder = name.replace("\\", "/").removeprefix(SOURCE).split("/")[0]
        numbers = file["summary"]
        measured[folder] += numbers["num_statements"] + numbers["num_branches"]
        covered[folder] += numbers["covered_lines"] + numbers["covered_branches"]
    short = []
    for folder, total in measured.items():
        percent = 100.0 * covered[folder] / total if total else 100.0
        floor = STRICT_PERCENT_MIN if folder in STRICT_FOLDERS else OTHER_PERCENT_MIN
        if percent < floor:
            short.append((percent, f"{folder}: {percent:.1f} % of lines and branches are covered, floor {floor:.0f} %"))
    return [sentence for _, sentence in sorted(short)]


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fails a run that passed but covers too little; leaves a run that failed for another reason alone."""
    if hasattr(session.config, "workerinput") or session.exitstatus != pytest.ExitCode.OK:
        return
    if not REPORT.exists():
        raise pytest.UsageError(f"{REPORT} is missing: run with --cov-branch --cov-report=json:{REPORT}")
    short = shortfalls(json.loads(REPORT.read_text()))
    if short:
        session.config.stash[_SHORT] = short
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    short = config.stash.get(_SHORT, [])
    if short:
        terminalreporter.section("coverage below its floor", red=True)
        for sentence in short:
            terminalreporter.write_line(sentence)


_SHORT = pytest.StashKey[list[str]]()
