"""From raw figures to the table: what the counting tools print, and what the README keeps."""

from pathlib import Path

import pytest

from bench import load, syncs, table
from bench.measure import Measurement
from bench.rows import ROWS

PERF = """# started on Tue Nov 24 10:44:01 2026

50;;syscalls:sys_enter_fsync;12345;100.00;;
3;;syscalls:sys_enter_fdatasync;12345;100.00;;
0;;syscalls:sys_enter_sync_file_range;12345;100.00;;
"""
STRACE = """% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 97.00    0.041000         820        50           fsync
  3.00    0.001000         333         3         1 fdatasync
------ ----------- ----------- --------- --------- ----------------
100.00    0.042000                    53         1 total
"""


def measured(row: str, side: str, run: int, per_second: float, syncs_per_1000: float | None) -> Measurement:
    result = load.Result(1, 1, 1.0, per_second, 1e6 / per_second, 2e6 / per_second, 3e6 / per_second, 0.1)
    return Measurement(row, side, run, result, 50.0, 0.0, syncs_per_1000)


def test_both_counting_tools_see_the_same_syncs() -> None:
    assert [int(n) for n in syncs.from_perf(PERF)] == [50, 3, 0]
    assert [int(n) for n in syncs.from_strace(STRACE)] == [50, 3]


def test_the_ratio_is_of_the_medians_and_its_range_of_the_pairs() -> None:
    ours = [measured("objects", "perdure", run, rate, 20) for run, rate in enumerate([10_000, 20_000, 30_000])]
    theirs = [measured("objects", "workerd", run, rate, 1_000) for run, rate in enumerate([1_000, 1_000, 2_000])]

    first = table.table([*ours, *theirs]).splitlines()[2]

    assert "| 20,000 /s | workerd 1,000 /s | **20.0x** (10.0 to 20.0) | 8x, 20x | 20.0 / 1,000 |" in first


def test_a_side_that_was_not_measured_has_no_ratio() -> None:
    assert "| - | workerd 1,000 /s | - |" in table.table([measured("hot", "workerd", 1, 1_000, None)])


def test_every_row_asks_a_kind_of_load_that_exists() -> None:
    assert {row.kind for row in ROWS} <= set(load.JUDGES)
    assert len({row.key for row in ROWS}) == len(ROWS)


def test_a_table_replaces_the_one_of_its_python_and_no_other(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("a\n<!-- figures 3.11 -->\nold\n<!-- end of figures 3.11 -->\nb\n<!-- figures 3.13 -->")

    table.write(readme, "3.11", "new")

    assert readme.read_text() == "a\n<!-- figures 3.11 -->\nnew\n<!-- end of figures 3.11 -->\nb\n<!-- figures 3.13 -->"
    with pytest.raises(ValueError, match="no markers"):
        table.write(readme, "3.12", "new")
