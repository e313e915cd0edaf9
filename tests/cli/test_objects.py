"""`perdure objects`: what an operator sees of a folder, whoever has it, and how a mistake is answered."""

import csv
import io
import json

import pytest
from typer.testing import CliRunner

from perdure.cli.app import app
from perdure.cli.exit_code import ExitCode
from tests.cli.data_folders import Room, fill
from tests.host.dev_process import DevProcess
from tests.host.projects import write_project


@pytest.fixture
def perdure(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    return lambda *arguments: CliRunner().invoke(app, list(arguments))


@pytest.fixture
def folder(tmp_path):
    async def prepare(runtime):
        await runtime[Room]["ann"].say("one", "two")
        await runtime[Room]["ann"].keep("colour", "red")
        await runtime[Room]["bob\x1b[31m"].keep("a", 1)

    return str(fill(tmp_path / "data", prepare))


def json_of(result):
    """The only object on stdout."""
    (line,) = result.stdout.splitlines()
    return json.loads(line)


def test_the_list_has_the_fields_of_every_object_and_goes_on_by_its_cursor(perdure, folder):
    first = json_of(perdure("objects", "list", "Room", "--limit", "1", "--data", folder, "--json"))
    second = json_of(perdure("objects", "list", "Room", "--after", first["cursor"], "--data", folder, "--json"))

    assert list(first["objects"][0]) == [
        "class", "name", "id", "created", "last_written", "bytes", "alarm", "sockets", "state",
    ]  # fmt: skip
    assert [each["name"] for each in first["objects"] + second["objects"]] == ["ann", "bob\x1b[31m"]
    assert second["cursor"] is None


def test_the_list_for_people_has_a_line_for_each_and_steers_no_terminal(perdure, folder):
    result = perdure("objects", "list", "--data", folder)

    assert result.exit_code == ExitCode.OK, result.output
    assert [line.split()[1] for line in result.stdout.splitlines()] == ["name", "ann", r"bob\x1b[31m"]
    assert "\x1b" not in result.stdout


def test_one_object_is_shown_with_keys_and_tables(perdure, folder):
    result = perdure("objects", "show", "Room", "ann", "--data", folder)

    assert result.exit_code == ExitCode.OK, result.output
    assert "said   2" in result.stdout
    assert "colour  1" in result.stdout


def test_rows_come_as_a_table_as_csv_and_as_json(perdure, folder):
    ask = (
        "objects",
        "sql",
        "Room",
        "ann",
        "SELECT text, x'00ff' AS raw, 1e999 AS much, NULL AS none FROM said LIMIT 1",
    )

    assert perdure(*ask, "--data", folder).stdout == "text  raw      much  none\none   x'00ff'  inf\n"
    rows = list(csv.reader(io.StringIO(perdure(*ask, "--data", folder, "--csv").stdout)))
    assert rows == [["text", "raw", "much", "none"], ["one", "x'00ff'", "inf", ""]]
    assert json_of(perdure(*ask, "--data", folder, "--json"))["rows"] == [["one", {"hex": "00ff"}, "inf", None]]


def test_a_write_needs_to_be_asked_for_and_says_what_it_did(perdure, folder):
    ask = ("objects", "sql", "Room", "ann", "DELETE FROM said WHERE text = 'one'", "--data", folder)

    refused = perdure(*ask)
    assert refused.exit_code == ExitCode.ERROR
    assert "--write" in refused.stderr

    assert perdure(*ask, "--write").stdout == "1 row written\n"
    assert perdure("objects", "sql", "Room", "ann", "SELECT text FROM said", "--data", folder).stdout == "text\ntwo\n"


def test_deleting_prints_the_bookmark_and_the_object_is_gone(perdure, folder):
    deleted = perdure("objects", "delete", "Room", "ann", "--data", folder)

    assert deleted.exit_code == ExitCode.OK, deleted.output
    assert "The bookmark that undoes it: 0" in deleted.stdout
    left = json_of(perdure("objects", "list", "--data", folder, "--json"))["objects"]
    assert [each["name"] for each in left] == ["bob\x1b[31m"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["list", "Rom"], "did you mean Room?"),
        (["show", "Room", "an"], "did you mean 'ann'?"),
        (["delete", "Room", "zoe-the-unknown"], "perdure objects list Room"),
        (["sql", "Room", "ann", "SELECT * FROM sad"], "no such table: sad"),
        (["list", "--after", "nonsense"], "no cursor"),
    ],
)
def test_a_mistake_is_answered_with_the_next_step_and_ends_with_1(perdure, folder, words, said):
    result = perdure("objects", *words, "--data", folder)

    assert result.exit_code == ExitCode.ERROR
    assert said in result.stderr
    assert "next: " in result.stderr
    refusal = perdure("objects", *words, "--data", folder, "--json")
    assert refusal.exit_code == ExitCode.ERROR
    assert json_of(refusal)["error"]["next_step"]


def test_a_folder_without_data_and_a_project_without_configuration_say_what_to_name(perdure, tmp_path):
    nothing = perdure("objects", "list", "--data", "nothing")
    assert nothing.exit_code == ExitCode.ERROR
    assert "--data" in nothing.stderr
    assert not (tmp_path / "nothing").exists()

    assert perdure("objects", "list").exit_code == ExitCode.CONFIG


def test_csv_and_json_together_are_a_mistake_of_the_command_line(perdure, folder):
    result = perdure("objects", "sql", "Room", "ann", "SELECT 1", "--csv", "--json", "--data", folder)

    assert result.exit_code == ExitCode.USAGE


@pytest.mark.parametrize("reload", [False, True], ids=["one process", "with a reload"])
def test_what_dev_has_acknowledged_is_seen_while_it_serves_and_after(perdure, tmp_path, reload):
    write_project(tmp_path)
    with DevProcess(tmp_path, reload=reload).wait_ready() as dev:
        dev.post("/ann", "kept")

        served = json_of(perdure("objects", "list", "--json"))["objects"]
        shown = json_of(perdure("objects", "show", "Keeper", "/ann", "--json"))
        dev.interrupt()
        dev.process.wait()

    alone = json_of(perdure("objects", "list", "--json"))["objects"]
    assert [(each["class"], each["name"], each["state"]) for each in served] == [("Keeper", "/ann", "live")]
    assert [each["key"] for each in shown["keys"]] == ["text"]
    assert [(each["name"], each["state"]) for each in alone] == [("/ann", "stored")]


def test_what_dev_has_acknowledged_before_it_was_killed_is_seen(perdure, tmp_path):
    write_project(tmp_path)
    with DevProcess(tmp_path).wait_ready() as dev:
        dev.post("/ann", "kept")

    listed = json_of(perdure("objects", "list", "--json"))["objects"]
    assert [each["name"] for each in listed] == ["/ann"]
