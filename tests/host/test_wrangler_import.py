"""What Cloudflare's local tools have of objects is here afterwards, each under its id and its name, and nothing there changed."""

import asyncio
import shutil
import sqlite3
from contextlib import closing

import pytest

import perdure
from perdure.config import load_project
from perdure.host import wrangler_state as module
from perdure.host.export import export_object
from perdure.host.inspection_request import ListObjects
from perdure.host.stored_object import stored_class
from perdure.host.wrangler_import import import_local_state
from perdure.model.errors import DataFolderLocked, UnsupportedValue, ValueMismatch, WrongValue
from perdure.model.object_id import IdKey
from tests.host.projects import write_project
from tests.host.stored import asked
from tests.wrangler.state import KEY, STATE, UNIQUE, dumped, make, make_again, workerd

SHOP = """
from datetime import UTC

from perdure import DurableObject, Response


class Box(DurableObject):
    async def run(self, what):
        scope = {"storage": self.ctx.storage, "kv": self.ctx.storage.kv, "sql": self.ctx.storage.sql, "ctx": self.ctx}
        exec(what, scope)
        return scope.get("result")

    async def alarm(self):
        pass


class Other(Box):
    pass


async def fetch(request):
    return Response("")
"""
IDS = IdKey(KEY)
LOBBY, WAITING = IDS.from_name("named-lobby").hex, IDS.from_name("named-waiting").hex
QUIET, REFUSED = IDS.from_name("quiet").hex, IDS.from_name("without-counterpart").hex
AT = "2100-01-01T00:00:00.000Z"


@pytest.fixture(scope="session")
def made_again(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wrangler")
    make_again(folder)
    return folder


@pytest.fixture
def local(tmp_path, made_again):
    """`.wrangler/state/v3/do`, without the object that cannot be brought over."""
    folder = shutil.copytree(made_again, tmp_path / ".wrangler/state/v3/do")
    (folder / KEY / f"{REFUSED}.sqlite").unlink()
    return folder


@pytest.fixture
def project(tmp_path):
    return load_project(write_project(tmp_path / "shop", SHOP, classes=("Box", "Other"), name="shop") / "wrangler.toml")


@pytest.fixture
def data(tmp_path):
    return tmp_path / "data"


def brought(data, source, project, **options):
    return asyncio.run(import_local_state(data, source, project=project, **options))


def run(data, project, *steps):
    """Each step is an object, by name or id, and what it does."""

    async def opened():
        async with perdure.open(data, worker=project.config_file) as runtime:
            box = runtime.env.BOX
            return [
                await box.get(box.id_from_string(who) if len(who) == 64 else box.id_from_name(who)).run(what)
                for who, what in steps
            ]

    return asyncio.run(opened())


def listed(data):
    return {each["id"]: each for each in asyncio.run(asked(data, ListObjects(None, None, 100, None)))["objects"]}


def file_of(local, id=QUIET):
    return local / KEY / f"{id}.sqlite"


def change(file, statement, *bindings):
    with closing(sqlite3.connect(file)) as connection:
        connection.execute(statement, bindings)
        connection.commit()


def everything_in(folder):
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else None)
        for path in folder.rglob("*")
    }


def test_objects_keep_ids_names_alarms_and_what_they_stored(data, local, project):
    result = brought(data, local, project)

    assert (result.failed, result.empty, result.no_class) == ([], 0, [])
    assert {each.id.hex for each in result.objects} == {each.old_id for each in result.objects} == set(listed(data))
    assert {each["name"] for each in listed(data).values()} == {
        "named-lobby",
        "named-waiting",
        "waiting",
        "named-é",
        None,
    }
    assert {id: each["alarm"] for id, each in listed(data).items() if each["alarm"]} == {
        WAITING: AT,
        IDS.from_name("waiting").hex: AT,
    }
    assert run(
        data,
        project,
        ("named-lobby", "result = kv.get('greeting'), kv.get('count')"),
        ("quiet", "result = ctx.name, [*sql.exec('SELECT text, raw FROM said ORDER BY id').raw()]"),
        ("values", "result = kv.get('dense'), kv.get('date').isoformat(), kv.get('map')"),
        (UNIQUE, "result = kv.get('greeting')['from'], storage.sql.exec('SELECT count(*) AS n FROM said').one()['n']"),
    ) == [
        ({"hello": "é", "from": "named-lobby"}, 3),
        ("quiet", [("one", b"\x00\xff"), ("two", None)]),
        ([1, [2, [3]], {}], "2026-01-02T03:04:05.678000+00:00", {"a": 1, 2: {}, None: "n"}),
        ("unique", 2),
    ]


def test_tables_are_the_same_and_none_of_the_tools_is_left(tmp_path, data, local, project):
    brought(data, local, project)
    of = stored_class(data, "Box")
    export_object(of, of.id_of(LOBBY), tmp_path / "lobby.db", force=False)

    with (
        closing(sqlite3.connect(tmp_path / "lobby.db")) as here,
        closing(sqlite3.connect(file_of(local, LOBBY))) as there,
    ):
        inside = {line for line in here.iterdump() if "_perdure_kv" not in line}
        assert (
            inside == {line for line in there.iterdump() if "_cf_" not in line and "miniflare" not in line} - _KV_TABLE
        )
        assert here.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


_KV_TABLE = {"CREATE TABLE _cf_KV (\n        key TEXT PRIMARY KEY,\n        value BLOB\n      ) WITHOUT ROWID;"}


@pytest.mark.parametrize("above", [0, 1, 2, 3, 4])
def test_the_folder_or_any_of_its_parents_will_do(data, local, project, above):
    source = [local, *local.parents][above]

    assert len(brought(data, source, project).objects) == 7


def test_nothing_there_changes_also_where_a_log_is_left(data, local, project):
    with closing(sqlite3.connect(file_of(local))) as open_still:
        open_still.execute("PRAGMA wal_autocheckpoint = 0")
        open_still.execute("UPDATE said SET text = 'only in the log'")
        open_still.commit()
        folder = shutil.copytree(local, local.parent / "killed")
    before = everything_in(folder)
    assert f"{KEY}/{QUIET}.sqlite-wal" in before

    brought(data, folder, project)

    assert everything_in(folder) == before
    assert not list((data / "importing").iterdir())
    assert run(data, project, ("quiet", "result = sql.exec('SELECT DISTINCT text FROM said').one()['text']")) == [
        "only in the log"
    ]


def test_a_file_that_is_written_meanwhile_is_not_taken(data, local, project, monkeypatch):
    copy = shutil.copyfile

    def copied_while_it_is_written(source, target):
        copy(source, target)
        if source == file_of(local):
            change(source, "INSERT INTO said(text) VALUES('late')")

    monkeypatch.setattr(module.shutil, "copyfile", copied_while_it_is_written)

    result = brought(data, local, project)

    assert [each.file for each in result.failed] == [file_of(local)]
    with pytest.raises(WrongValue, match="changed while it was read.*stop wrangler dev"):
        raise result.failed[0].error
    assert QUIET not in listed(data)


def test_names_that_are_given_are_those_of_the_ids_that_they_make(data, local, project):
    result = brought(data, local, project, names=["quiet", "nobody", ""])

    assert {each.id.hex: each.id.name for each in result.objects}[QUIET] == "quiet"
    assert listed(data)[QUIET]["name"] == "quiet"


def test_a_name_that_does_not_make_the_id_is_not_believed(data, local, project):
    change(file_of(local, LOBBY), "UPDATE __miniflare_do_name SET name = 'another'")

    brought(data, local, project)

    assert listed(data)[LOBBY]["name"] is None


def test_a_class_that_had_objects_keeps_its_ids_and_takes_what_has_a_name(data, local, project):
    (own,) = run(data, project, ("mine", "kv.put('a', 1); result = str(ctx.id)"))

    result = brought(data, local, project, names=["quiet"])

    assert {each.id.name for each in result.objects} == {"named-lobby", "named-waiting", "waiting", "quiet", "named-é"}
    assert {each.file.stem for each in result.failed} == {UNIQUE, IDS.from_name("values").hex}
    with pytest.raises(WrongValue, match=f"the name of {UNIQUE} is not known.*--names"):
        raise next(each.error for each in result.failed if each.file.stem == UNIQUE)
    assert run(data, project, (own, "result = kv.get('a')"), ("quiet", "result = kv.get('count')")) == [1, 3]


def test_what_exists_is_replaced_only_if_asked_and_takes_the_alarm_of_the_file(data, local, project):
    brought(data, local, project)
    soon = "import datetime; storage.set_alarm(datetime.timedelta(days=1)); kv.put('count', 4)"
    run(data, project, ("quiet", soon), ("named-waiting", "storage.delete_alarm(); kv.put('count', 4)"))

    again = brought(data, local, project)
    assert again.objects == []
    with pytest.raises(WrongValue, match="stores something already.*--replace"):
        raise again.failed[0].error
    assert run(data, project, ("quiet", "result = kv.get('count')")) == [4]

    assert len(brought(data, local, project, replace=True).objects) == 7
    assert (listed(data)[QUIET]["alarm"], listed(data)[WAITING]["alarm"]) == (None, AT)
    assert run(data, project, ("quiet", "result = kv.get('count')")) == [3]


@pytest.mark.parametrize(
    ("statement", "binding", "kind", "message"),
    [
        (
            "INSERT INTO _cf_KV VALUES('odd', ?)",
            b"\xff\x0fR\x22\x01x\x00",
            UnsupportedValue,
            "a RegExp.*get\\('odd'\\)",
        ),
        (
            "INSERT INTO _cf_KV VALUES('odd', ?)",
            b"\xff\x0f!",
            ValueMismatch,
            "no value of JavaScript's.*get\\('odd'\\)",
        ),
        ("INSERT INTO _cf_KV VALUES('odd', ?)", "text", WrongValue, "no value.*get\\('odd'\\)"),
        ("INSERT INTO _cf_KV VALUES(?, x'ff0f30')", "k" * 2_049, Exception, "2,049 bytes"),
        ("INSERT INTO _cf_KV VALUES('odd', ?)", b"\xff\x0fB\x80\x80\x80\x01" + bytes(2**21), Exception, "2,097,152"),
        ("CREATE TABLE _cf_METADATA AS SELECT 1 AS key, ? AS value", 1e30, WrongValue, "the alarm is at no time: 1e"),
        ("CREATE TABLE _cf_METADATA AS SELECT 1 AS key, ? AS value", "soon", WrongValue, "the alarm is at no time"),
        ("ALTER TABLE _cf_KV RENAME COLUMN value TO content", None, WrongValue, "no such column"),
        ("CREATE TABLE _perdure_kv(a)", None, WrongValue, "_perdure_kv already exists"),
        ("INSERT INTO _cf_KV VALUES(CAST(? AS TEXT), x'ff0f30')", b"\xff", WrongValue, "UnicodeDecodeError"),
    ],
)
def test_one_that_cannot_be_brought_over_is_named_and_leaves_the_others_alone(
    data, local, project, statement, binding, kind, message
):
    change(file_of(local), statement, *([] if binding is None else [binding]))

    result = brought(data, local, project)

    assert [each.file.stem for each in result.failed] == [QUIET]
    with pytest.raises(kind, match=f"{QUIET}.sqlite.*" if kind is WrongValue else message):
        raise result.failed[0].error
    with pytest.raises(kind, match=message):
        raise result.failed[0].error
    assert str(file_of(local)) in str(result.failed[0].error)
    assert QUIET not in listed(data)
    assert len(result.objects) == 6


@pytest.mark.parametrize("content", [b"this is no database" * 500, b"SQLite format 3\0" + bytes(5_000)])
def test_a_damaged_file_is_named_and_leaves_the_others_alone(data, local, project, content):
    file_of(local).write_bytes(content)

    result = brought(data, local, project)

    assert [each.file.stem for each in result.failed] == [QUIET]
    assert len(result.objects) == 6


@pytest.mark.parametrize("damage", ["no database", "no text"])
def test_damaged_names_of_alarms_are_named_and_leave_the_objects_alone(data, local, project, damage):
    file = local / KEY / "metadata.sqlite"
    if damage == "no database":
        file.write_bytes(b"no database" * 500)
    else:
        change(file, "UPDATE _cf_ALARM SET actor_name = CAST(x'ff' AS TEXT)")

    made = brought(data, local, project)

    (failed,) = made.failed
    assert failed.file == file
    assert isinstance(failed.error, WrongValue) and "cannot be read" in str(failed.error)
    assert {each["id"] for each in listed(data).values()} >= {LOBBY, WAITING, QUIET}


def test_a_file_in_the_folder_of_another_class_is_refused(data, local, project):
    shutil.copy(file_of(local), local / "shop-Other")

    result = brought(data, local, project)

    with pytest.raises(WrongValue, match=f"{QUIET} is no id of the class.*shop-Other"):
        raise result.failed[0].error


def test_an_object_that_stored_nothing_does_not_exist_here(data, local, project):
    with closing(sqlite3.connect(file_of(local, IDS.from_name("visited").hex))) as connection:
        connection.execute("CREATE TABLE __miniflare_do_name (id INTEGER PRIMARY KEY, name TEXT)")

    result = brought(data, local, project)

    assert (len(result.objects), result.empty) == (7, 1)


def test_classes_of_other_workers_are_left_out_and_named(data, local, project):
    (local / "shop-Other").rename(local / "blog-Post")

    result = brought(data, local, project)

    assert result.no_class == ["blog-Post"]
    assert {each.class_name for each in result.objects} == {"Box"}


def test_a_class_that_has_another_name_here_is_said_with_its_folder(data, local, project):
    result = brought(data, local / KEY, project, class_name="Other")

    assert {each.class_name for each in result.objects} == {"Other"}
    with pytest.raises(WrongValue, match="no folder shop-Box.*there are blog-Post, shop-Other.*give the one"):
        (local / KEY).rename(local / "blog-Post")
        brought(data, local, project, class_name="Box")
    with pytest.raises(WrongValue, match="none of these objects is of a class.*say which class"):
        (local / "shop-Other").rename(local / "blog-Other")
        brought(data, local, project)


def test_a_folder_without_objects_is_refused_and_so_is_one_that_is_served(tmp_path, data, local, project):
    with pytest.raises(WrongValue, match="no objects of Cloudflare's local tools"):
        brought(data, tmp_path / "shop", project)
    assert not data.exists()

    async def scenario():
        async with perdure.open(data, worker=project.config_file):
            await import_local_state(data, local, project=project)

    with pytest.raises(DataFolderLocked):
        asyncio.run(scenario())


needs_workerd = pytest.mark.skipif(workerd() is None, reason="bench/setup brings workerd")


@needs_workerd
def test_workerd_still_writes_what_these_tests_read(tmp_path):
    make(tmp_path / "do", workerd())

    assert dumped(tmp_path / "do") == STATE.read_text(encoding="utf-8")


@needs_workerd
def test_what_a_workerd_that_was_killed_left_is_all_there(tmp_path, data, project):
    make(tmp_path / "do", workerd(), cut_off=True)
    assert list((tmp_path / "do").rglob("*.sqlite-wal"))

    result = brought(data, tmp_path / "do", project)

    assert {each.id.name for each in result.objects} == {"named-lobby", "named-waiting", "waiting", "named-é", None}
    assert [each.file.stem for each in result.failed] == [REFUSED]
    assert run(data, project, ("quiet", "result = kv.get('count')")) == [3]
