"""What holds the loop is named while it runs: object, method, line, how long, and the way out."""

import asyncio
from pathlib import Path

import pytest

from perdure.config import load_project
from perdure.host.host import Host
from perdure.host.watchdog import Watchdog
from perdure.web import Request
from tests.host.projects import write_project

MAIN = """
import time
from perdure import DurableObject, Response

class Room(DurableObject):
    async def post(self):
        time.sleep(0.2)  # here

async def fetch(request, env):
    await env.ROOM["lobby"].post()
    return Response("done")
"""


def test_an_object_that_sleeps_on_the_loop_is_named_with_its_line(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        project = load_project(write_project(tmp_path, MAIN, classes=["Room"]) / "wrangler.toml")
        host = await Host.start(project, tmp_path / "data")
        watchdog = Watchdog(tmp_path)
        watchdog.start()
        await host.worker.fetch(Request("http://localhost/"))
        await asyncio.sleep(0.05)  # the loop's turn is noted by the watchdog's own timer
        watchdog.stop()
        await host.close()

    asyncio.run(scenario())

    said = caplog.text
    for part in ("Room/lobby", "post()", "main.py:7", "held the loop", "asyncio.to_thread"):
        assert part in said, f"{part!r} is not in:\n{said}"
