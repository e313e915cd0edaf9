"""The benchmark: Perdure and workerd (for hello: uvicorn) in one run, interleaved, in both orders, medians and ratios.

    bench/run                        the record: 60 s a measurement, three runs, all rows (about an hour and a half)
    bench/run --seconds 5            a quick look
    bench/run --rows objects,one     some rows; `list` names them
    bench/run --write                also puts the table into bench/README.md

Run it with an interpreter that has Perdure installed (`make bench` does), or name one with --python. Exits with 1 and
no table if any answer was wrong: a figure exists only if everything was right.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

from bench import alone, load, machine, measure, storm, table
from bench.rows import ROWS
from bench.sides import BENCH, Installation, SideFailed, environment

ALONE = ("cold-start", "live-objects", "one-after-another", "alarms")
RUNS = 3


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=60.0, help="measured time of each run of each row")
    parser.add_argument("--runs", type=int, default=RUNS, help="runs of each row, every other one in the other order")
    parser.add_argument("--rows", default="all", help="names, separated by commas; 'all'; 'list'")
    parser.add_argument("--sides", default="both", choices=["both", "perdure", "other"])
    parser.add_argument(
        "--python", type=Path, default=Path(sys.executable), help="an interpreter with Perdure installed"
    )
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"), help="a folder on a disk, for all data")
    parser.add_argument("--live", type=int, default=100_000, help="objects of the row live-objects")
    parser.add_argument("--opened", type=int, default=1_000_000, help="objects of the row one-after-another")
    parser.add_argument("--alarms", type=int, default=1_000_000, help="alarms in the store of the row alarms")
    parser.add_argument("--json", type=Path, help="where to put every single figure")
    parser.add_argument("--write", action="store_true", help="put the table into bench/README.md")
    return parser.parse_args()


def chosen_rows(names: str) -> list[str]:
    known = [row.key for row in ROWS] + list(ALONE)
    chosen = known if names == "all" else names.split(",")
    if unknown := set(chosen) - set(known):
        raise SystemExit(f"no such row: {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return chosen


def compare(installation: Installation, options: argparse.Namespace, chosen: list[str]) -> list[measure.Measurement]:
    found = []
    for run in range(1, options.runs + 1):
        for row in ROWS:
            if row.key not in chosen:
                continue
            sides = {"both": ["perdure", row.other], "perdure": ["perdure"], "other": [row.other]}[options.sides]
            for side in sides if run % 2 else reversed(sides):
                one = measure.measure(installation, row, side, run=run, seconds=options.seconds, root=options.folder)
                found.append(one)
                figures = f"{one.result.per_second:10,.0f}/s  median {one.result.median_us:9,.0f} µs"
                figures += f"  p99 {one.result.p99_us:9,.0f} µs  worst {one.result.worst_us:9,.0f} µs"
                used = f"  cpu: server {one.server_cpu_us:6,.0f} µs each, load {one.result.cpu_share:.0%}"
                used += f", others {one.others_share:.0%}"
                synced = "" if one.syncs_per_1000 is None else f"  syncs/1000 {one.syncs_per_1000:,.1f}"
                print(f"run {run}  {row.key:9} {side:8} {figures}{used}{synced}", flush=True)
    return found


def measure_alone(installation: Installation, options: argparse.Namespace, chosen: list[str]) -> list[alone.Fact]:
    facts: list[alone.Fact] = []
    root = options.folder
    if "cold-start" in chosen:
        facts += alone.cold_start(installation, root, runs=options.runs)
    if "live-objects" in chosen:
        facts += alone.live_objects(installation, root, objects=options.live)
    if "one-after-another" in chosen:
        facts += alone.one_after_another(installation, root, objects=options.opened)
    if "alarms" in chosen:
        facts += storm.alarms(installation, root, count=options.alarms)
    return facts


def main() -> int:
    options = arguments()
    if options.rows == "list":
        print("\n".join([row.key for row in ROWS] + list(ALONE)))
        return 0
    chosen = chosen_rows(options.rows)
    # Not resolved: the interpreter of an environment is a link, and what it links to has no Perdure.
    installation = Installation(options.python.absolute())
    subprocess.run([BENCH / "setup"], check=True, env=environment(installation.python))
    conditions = machine.conditions(installation, options.folder)
    conditions["runs"] = f"{options.runs} of {options.seconds:g} s each, every other one in the other order; medians"
    for what, value in conditions.items():
        print(f"{what}: {value}")
    try:
        measurements = compare(installation, options, chosen)
        facts = measure_alone(installation, options, chosen) if options.sides == "both" else []
    except (load.Void, SideFailed) as problem:
        print(f"bench: void: {problem}", file=sys.stderr)
        return 1
    if measurements:
        disturbed = max(one.others_share for one in measurements)
        conditions["others"] = f"other programs used up to {disturbed:.0%} of the machine during a measurement"
    parts = [", ".join(f"{what}: {value}" for what, value in conditions.items())]
    parts += [table.table(measurements)] if measurements else []
    parts += [table.facts_table(facts)] if facts else []
    text = "\n\n".join(parts)
    print(f"\n{text}")
    if options.json:
        whole = {"conditions": conditions, "measurements": [asdict(one) for one in measurements], "facts": facts}
        options.json.write_text(json.dumps(whole, indent=1))
    if options.write:
        table.write(BENCH / "README.md", installation.series, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
