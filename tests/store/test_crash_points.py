"""kill -9 at every named moment, and at random ones under load: nothing told is lost, nothing is half there.

The list of moments is complete: a test counts the transactions and the switches in the folder `store` against it.
"""

import ast
import asyncio
import os
import re
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from perdure import store
from perdure.core.key_range import KeyRange
from perdure.store.committer import CommitterPool
from perdure.store.crash_point import CrashPoint, passes
from perdure.store.data_folder import DataFolder
from tests.store.kill_run import OBJECTS, PAGES, RANDOM_KILLS
from tests.store.loop_clock import LoopClock

SOURCES = [path for path in Path(store.__path__[0]).glob("*.py") if path.name != "crash_point.py"]
ROOT = Path(__file__).parents[2]


def calls_of(name: str) -> list[ast.Call]:
    return [
        node
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name
    ]


def test_every_point_is_passed_somewhere_in_the_store():
    used = Counter(re.findall(r"CrashPoint\.(\w+)", "\n".join(path.read_text() for path in SOURCES)))

    assert set(used) == set(CrashPoint.__members__)


def test_every_transaction_names_the_points_around_its_commit():
    # log, its room, apply, sweep, the past, schema, two of the catalog, the fence that forgets what a failed commit left, and
    # the start's sweep of what nobody finished.
    assert len(calls_of("transaction")) == 10
    begun = [path.name for path in SOURCES if re.search(r"\b(BEGIN|COMMIT|SAVEPOINT)\b", path.read_text())]
    assert [name for name in begun if name not in ("connection.py",)] == []
    with_blocks = [path.name for path in SOURCES if re.search(r"with self\.\w*connection:", path.read_text())]
    assert with_blocks == []


def test_statements_that_change_the_store_outside_a_transaction_are_the_one_that_appends_a_group():
    changing = re.compile(r"^_[A-Z_]+ = \(?\s*\"(INSERT|DELETE|UPDATE|REPLACE)", re.MULTILINE)
    files = {
        path.name: len(changing.findall(path.read_text())) for path in SOURCES if changing.search(path.read_text())
    }

    # The others run inside transactions, most of them those of writer.py; _APPEND is the statement that is its own. So are two
    # that say how much of the past is kept: every start of a project says it again.
    assert files == {"applying.py": 18, "files.py": 2, "undo_keeping.py": 17, "undo_writing.py": 5, "writer.py": 3}


def test_production_does_nothing_at_a_crash_point():
    for point in CrashPoint:
        assert passes(point) is None


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """The folders of children that were killed, one for each point, and how each ended."""
    folder = tmp_path_factory.mktemp("killed")
    ended = subprocess.run(
        [sys.executable, "-m", "tests.store.kill_run", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    return folder, dict(line.split() for line in ended.stdout.splitlines())


def notes_of(folder: Path) -> tuple[dict[int, int], dict[int, int], dict[int, int], list[list[str]]]:
    """What was told, what was tried, what was gone back to (object: number), and the migrations that were told."""
    told: dict[int, int] = {}
    tried: dict[int, int] = {}
    back: dict[int, int] = {}
    migrated: list[list[str]] = []
    for line in (folder / "notes").read_text().splitlines() if (folder / "notes").exists() else []:
        kind, *rest = line.split()
        if kind == "migrated":
            migrated.append(rest)
            continue
        object, count = map(int, rest)
        if kind == "back":
            back[object] = count
        elif kind == "there":
            told[object] = tried[object] = count
        else:
            numbers = told if kind == "told" else tried
            numbers[object] = max(numbers.get(object, 0), count)
            if kind == "told":
                back.pop(object, None)
    return told, tried, back, migrated


async def judge(folder: Path) -> None:
    told, tried, back, migrated = notes_of(folder)
    pool = CommitterPool(asyncio.get_running_loop(), threads=1)
    opened = await DataFolder.open(
        folder / "data", clock=LoopClock(), committer=pool, random_bytes=os.urandom, written_by="0.0.test"
    )
    tag = await opened.tag("worker")
    namespaces = {row.id for row in await opened.namespaces("worker")}
    if migrated:
        told_tag, *told_ids = migrated[-1]
        assert tag == told_tag or tag == "v2"
        assert namespaces == set(told_ids) or (tag == "v2" and len(namespaces) == 1)
        store = await opened.store(told_ids[0])
        for object in OBJECTS:
            await store.restore(object)  # as before any of its code runs
            record = store.record(object)
            rows = dict(store.scan(record.generation, KeyRange())) if record is not None else {}
            values = set(rows.values())
            assert len(values) <= 1 and set(rows) in (set(), set("abc")), f"half a unit: {rows}"
            found = int(values.pop()) if values else 0
            pages = {store.page(record.generation, number) for number in PAGES} if record is not None else {None}
            assert [page and int.from_bytes(page[:8], "big") for page in pages] == [found or None], "half a unit"
            alarm = store.alarm(object)
            assert (None if alarm is None else alarm.at_ms) == (found or None), "half a unit"
            assert told.get(object[0], 0) <= found <= tried.get(object[0], 0) or found == back.get(object[0])
    folders = {path.name for path in (folder / "data" / "namespaces").iterdir()}
    assert folders == namespaces
    await opened.close()
    pool.close()


@pytest.mark.parametrize("point", CrashPoint, ids=lambda point: point.name)
def test_what_was_told_survives_a_kill_at(killed, point):
    folder, ends = killed

    assert ends[point.name] == str(-signal.SIGKILL), "the scenario does not pass this point"
    asyncio.run(judge(folder / point.name))


@pytest.mark.parametrize("n", range(RANDOM_KILLS))
def test_what_was_told_survives_a_kill_at_a_random_moment_under_load(killed, n):
    folder, ends = killed

    told, *_ = notes_of(folder / f"random-{n}")
    assert ends[f"random-{n}"] == str(-signal.SIGKILL)
    assert told
    asyncio.run(judge(folder / f"random-{n}"))
