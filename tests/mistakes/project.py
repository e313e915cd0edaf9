"""What `perdure dev` says of a project: all of it, until the project serves or is refused."""

import asyncio
import io
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from perdure.cli.console import Console
from perdure.cli.dev_options import DevOptions
from perdure.cli.dev_session import Alone, DevSession
from perdure.host.loop import new_loop
from tests.workers.world import write_project

TOML = 'name = "shop"\nmain = "main.py"\n'
BINDING = '[[durable_objects.bindings]]\nname = "ROOMS"\nclass_name = "Room"\n'
MIGRATION = '[[migrations]]\ntag = "v1"\nnew_sqlite_classes = ["Room"]\n'
WITH_ROOM = TOML + BINDING + MIGRATION
FETCH = "from perdure import *\nasync def fetch(request, env): return Response('hi')\n"
ROOM = FETCH + "class Room(DurableObject): ...\n"


class UntilReady(Alone):
    """The place of a process that is told to stop as soon as it serves."""

    def __init__(self, console: Console) -> None:
        super().__init__(console)
        self._task = asyncio.current_task()

    def serves(self, url: str) -> None:
        super().serves(url)
        assert self._task is not None
        self._task.cancel()


def said_by_dev(folder: Path, files: Mapping[str, str], **options: object) -> str:
    """Write the project and serve it; gives what stands on the terminal then."""
    write_project(folder, files)
    out, err = io.StringIO(), io.StringIO()
    console = Console(out, err)

    async def session() -> None:
        given = DevOptions(**{"port": 0, **options})  # as the command gives them
        await DevSession(given, console, UntilReady(console)).run()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        with suppress(asyncio.CancelledError):  # by itself, once it was ready
            runner.run(session())
    return out.getvalue() + err.getvalue()
