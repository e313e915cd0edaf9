"""`perdure objects export` and `import`, as run: one object, or all, of a folder that is served or not."""

import asyncio
import json

import pytest
from typer.testing import CliRunner

import perdure
from perdure.cli.app import app
from perdure.cli.exit_code import ExitCode
from tests.host.stored import Box, Other, box, dump, work

READ = "result = kv.get('k')"


@pytest.fixture
def data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    work(tmp_path / "data", ("one", "kv.put('k', 1); sql.exec('CREATE TABLE t(x)')"), ("a/b", "kv.put('k', 2)"))
    return tmp_path / "data"


def run(*arguments, data):
    return CliRunner().invoke(app, ["objects", *map(str, arguments), "--data", str(data)])


def test_all_objects_are_exported_and_imported_elsewhere_with_their_names(data, tmp_path):
    made = json.loads(run("export", "--all", "all", "--json", data=data).stdout)
    assert (made["objects"], made["left_out"]) == (2, [])
    work(tmp_path / "elsewhere", ("three", "kv.put('k', 3)"))

    brought = run("import", "--all", "all", data=tmp_path / "elsewhere")

    assert (brought.exit_code, brought.stdout) == (ExitCode.OK, "Imported: 2 objects of all\n")
    assert work(tmp_path / "elsewhere", ("one", READ), ("a/b", READ), ("three", READ)) == [1, 2, 3]
    again = run("import", "--all", "all", data=tmp_path / "elsewhere")
    assert again.exit_code == ExitCode.ERROR
    assert "Box/one was left out: 'one' stores something already" in again.stderr
    assert run("import", "--all", "all", "--replace", data=tmp_path / "elsewhere").exit_code == ExitCode.OK


def test_a_class_alone_is_exported_and_an_empty_folder_too(data):
    assert json.loads(run("export", "Box", "--all", "boxes", "--json", data=data).stdout)["objects"] == 2
    assert json.loads(run("export", "Other", "--all", "others", "--json", data=data).stdout)["objects"] == 0
    refused = run("export", "Nothing", "--all", "none", data=data)
    assert (refused.exit_code, "no class of this data folder" in refused.stderr) == (ExitCode.ERROR, True)


def test_an_object_without_a_name_comes_back_only_to_the_folder_that_made_it(data, tmp_path):
    long = "x" * 4_000
    work(data, (long, "kv.put('k', 9)"))
    run("export", "--all", "all", data=data)
    assert run("import", "--all", "all", "--replace", data=data).exit_code == ExitCode.OK
    work(tmp_path / "elsewhere", ("three", "kv.put('k', 3)"))

    brought = run("import", "--all", "all", "--json", data=tmp_path / "elsewhere")

    assert brought.exit_code == ExitCode.PARTIAL
    answer = json.loads(brought.stdout)
    assert (answer["objects"], [each["name"] for each in answer["left_out"]]) == (2, [None])
    assert "no id of Box" in answer["left_out"][0]["error"]


def test_a_file_is_imported_into_a_folder_that_is_served_and_the_object_starts_with_it(data, tmp_path):
    run("export", "Box", "one", "one.db", data=data)

    async def scenario():
        async with perdure.open(data, objects=[Box, Other]) as runtime:
            await box(runtime, "two").run("kv.put('k', 'old')")
            refused = await asyncio.to_thread(run, "import", "Box", "two", "one.db", data=data)
            assert (refused.exit_code, "--replace" in refused.stderr) == (ExitCode.ERROR, True)

            done = await asyncio.to_thread(run, "import", "Box", "two", "one.db", "--replace", "--json", data=data)

            assert json.loads(done.stdout)["name"] == "two"
            assert await box(runtime, "two").run(READ) == 1
            back = json.loads(done.stdout)["bookmark"]
            await asyncio.to_thread(run, "restore", "Box", "two", "--at", back, data=data)
            assert await box(runtime, "two").run(READ) == "old"

    asyncio.run(scenario())
    run("export", "Box", "one", "again.db", data=data)
    assert dump(tmp_path / "again.db") == dump(tmp_path / "one.db")


@pytest.mark.parametrize(
    "words",
    [
        ["export", "Box", "one", "x\udcff.db"],
        ["export", "--all", "x\udcff"],
        ["import", "Box", "two", "x\udcff.db"],
        ["fork", "Box", "one", "x\udcff"],
    ],
)
def test_words_in_bytes_that_are_no_utf_8_are_refused_and_nothing_is_left(data, tmp_path, words):
    result = run(*words, data=data)

    assert (result.exit_code, "cannot be encoded as UTF-8" in result.stderr) == (ExitCode.ERROR, True)
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


@pytest.mark.parametrize(
    "words",
    [
        ["export", "Box"],
        ["export", "Box", "one", "--all", "all"],
        ["import", "Box", "one"],
        ["import", "Box", "--all", "all"],
    ],
)
def test_half_of_two_forms_is_a_usage_error(data, words):
    assert run(*words, data=data).exit_code == ExitCode.USAGE
