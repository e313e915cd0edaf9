"""`perdure query`: one statement over many objects."""

import json

import pytest
from typer.testing import CliRunner

from perdure.cli.app import app
from perdure.cli.exit_code import ExitCode
from perdure.host import inspection_sql
from tests.cli.data_folders import Room, fill


@pytest.fixture
def query(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")

    async def prepare(runtime):
        for name in ("ann", "bob", "cy"):
            await runtime[Room][name].say(f"{name} 1", f"{name} 2")
        await runtime[Room]["without"].keep("a", 1)

    folder = fill(tmp_path / "data", prepare)
    return lambda *arguments: CliRunner().invoke(app, ["query", *arguments, "--data", str(folder)])


def test_every_object_with_a_database_gives_its_rows_with_its_name_and_id(query):
    result = query("Room", "SELECT count(*) AS n FROM said", "--json")

    answer = json.loads(result.stdout)
    assert answer["columns"] == ["name", "id", "n"]
    assert [(name, n) for name, _, n in answer["rows"]] == [("ann", 2), ("bob", 2), ("cy", 2)]
    assert result.exit_code == ExitCode.OK


def test_the_answer_is_whole_when_it_comes_in_parts(query, monkeypatch):
    monkeypatch.setattr(inspection_sql, "QUERY_BYTES_MAX", 1)

    answer = json.loads(query("Room", "SELECT text FROM said", "--json").stdout)

    assert [text for _, _, text in answer["rows"]] == ["ann 1", "ann 2", "bob 1", "bob 2", "cy 1", "cy 2"]


def test_names_and_rows_are_limited_and_that_is_said(query):
    assert query("Room", "SELECT text FROM said", "--like", "b*").stdout.count("bob ") == 4

    limited = query("Room", "SELECT text FROM said", "--limit", "3").stdout
    assert len(limited.splitlines()) == 1 + 3 + 1
    assert "--limit" in limited


def test_a_statement_that_no_object_can_run_says_why_and_one_that_would_write_changes_nothing(query):
    unknown = query("Room", "SELECT * FROM sad")
    assert unknown.exit_code == ExitCode.ERROR
    assert "ann was left out" in unknown.stderr
    assert "no such table: sad" in unknown.stderr

    assert query("Room", "DELETE FROM said").exit_code == ExitCode.ERROR
    assert query("Room", "SELECT text FROM said").stdout.count(" 1\n") == 3


def test_objects_that_cannot_run_it_are_named_beside_those_that_can(query):
    drop = ["objects", "sql", "Room", "bob", "DROP TABLE said", "--write", "--data", "data"]
    assert CliRunner().invoke(app, drop).exit_code == ExitCode.OK

    result = query("Room", "SELECT text FROM said")

    assert result.exit_code == ExitCode.PARTIAL
    assert result.stdout.count("cy ") == 4
    assert "bob was left out" in result.stderr
