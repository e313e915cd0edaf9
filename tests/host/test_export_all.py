"""All objects as files: each is there, under a name that harms no disk; the folder is whole or not there."""

import asyncio
import errno
import json
import os
import sqlite3
from pathlib import Path

import pytest

import perdure
from perdure.host import export_all as module
from perdure.host.export_all import export_objects
from perdure.host.export_index import INDEX, read_index
from perdure.host.stored_object import stored_class, stored_classes
from perdure.model.errors import WrongValue
from tests.host.stored import Box, Other, dump, exported, keys_of, work
from tests.store.test_damage import flip_bit_at

NAMES = [
    "a/b",
    "..",
    "../../etc/passwd",
    "nul\0inside",
    "é\u202e😀",
    "x" * 1_000,
    "",
    ".hidden",
    "Case",
    "case",
    "con",
    "-rf",
]


def exported_all(data: Path, folder: Path, *, force: bool = False):
    return export_objects(stored_classes(data), folder, force=force)


@pytest.fixture
def data(tmp_path) -> Path:
    work(
        tmp_path / "data",
        ("one", "kv.put('k', 'to be found in here' * 150); sql.exec('CREATE TABLE t(x)')"),
        ("between", "[kv.put(f'k{n}', 'x' * 900) for n in range(30)]"),  # so that the others share no page
        ("two", "kv.put('a', 2)"),
    )
    return tmp_path / "data"


def test_every_object_has_a_file_as_one_export_writes_it_whatever_its_name(tmp_path):
    data = tmp_path / "data"
    work(data, *[(name, f"kv.put('name', {name!r})") for name in [*NAMES, "y" * 4_000]])

    made = exported_all(data, tmp_path / "all")

    lines = list(read_index(tmp_path / "all"))
    assert (made.objects, made.left_out_count) == (len(NAMES) + 1, 0)
    assert sorted(line.name for line, _ in lines if line.name is not None) == sorted(
        NAMES
    )  # the long one has its id alone
    found = {path for path in (tmp_path / "all").rglob("*") if path.is_file() and path.name != INDEX}
    assert found == {file for _, file in lines}
    assert len({str(path).lower() for path in found}) == len(found)
    assert all(path.name.isascii() and len(path.name) < 100 and path.parent.name == "Box" for path in found)
    for line, file in lines:
        assert keys_of(file) == keys_of(exported(data, line.id, tmp_path / "one.db"))


def test_two_exports_have_equal_dumps_and_the_second_needs_to_be_asked_for(data, tmp_path):
    exported_all(data, tmp_path / "all")
    before = {line.id: dump(file) for line, file in read_index(tmp_path / "all")}
    with pytest.raises(WrongValue, match="is there already.*--force"):
        exported_all(data, tmp_path / "all")
    work(data, ("three", "kv.put('a', 3)"))

    exported_all(data, tmp_path / "all", force=True)

    after = {line.id: dump(file) for line, file in read_index(tmp_path / "all")}
    assert len(after) == 4
    assert before.items() <= after.items()
    assert {path.name for path in tmp_path.iterdir()} == {"data", "all"}


def test_a_folder_with_anything_else_is_never_replaced(data, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")

    for force in (False, True):
        with pytest.raises(WrongValue, match="is there already"):
            exported_all(data, tmp_path / "mine", force=force)

    assert (tmp_path / "mine" / "thesis.txt").read_text() == "mine"


def test_the_root_of_all_folders_is_never_replaced(data):
    for force in (False, True):
        with pytest.raises(WrongValue, match="is there already"):
            exported_all(data, Path("/"), force=force)


def test_what_lies_beside_is_never_touched_whatever_its_name(data, tmp_path):
    exported_all(data, tmp_path / "all")
    for name in ("all.old", "all.part", "all.12345678.part"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "diary.txt").write_text(name)

    exported_all(data, tmp_path / "all", force=True)

    assert {path.name for path in tmp_path.iterdir()} == {"data", "all", "all.old", "all.part", "all.12345678.part"}
    for file in tmp_path.glob("*/diary.txt"):
        assert file.read_text() == file.parent.name


def test_a_link_is_no_name_for_a_folder_and_that_is_said_before_the_work(data, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "write_object", lambda *_: pytest.fail("the work was begun"))
    (tmp_path / "real").mkdir()
    for target in ("real", "nowhere", "link"):
        (tmp_path / "link").unlink(missing_ok=True)
        (tmp_path / "link").symlink_to(target)

        for force in (False, True):
            with pytest.raises(WrongValue, match="link is there already.*it is a link"):
                exported_all(data, tmp_path / "link", force=force)


def test_of_two_exports_to_one_folder_the_second_is_told_and_the_first_is_whole(data, tmp_path):
    others = []

    def another(done: int, total: int) -> None:
        if not others:
            others.append(exported_all(data, tmp_path / "all").objects)

    with pytest.raises(WrongValue, match="all is there already"):
        export_objects(stored_classes(data), tmp_path / "all", force=False, progress=another)

    assert len(list(read_index(tmp_path / "all"))) == others[0] == 3
    assert {path.name for path in tmp_path.iterdir()} == {"data", "all"}


def test_a_folder_that_cannot_get_its_name_leaves_the_one_before_it(data, tmp_path, monkeypatch):
    exported_all(data, tmp_path / "all")
    before = sorted(path.name for path in (tmp_path / "all" / "Box").iterdir())
    replace = os.replace

    def fails_for_the_new_one(source: Path, target: Path) -> None:
        if source.name == "made":
            raise OSError(errno.EIO, "Input/output error")
        replace(source, target)

    monkeypatch.setattr(os, "replace", fails_for_the_new_one)
    with pytest.raises(OSError, match="Input/output error"):
        exported_all(data, tmp_path / "all", force=True)

    assert sorted(path.name for path in (tmp_path / "all" / "Box").iterdir()) == before
    assert {path.name for path in tmp_path.iterdir()} == {"data", "all"}


def test_a_folder_whose_index_is_another_s_is_no_earlier_export(data, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / INDEX).write_text('{"my": "lines"}\n')

    with pytest.raises(WrongValue, match="it is no earlier export"):
        exported_all(data, tmp_path / "mine", force=True)


def test_an_object_that_is_damaged_is_left_out_and_named_and_the_others_are_there(data, tmp_path):
    flip_bit_at(stored_class(data, "Box").database, "kv", b"to be found in here")

    made = exported_all(data, tmp_path / "all")

    assert "two" in [line.name for line, _ in read_index(tmp_path / "all")]
    assert ("Box", "one") in [(each["class"], each["name"]) for each in made.left_out]
    assert "cannot be read" in made.left_out[0]["error"]


def test_a_disk_that_is_full_leaves_no_folder(data, tmp_path, monkeypatch):
    written = []

    def full_at_second(stored, file):
        if written:
            raise OSError(28, "No space left on device")
        written.append(file)

    monkeypatch.setattr(
        module, "write_object", lambda stored, file: (full_at_second(stored, file), file.write_bytes(b"x"))
    )
    with pytest.raises(OSError, match="No space left"):
        exported_all(data, tmp_path / "all")

    assert {path.name for path in tmp_path.iterdir()} == {"data"}


def test_all_objects_of_a_class_are_of_one_instant_while_the_folder_is_served(tmp_path):
    """Two objects are always written in this order: what the second has, the first has too."""

    async def scenario():
        async with perdure.open(tmp_path / "data", objects=[Box, Other]) as runtime:
            first, second = (runtime.env.Box.get_by_name(name) for name in ("a first", "b second"))
            await first.run("kv.put('n', 0)")
            await second.run("kv.put('n', 0)")
            exporting = asyncio.ensure_future(asyncio.to_thread(exported_all, tmp_path / "data", tmp_path / "all"))
            n = 0
            while not exporting.done():
                n += 1
                await first.run(f"kv.put('n', {n})")
                await second.run(f"kv.put('n', {n})")
            await exporting
            numbers = {}
            for line, file in read_index(tmp_path / "all"):
                connection = sqlite3.connect(file)
                ((numbers[line.name],),) = connection.execute("SELECT json FROM _perdure_kv").fetchall()
                connection.close()
            assert int(numbers["b second"]) <= int(numbers["a first"]) <= int(numbers["b second"]) + 1

    asyncio.run(scenario())


HEAD = json.dumps({"perdure_export": 1, "written_by": "0"})
LINE = {"class": "Box", "name": "one", "id": "0" * 64, "file": "Box/one.db", "bytes": 1}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "line 1"),
        ("{}", "line 1"),
        (json.dumps({"perdure_export": 2, "written_by": "9.0"}), "another Perdure"),
        (f"{HEAD}\nnonsense", "line 2"),
        (f"{HEAD}\n{json.dumps({**LINE, 'file': '../../etc/passwd'})}", "outside of the folder"),
        (f"{HEAD}\n{json.dumps({**LINE, 'file': '/etc/passwd'})}", "outside of the folder"),
        (f"{HEAD}\n{json.dumps({**LINE, 'file': 'link/passwd'})}", "outside of the folder"),
        (f"{HEAD}\n{json.dumps({**LINE, 'file': 'a' + chr(0)})}", "line 2"),
        (f"{HEAD}\n{json.dumps({**LINE, 'name': 'x' * 100_000})}", "line 2"),
        (f"{HEAD}\n" + "[" * 50_000, "line 2"),
    ],
)
def test_a_hostile_index_leads_nowhere(tmp_path, text, message):
    (tmp_path / INDEX).write_text(text)
    (tmp_path / "link").symlink_to("/etc")

    with pytest.raises(WrongValue, match=message):
        list(read_index(tmp_path))
