"""`perdure objects restore` and `fork`, as run: each says what undoes it, to people and to programs."""

import json
import re

import pytest
from typer.testing import CliRunner

from perdure.cli.app import app
from perdure.cli.exit_code import ExitCode
from tests.cli.data_folders import Room, fill


@pytest.fixture
def objects(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")

    async def prepare(runtime):
        await runtime[Room]["ann"].say("one")
        await runtime[Room]["ann"].keep("colour", "red")

    folder = str(fill(tmp_path / "data", prepare))
    return lambda *arguments: CliRunner().invoke(app, ["objects", *arguments, "--data", folder])


def undoing(result) -> str:
    assert result.exit_code == ExitCode.OK, result.output
    return re.search(r"^The bookmark that undoes it: (\S+)$", result.stdout, re.M)[1]


def test_what_was_deleted_is_restored_by_the_bookmark_that_was_printed(objects):
    back = objects("restore", "Room", "ann", "--at", undoing(objects("delete", "Room", "ann")))

    assert back.stdout.startswith("Restored Room/ann\n")
    assert objects("sql", "Room", "ann", "SELECT text FROM said").stdout == "text\none\n"
    again = json.loads(objects("restore", "Room", "ann", "--at", undoing(back), "--json").stdout)
    assert (again["name"], again["exists"]) == ("ann", False)


def test_a_fork_is_another_object_and_replaces_one_only_if_asked(objects):
    made = json.loads(objects("fork", "Room", "ann", "copy", "--json").stdout)
    assert (made["class"], made["name"], made["bookmark"], made["alarm"]) == ("Room", "copy", None, None)
    assert objects("sql", "Room", "copy", "SELECT text FROM said").stdout == "text\none\n"

    refused = objects("fork", "Room", "ann", "copy")
    assert (refused.exit_code, "--replace" in refused.stderr) == (ExitCode.ERROR, True)
    replaced = objects("fork", "Room", "ann", "copy", "--replace")
    assert replaced.stdout.startswith("Forked: Room/copy\n")
    undoing(replaced)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["restore", "Room", "ann", "--at", "noon"], "neither a bookmark nor a time"),
        (["restore", "Room", "nobody", "--at", "2026-01-01T00:00Z"], "had no object 'nobody' then"),
        (["fork", "Room", "an", "copy"], "did you mean 'ann'?"),
        (["fork", "Room", "ann", "ann"], "perdure objects restore"),
    ],
)
def test_a_mistake_is_answered_with_the_next_step_and_ends_with_1(objects, words, said):
    result = objects(*words)

    assert result.exit_code == ExitCode.ERROR
    assert said in result.stderr
    assert "next: " in result.stderr
