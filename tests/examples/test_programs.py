"""The examples type-check under the strictest settings of both checkers; the script keeps its objects from run to run."""

import json
import os
import subprocess
import sys

from tests.checkers import MYPY_CACHE
from tests.examples.readme import EXAMPLES

PROGRAMS = sorted(EXAMPLES.glob("*/*.py"))


def test_a_script_keeps_its_objects_from_run_to_run(tmp_path):
    def visit(*names):
        ran = subprocess.run(
            [sys.executable, EXAMPLES / "embedding/visits.py", *names],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ran.returncode == 0, ran.stderr
        return [line.partition(",")[0] for line in ran.stdout.splitlines()]

    assert visit("ann", "bob", "ann") == ["ann was here 2 times", "bob was here 1 time"]
    assert visit("bob") == ["ann was here 2 times", "bob was here 2 times"]


def test_the_examples_type_check_strictly_by_mypy(tmp_path):
    checked = run(tmp_path, "mypy", "--strict", "--cache-dir", MYPY_CACHE, *map(str, PROGRAMS))

    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"no issues found in {len(PROGRAMS)} source files" in checked.stdout


def test_the_examples_type_check_strictly_by_pyright(tmp_path):
    settings = tmp_path / "pyrightconfig.json"
    settings.write_text(json.dumps({"include": [os.path.relpath(EXAMPLES, tmp_path)], "typeCheckingMode": "strict"}))
    checked = run(tmp_path, "pyright", "--project", str(settings), "--pythonpath", sys.executable, "--outputjson")

    said = json.loads(checked.stdout)
    assert said["generalDiagnostics"] == []
    assert said["summary"]["filesAnalyzed"] == len(PROGRAMS)


def run(folder, *command):
    return subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True, check=False)
