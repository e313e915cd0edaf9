"""`perdure alarms`: what is to come, what was given up, and what can be done about it."""

import asyncio
import json
from datetime import timedelta

import pytest
from typer.testing import CliRunner

from perdure.cli.app import app
from perdure.cli.exit_code import ExitCode
from perdure.host.control_client import FolderAccess
from perdure.host.inspection_request import ListAlarms, RetryAlarm
from tests.cli.data_folders import Room, fill

PATIENCE_S = 20


@pytest.fixture
def perdure(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    return lambda *arguments: CliRunner().invoke(app, ["alarms", *arguments, "--data", str(tmp_path / "data")])


def listed(perdure, *options):
    return json.loads(perdure("list", "--json", *options).stdout)["alarms"]


@pytest.fixture
def given_up(tmp_path):
    """Room/ann's alarm was given up; Room/bob's is to come in an hour."""

    async def prepare(runtime):
        await runtime[Room]["bob"].wake(timedelta(hours=1))
        await runtime[Room]["ann"].wake(timedelta(0))
        access = await FolderAccess.open(tmp_path / "data")
        async with asyncio.timeout(PATIENCE_S):
            while not (await access.ask(ListAlarms()))["alarms"][0]["retries"]:
                await asyncio.sleep(0)
            await access.ask(RetryAlarm("Room", "ann"))
            while not (await access.ask(ListAlarms(dead=True)))["alarms"]:
                await asyncio.sleep(0)
        await access.close()

    fill(tmp_path / "data", prepare)


@pytest.mark.usefixtures("given_up")
def test_those_to_come_and_those_given_up_are_listed_with_their_error(perdure):
    assert [each["name"] for each in listed(perdure)] == ["bob"]
    (dead,) = listed(perdure, "--dead")
    assert (dead["class"], dead["name"], dead["retries"]) == ("Room", "ann", 1)

    shown = perdure("list", "--dead")
    assert shown.exit_code == ExitCode.OK
    assert "RuntimeError: nobody is in" in shown.stdout


@pytest.mark.usefixtures("given_up")
def test_one_that_was_given_up_is_due_again_after_a_retry(perdure):
    retried = perdure("retry", "Room", "ann", "--dead")

    assert retried.exit_code == ExitCode.OK, retried.output
    assert retried.stdout.startswith("Room/ann: the alarm of 2")
    assert [each["name"] for each in listed(perdure)] == ["ann", "bob"]
    assert listed(perdure, "--dead") == []


@pytest.mark.usefixtures("given_up")
def test_one_is_dropped_and_what_is_not_there_is_said(perdure):
    assert perdure("drop", "Room", "ann", "--dead").stdout == "Room/ann: 1 alarm dropped\n"
    assert perdure("drop", "Room", "bob").stdout == "Room/bob: 1 alarm dropped\n"
    assert perdure("list").stdout == "No alarms\n"
    assert perdure("list", "--dead").stdout == "No alarms were given up\n"

    again = perdure("drop", "Room", "bob")
    assert again.exit_code == ExitCode.ERROR
    assert "perdure alarms list" in again.stderr


@pytest.mark.usefixtures("given_up")
def test_one_that_has_not_failed_is_never_run_early(perdure):
    refused = perdure("retry", "Room", "bob")

    assert refused.exit_code == ExitCode.ERROR
    assert "never run early" in refused.stderr
