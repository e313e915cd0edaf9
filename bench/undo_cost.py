"""What it costs that objects can go back: increments and SQL upserts over 1,000 objects, with and without undo.

    python -m bench.undo_cost --seconds 10 --runs 5

Both are `perdure dev`, in turn, every other run in the other order; medians of requests a second and of the server's processor
time for each. At most 15 % of throughput may go to it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

from bench.measure import Measurement, measure
from bench.rows import ROWS
from bench.sides import BENCH, Installation


@dataclass(frozen=True, slots=True)
class WithoutUndo(Installation):
    def command(self, side: str, *, port: int, folder: Path, variant: str = "") -> list[str]:
        _, *rest = Installation.command(self, side, port=port, folder=folder, variant=variant)
        return [str(self.python), str(BENCH / "without_undo.py"), *rest]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--rows", default="objects,sql-objects")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"))
    options = parser.parse_args()
    python = Path(sys.executable).absolute()
    sides = {"with": Installation(python), "without": WithoutUndo(python)}
    print(f"load before: {os.getloadavg()[0]:.2f}")
    for row in (row for row in ROWS if row.key in options.rows.split(",")):
        found: dict[str, list[Measurement]] = {side: [] for side in sides}
        for run in range(1, options.runs + 1):
            for side in sides if run % 2 else reversed(sides):
                one = measure(sides[side], row, "perdure", run=run, seconds=options.seconds, root=options.folder)
                found[side].append(one)
                print(
                    f"run {run}  {row.key:11} {side:7} {one.result.per_second:8,.0f}/s"
                    f"  {one.server_cpu_us:5.1f} µs each, others {one.others_share:.0%}",
                    flush=True,
                )
        rates, cpu = (
            [statistics.median(of(one) for one in found[side]) for side in sides]
            for of in (lambda one: one.result.per_second, lambda one: one.server_cpu_us)
        )
        print(
            f"{row.key}: {rates[0]:,.0f}/s with undo, {rates[1]:,.0f}/s without: {rates[0] / rates[1]:.2f};"
            f" processor time {cpu[0]:.1f} against {cpu[1]:.1f} µs each: {cpu[0] / cpu[1]:.2f}"
        )


if __name__ == "__main__":
    main()
