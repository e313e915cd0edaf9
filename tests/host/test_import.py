"""Until the last entry of an import the object is what it was, wherever it is cut off; then it is what the file holds."""

import os
import shutil
import sqlite3

import pytest

from perdure.core.entry import Alarm, AlarmChange, Entry
from perdure.core.key_range import KeyRange
from perdure.host import contents, import_object
from perdure.host.contents import make_object
from perdure.host.import_object import contents_of_file
from perdure.host.inspection_place import Place
from perdure.model.errors import StorageFull, WrongValue
from perdure.model.object_id import ObjectId
from perdure.model.value import encode
from perdure.store import upkeep
from perdure.store.bounds import UNDO_PASS_MS
from perdure.store.catalog import NamespaceRow
from perdure.store.crash_point import CrashPoint
from perdure.store.undo_keeping import UndoKeeping
from perdure.testing.power_cut import PowerCutDisk
from tests.host.stored import exported, imported, keys_of, work
from tests.store.world import CrashAt, Crashed, World

ID = ObjectId.of_raw(b"a" * 32, "room")
OLD = {f"old{n}": encode(n, path="") for n in range(50)}
NEW = {f"new{n:03}": encode("x" * 1_000, path="") for n in range(200)}
POINTS = [
    CrashPoint.BEFORE_LOG_COMMIT,
    CrashPoint.AFTER_LOG_COMMIT,
    CrashPoint.AFTER_ACKNOWLEDGE,
    CrashPoint.BEFORE_APPLY_COMMIT,
    CrashPoint.AFTER_APPLY_COMMIT,
    CrashPoint.BEFORE_GENERATION_SWITCH,
    CrashPoint.AFTER_GENERATION_SWITCH,
]


@pytest.fixture
def file(tmp_path, monkeypatch):
    monkeypatch.setattr(contents, "SLICE_BYTES", 20_000)
    path = tmp_path / "new.db"
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE _perdure_kv(key TEXT PRIMARY KEY, value BLOB, json TEXT)")
    connection.executemany("INSERT INTO _perdure_kv VALUES(?, ?, NULL)", NEW.items())
    connection.execute("CREATE TABLE t(a)")
    connection.executemany("INSERT INTO t VALUES(zeroblob(?))", [(1_000,)] * 100)
    connection.commit()
    connection.close()
    return path


async def importing(world, file, tmp_path, *, replace=True, scratch="scratch", **more):
    folder = tmp_path / scratch
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    place = Place(NamespaceRow("n", "w", "Room", "key", 0), world.store, None)
    contents = contents_of_file(file, folder)
    return await make_object(
        place, ID, contents, what="import", replace=replace, clock=world.clock, elsewhere=at_once, **more
    )


async def at_once(function, *arguments):
    return function(*arguments)


def rows_of(world) -> dict[str, bytes]:
    record = world.store.record(ID.raw)
    return {} if record is None else dict(world.store.scan(record.generation, KeyRange()))


def with_old_object(folder) -> None:
    world = World(folder)
    world.register(ID.raw, 1, "room", **OLD)
    world.store.append(Entry(ID.raw, 0, 1, {}, alarm=AlarmChange(Alarm(5, 5))))
    world.close()


@pytest.mark.parametrize("nth", [1, 2, 5, 9])
@pytest.mark.parametrize("point", POINTS)
def test_an_import_that_is_cut_off_leaves_the_object_whole_and_its_rows_to_be_swept(tmp_path, file, point, nth):
    with_old_object(tmp_path / "store")
    world = World(tmp_path / "store", at=CrashAt(point, nth=nth))
    try:
        world.run(importing(world, file, tmp_path))
        world.quiet()
    except Crashed:
        pass
    world.abandon()

    world = World(tmp_path / "store")
    found, generation = rows_of(world), world.store.record(ID.raw).generation
    assert found == (OLD if generation == 1 else NEW)
    assert world.store.alarm(ID.raw) == Alarm(5, 5)
    world.quiet()
    tables = world.store._upkeep.tables().connection
    stored = {row[0] for row in tables.execute("SELECT generation FROM kv UNION SELECT id >> 24 FROM page")}
    left = {row[0] for row in tables.execute("SELECT generation FROM kept UNION SELECT generation FROM retired")}
    assert stored <= {generation} | left
    world.run(importing(world, file, tmp_path, scratch="another"))
    assert rows_of(world) == NEW
    world.close()


@pytest.mark.parametrize("apply_bytes_min", [1, 60_000, 1_000_000_000])
def test_what_was_imported_has_all_its_rows_and_pages_after_a_restart(tmp_path, file, monkeypatch, apply_bytes_min):
    monkeypatch.setattr(upkeep, "APPLY_BYTES_MIN", apply_bytes_min)
    world = World(tmp_path / "store")
    world.clock.tick_s = 0.001  # so that groups leave the writer time for the rest
    world.run(importing(world, file, tmp_path, replace=False))
    slices = world.store.counters().apply_slices
    world.close()

    world = World(tmp_path / "store")

    assert (slices > 0) == (apply_bytes_min < 1_000_000)
    assert rows_of(world) == NEW
    record = world.store.record(ID.raw)
    pages = int.from_bytes(world.store.page(record.generation, 0)[28:32], "big")
    copy = tmp_path / "copy.db"
    copy.write_bytes(b"".join(world.store.page(record.generation, number) for number in range(pages)))
    connection = sqlite3.connect(copy)
    assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
    assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("t",)]
    assert connection.execute("SELECT count(*), sum(length(a)) FROM t").fetchall() == [(100, 100_000)]
    connection.close()
    kept = world.store._upkeep.tables().connection.execute("SELECT count(*) FROM kept").get
    assert kept == 0
    world.close()


def test_what_an_import_replaced_can_be_gone_back_to(tmp_path, file):
    with_old_object(tmp_path / "store")
    world = World(tmp_path / "store")
    before = world.store.append(Entry(ID.raw, 1, 1, {}, pin=True))
    place = world.store.pinned_place(ID.raw)
    world.run(importing(world, file, tmp_path))
    world.quiet()
    assert before and rows_of(world) == NEW

    world.store.append(Entry(ID.raw, 2, world.store.record(ID.raw).generation, {}, restore=place))
    world.run(world.store.restore(ID.raw))

    assert rows_of(world) == OLD
    world.close()


def test_an_object_that_was_to_go_back_stays_what_was_imported(tmp_path, file):
    with_old_object(tmp_path / "store")
    world = World(tmp_path / "store")
    world.store.append(Entry(ID.raw, 1, 1, {}, pin=True, restore=world.store.pinned_place(ID.raw)))

    world.run(importing(world, file, tmp_path))

    assert world.store.place_to_restore(ID.raw) is None
    assert rows_of(world) == NEW
    world.close()


def test_an_object_that_exists_is_replaced_only_if_asked(tmp_path, file):
    with_old_object(tmp_path / "store")
    world = World(tmp_path / "store")

    with pytest.raises(WrongValue, match="'room' stores something already.*--replace"):
        world.run(importing(world, file, tmp_path, replace=False))

    assert rows_of(world) == OLD
    world.close()


@pytest.mark.parametrize(
    ("row", "message"),
    [(("k", b"\x00no value"), "row 'k'.*not a key with a value"), (("k", "text"), "no blob"), ((None, b""), "no text")],
)
def test_a_row_that_is_no_value_refuses_the_whole_file(tmp_path, file, row, message):
    connection = sqlite3.connect(file)
    connection.execute("INSERT INTO _perdure_kv VALUES(?, ?, NULL)", row)
    connection.commit()
    connection.close()
    with_old_object(tmp_path / "store")
    world = World(tmp_path / "store")

    with pytest.raises(WrongValue, match=message):
        world.run(importing(world, file, tmp_path))

    assert rows_of(world) == OLD
    world.close()


HOSTILE = [
    ("CREATE VIEW _perdure_kv AS SELECT 'k' AS key, x'00' AS value; CREATE TABLE t(x)", "is no table"),
    ("CREATE TABLE _perdure_kv(k); CREATE TABLE t(x)", "no such column"),
    (
        "CREATE TABLE _perdure_kv(key, value AS (zeroblob(900000000))); INSERT INTO _perdure_kv VALUES('k')",
        "too big|cannot be imported",
    ),
    ("CREATE TABLE _perdure_kv(key, value); INSERT INTO _perdure_kv VALUES(hex(zeroblob(1500)), x'00')", "3,000 bytes"),
    ("CREATE TABLE _perdure_kv(key, value); INSERT INTO _perdure_kv VALUES('k', x'01c0'), ('k', x'01c3')", "'k' twice"),
    ("CREATE TABLE _perdure_kv(key, value); INSERT INTO _perdure_kv VALUES(CAST(x'ff' AS TEXT), x'01c0')", "utf-8"),
    (
        "CREATE TABLE _perdure_kv(key, value);"
        f" INSERT INTO _perdure_kv VALUES('k', CAST(x'01{'91' * 50_000}c0' AS BLOB))",
        "'k' of _perdure_kv is not",
    ),
    ("CREATE TABLE _PERDURE_KV(a); CREATE TABLE t(x)", "_PERDURE_KV of .* is not what"),
    ("CREATE TABLE _perdure_schema(a)", "_perdure_schema of .* is not what"),
    ("CREATE TABLE _PERDURE_SCHEMA(number INTEGER PRIMARY KEY, step TEXT)", "_PERDURE_SCHEMA of .* is not what"),
    ("CREATE VIEW _perdure_schema AS SELECT 1 AS number, 'a' AS step", "_perdure_schema of .* is not what"),
    (
        "CREATE TABLE _perdure_schema(number INTEGER PRIMARY KEY, step TEXT);"
        " INSERT INTO _perdure_schema VALUES(1, x'00')",
        "_perdure_schema of .* is not what",
    ),
    (
        "CREATE TABLE t(a, b); INSERT INTO t VALUES(zeroblob(2000000), zeroblob(100000))",
        "row of the table 't' is too long",
    ),
]


@pytest.mark.parametrize(("script", "message"), HOSTILE)
def test_a_file_that_was_made_to_do_harm_is_refused_whole(tmp_path, script, message):
    connection = sqlite3.connect(tmp_path / "hostile.db")
    connection.executescript(script)
    connection.close()
    work(tmp_path / "data", ("one", "kv.put('a', 1)"))

    with pytest.raises(WrongValue, match=message):
        imported(tmp_path / "data", "two", tmp_path / "hostile.db")


@pytest.mark.parametrize("kind", ["pipe", "folder", "missing", "device"])
def test_what_is_no_file_is_refused_at_once(tmp_path, kind):
    path = tmp_path / kind
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "device":
        path.symlink_to("/dev/zero")
    work(tmp_path / "data", ("one", "kv.put('a', 1)"))

    with pytest.raises(WrongValue, match="not a file|no such file"):
        imported(tmp_path / "data", "two", path)


def test_a_disk_that_is_full_leaves_the_object_as_it_was_and_the_import_is_made_again_when_it_is_not(tmp_path, file):
    disk = PowerCutDisk(tmp_path / "disk")
    world = World(tmp_path / "disk" / "store", file_system=disk.file_system)
    world.register(ID.raw, world.store.new_generation(), "room", **OLD)
    world.settle()

    def fill(done, total):
        disk.full = True

    with pytest.raises(StorageFull):
        world.run(importing(world, file, tmp_path, progress=fill))
    assert rows_of(world) == OLD
    disk.full = False
    world.clock.advance(10)
    world.quiet()

    world.run(importing(world, file, tmp_path))

    assert rows_of(world) == NEW
    tables = world.store._upkeep.tables().connection
    world.quiet()
    stored = {row[0] for row in tables.execute("SELECT generation FROM kv UNION SELECT id >> 24 FROM page")}
    left = {row[0] for row in tables.execute("SELECT generation FROM kept UNION SELECT generation FROM retired")}
    assert stored <= {world.store.record(ID.raw).generation} | left
    world.abandon()
    disk.close()


@pytest.mark.parametrize("content", [b"", b"this is no database" * 100])
def test_a_file_that_is_no_database_is_refused(tmp_path, content):
    (tmp_path / "no.db").write_bytes(content)
    work(tmp_path / "data", ("one", "kv.put('a', 1)"))

    with pytest.raises(WrongValue, match=r"no\.db"):
        imported(tmp_path / "data", "one", tmp_path / "no.db", replace=True)

    assert keys_of(exported(tmp_path / "data", "one", tmp_path / "one.db")) == [("a", encode(1, path=""))]


def test_a_pass_over_the_past_amid_an_import_takes_nothing_of_it(tmp_path, file, monkeypatch):
    """However little of the past fits."""
    monkeypatch.setattr(UndoKeeping, "_bytes_max", lambda *_: 3_000)
    with_old_object(tmp_path / "store")
    world = World(tmp_path / "store")

    def a_quiet_minute(done: int, total: int) -> None:
        world.clock.advance(UNDO_PASS_MS / 1000)
        world.quiet()

    world.run(importing(world, file, tmp_path, progress=a_quiet_minute))
    a_quiet_minute(0, 0)

    assert rows_of(world) == NEW
    world.close()


def test_a_file_whose_tables_are_larger_than_an_object_may_have_is_refused(tmp_path, file, monkeypatch):
    monkeypatch.setattr(import_object, "DATABASE_PAGES_MAX", 10)
    (tmp_path / "scratch").mkdir()

    with pytest.raises(WrongValue, match="too large for an object.*may have 40,960"):
        contents_of_file(file, tmp_path / "scratch")


@pytest.mark.parametrize("open_elsewhere", [False, True])
def test_a_file_in_wal_mode_is_read_whole_and_nothing_is_left_beside_it(tmp_path, open_elsewhere):
    (tmp_path / "a b").mkdir()
    path = tmp_path / "a b" / "50%?#.db"
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA journal_mode = wal")
    connection.execute("CREATE TABLE t(x)")
    if not open_elsewhere:
        connection.close()
    before = sorted(os.listdir(path.parent))
    work(tmp_path / "data", ("one", "kv.put('a', 1)"))

    imported(tmp_path / "data", "two", path)

    assert sorted(os.listdir(path.parent)) == before
    assert work(tmp_path / "data", ("two", "result = len(list(sql.exec('SELECT * FROM t')))")) == [0]
    connection.close()
