"""Where the time of one row goes: Perdure under py-spy while the row's load runs.

    bench/profile objects                          a flame graph (SVG) in a temporary folder
    bench/profile hot --format speedscope          for speedscope.app
    bench/profile reads --format raw --native      with the frames of extensions, as text

Attaching needs root or kernel.yama.ptrace_scope=0. The figures printed meanwhile are slower than real ones.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.measure import finish_load, plan_of, run_load, start_load
from bench.rows import ROWS
from bench.sides import BENCH, Installation, environment, scratch_folder, serving

SUFFIX = {"flamegraph": "svg", "speedscope": "json", "raw": "txt"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("row", choices=[row.key for row in ROWS])
    parser.add_argument("--seconds", type=int, default=10)
    parser.add_argument("--format", choices=list(SUFFIX), default="flamegraph")
    parser.add_argument("--native", action="store_true", help="also frames of extensions; slower")
    parser.add_argument("--rate", type=int, default=250, help="samples a second")
    parser.add_argument("--python", type=Path, default=Path(sys.executable), help="one with Perdure installed")
    parser.add_argument("--folder", type=Path, default=Path("/var/tmp"), help="a folder on a disk, for all data")
    options = parser.parse_args()

    installation = Installation(options.python.absolute())
    subprocess.run([BENCH / "setup"], check=True, env=environment(installation.python))
    row = next(row for row in ROWS if row.key == options.row)
    out = Path(tempfile.mkdtemp(prefix="perdure-profile-")) / f"{row.key}.{SUFFIX[options.format]}"
    command = [
        str(installation.environment / "bin" / "py-spy"),
        "record",
        "--subprocesses",
        "--threads",
    ]
    command += [
        "--format",
        options.format,
        "--rate",
        str(options.rate),
        "--duration",
        str(options.seconds),
        "-o",
        str(out),
    ]
    command += ["--native"] if options.native else []
    with scratch_folder(options.folder) as folder, serving(installation, "perdure", folder) as server:
        if row.stored:
            run_load(plan_of(row, server.port, "increment", seconds=1))
        # Longer than the profile, so that every sample falls into the load.
        running = start_load(plan_of(row, server.port, row.kind, seconds=options.seconds + 2, warm_up_s=1))
        subprocess.run([*command, "--pid", str(server.process.pid)], check=True, stdout=subprocess.DEVNULL)
        result = finish_load(running)
    print(f"{row.key}: {result.per_second:,.0f}/s while sampled; profile in {out}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
