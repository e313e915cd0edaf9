"""The table: medians of the runs, the ratio of the medians, and the range of the ratios of each run's pair."""

from __future__ import annotations

import statistics
from pathlib import Path

from bench.measure import Measurement
from bench.rows import ROWS, Line, Row


def number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:,.2f}" if abs(value) < 10 else f"{value:,.1f}"


def syncs_of(found: list[Measurement]) -> str:
    counted = [one.syncs_per_1000 for one in found if one.syncs_per_1000 is not None]
    return number(statistics.median(counted)) if counted else "-"


def ratio_of(ours: list[Measurement], theirs: list[Measurement], line: Line) -> str:
    if not (ours and theirs):
        return "-"
    ours_each, theirs_each = [line.figure(one.result) for one in ours], [line.figure(one.result) for one in theirs]
    pairs = [mine / other for mine, other in zip(ours_each, theirs_each, strict=True)]
    ratio = statistics.median(ours_each) / statistics.median(theirs_each)
    return f"**{number(ratio)}x** ({number(min(pairs))} to {number(max(pairs))})"


def table_row(row: Row, line: Line, found: list[Measurement]) -> str:
    ours = [one for one in found if one.side == "perdure"]
    theirs = [one for one in found if one.side == row.other]
    figures = [
        f"{number(statistics.median(line.figure(one.result) for one in side))} {line.unit}" if side else "-"
        for side in (ours, theirs)
    ]
    targets = f"{line.least}x, {line.aim}x" if line.least else ""
    synced = f"{syncs_of(ours)} / {syncs_of(theirs)}" if row.writes and line is row.lines[0] else ""
    cells = [line.title, figures[0], f"{row.other} {figures[1]}", ratio_of(ours, theirs, line), targets, synced]
    return f"| {' | '.join(cells)} |"


def table(measurements: list[Measurement]) -> str:
    lines = [
        "| measure | Perdure | against | ratio (range over runs) | at least, aim | syncs per 1,000 requests |",
        "|---|---|---|---|---|---|",
    ]
    for row in ROWS:
        found = [one for one in measurements if one.row == row.key]
        if found:
            lines += [table_row(row, line, found) for line in row.lines]
    return "\n".join(lines)


def facts_table(facts: list[tuple[str, str, str]]) -> str:
    """Figures without another side: (what, figure, target)."""
    return "\n".join(["| measure | figure | target |", "|---|---|---|", *(f"| {a} | {b} | {c} |" for a, b, c in facts)])


def write(readme: Path, series: str, text: str) -> None:
    """Replaces what stands between the markers of this Python series."""
    start, end = f"<!-- figures {series} -->", f"<!-- end of figures {series} -->"
    before, found_start, rest = readme.read_text().partition(start)
    _, found_end, after = rest.partition(end)
    if not (found_start and found_end):
        raise ValueError(f"{readme} has no markers {start} and {end}")
    readme.write_text(f"{before}{start}\n{text}\n{end}{after}")
