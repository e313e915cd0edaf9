"""Mistakes on the command line, and those that `perdure check` finds without running anything."""

import socket
from pathlib import Path

import pytest
from typer.testing import CliRunner

from perdure.cli.app import app
from tests.mistakes.project import FETCH, TOML, WITH_ROOM
from tests.workers.world import write_project


@pytest.fixture
def perdure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> CliRunner:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "200")
    return CliRunner()


OPTIONS = {
    "a port that there is not": (
        ["dev", "--port", "99999"],
        ["Invalid value for '--port'", "65535", "perdure dev -h"],
    ),
    "a port in words": (["dev", "--port", "many"], ["Invalid value for '--port'", "integer", "perdure dev -h"]),
    "an option misspelt": (["dev", "--prot", "1"], ["perdure dev has no option --prot", "did you mean --port?"]),
    "a command misspelt": (["devv"], ["perdure has no command devv", "did you mean dev?"]),
    "a certificate without its key": (
        ["dev", "--cert", "a.pem"],
        ["Invalid value for --key", "--cert and --key belong together"],
    ),
    "a variable without a colon": (
        ["dev", "--var", "GREETING=hello"],
        ["Invalid value for --var", "'GREETING=hello' is not KEY:VALUE", "write --var GREETING:hello"],
    ),
    "a level that there is not": (
        ["dev", "--log-level", "loud"],
        ["Invalid value for --log-level", "'loud' is none of", "debug"],
    ),
}


@pytest.mark.parametrize("made", OPTIONS)
def test_an_option_that_cannot_be_understood_is_named_with_what_can(perdure: CliRunner, made: str) -> None:
    arguments, parts = OPTIONS[made]

    result = perdure.invoke(app, arguments)

    assert result.exit_code == 2
    for part in [*parts, "error: ", "next: "]:
        assert part in result.output, f"{part!r} is not in:\n{result.output}"


def test_a_port_that_is_taken_is_named_with_its_holder(perdure: CliRunner, tmp_path: Path) -> None:
    write_project(tmp_path, {"main.py": FETCH, "wrangler.toml": TOML})
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]

        result = perdure.invoke(app, ["dev", "--no-reload", "--port", str(port)])

    assert result.exit_code == 1
    for part in (f"port {port} of 127.0.0.1 is taken", "listens there", "next: stop it, name another with --port"):
        assert part in result.output


CODE = """\
import asyncio, time, urllib.request
from perdure import DurableObject, Env, Namespace, Response


class Room(DurableObject["E"]):
    def count(self) -> int:
        return 1

    async def many(self):
        await asyncio.gather(self.ctx.storage.get("a"), self.ctx.storage.get("b"))
        time.sleep(1)
        urllib.request.urlopen("http://a/")


class E(Env):
    ROOMS: Namespace[Room]


async def fetch(request, env: E):
    env.ROOMS["a"].many()
    if env.ROOMS["a"].count() == 1:
        return Response("one")
    return Response("more")
"""
FOUND = {
    "a plain def": ("main.py:6", "Room.count is a plain def", "callers have to await it", "write async def"),
    "gather over storage": (
        "main.py:10",
        "asyncio.gather over storage.get() ends the unit",
        "is committed apart",
        "use",
    ),
    "time.sleep": ("main.py:11", "time.sleep holds the loop", "every other object", "write await asyncio.sleep(...)"),
    "a blocking request": (
        "main.py:12",
        "urlopen holds the loop",
        "every other object",
        "await asyncio.to_thread(...)",
    ),
    "a call that nobody waits for": ("main.py:20", "nobody waits for", "are dropped", "await it, or hand it to"),
    "a call used as its result": ("main.py:21", "is used as if it were the result", "comes later", "await it"),
}


def test_check_finds_what_runs_but_does_something_else(perdure: CliRunner, tmp_path: Path) -> None:
    write_project(tmp_path, {"main.py": CODE, "wrangler.toml": WITH_ROOM})

    lines = perdure.invoke(app, ["check"]).output.splitlines()

    for made, parts in FOUND.items():
        assert any(all(part in line for part in parts) for line in lines), f"{made} is not in:\n" + "\n".join(lines)
