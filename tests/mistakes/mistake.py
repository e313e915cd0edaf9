"""A mistake that a new user makes, and what its message has to say: what, where, why, and what to do next.

A program is the real thing: a Worker with one object class, or files for the command line. `# here` marks the line that
the message has to name. Only frames of the user's own files may be shown.
"""

import re
import textwrap
from dataclasses import dataclass
from pathlib import Path

from perdure.cli.user_frames import user_traceback
from tests.workers.world import WorkersWorld, get

HERE = "# here"
PRELUDE = "import asyncio, json, threading\nfrom concurrent import futures\n"

COUNTER = """
class Counter(DurableObject):
    colour = "red"

    async def increment(self, by: int = 1) -> int:
        return by

    async def echo(self, value):
        return value

    async def call(self, name, *args):
        return await getattr(stub_of(self.env.COUNTER[name]), args[0])(*args[1:])

    def _secret(self): ...

    @staticmethod
    def version(): ...

    @property
    def size(self):
        return 3
"""


@dataclass(frozen=True)
class Mistake:
    """One mistake; `what`, `why` and `next_step` are parts of the message, `where` is one beside the line `# here`."""

    made: str
    program: str
    what: str
    why: str
    next_step: str
    where: str = ""

    def __str__(self) -> str:
        return self.made.replace(" ", "-")


def in_object(body: str) -> str:
    """A Worker whose object does this when it is called."""
    method = "\n    async def go(self, request):\n        storage, kv = self.ctx.storage, self.ctx.storage.kv\n"
    return (
        COUNTER
        + method
        + textwrap.indent(textwrap.dedent(body).strip("\n"), " " * 8)
        + in_worker('return Response(str(await env.COUNTER["a"].go(1)))', counter="")
    )


def in_worker(body: str, counter: str = COUNTER) -> str:
    """A Worker that does this when a request comes."""
    handler = "\nasync def fetch(request, env, ctx):\n    counter = env.COUNTER['a']\n"
    return counter + handler + textwrap.indent(textwrap.dedent(body).strip("\n"), " " * 4) + "\n"


def said_by_a_request(world: WorkersWorld, program: str) -> str:
    """What `perdure dev` shows of a request that fails: the traceback with the frames of the project."""

    async def scenario() -> str:
        worker = await world.worker(PRELUDE + program, bindings={"COUNTER": "Counter"}, variables={"GREETING": "hi"})
        try:
            response = await get(worker)
        except Exception as error:
            return user_traceback(error, world.folder)
        return f"no error, but {response.status}: {await response.text()}"

    return world.run(scenario)


def line_of_mistake(main: Path) -> int | None:
    """The number of the line that is marked, if one is."""
    lines = main.read_text().splitlines()
    return next((number for number, line in enumerate(lines, 1) if HERE in line), None)


def check(said: str, mistake: Mistake, main: Path) -> None:
    """All four parts are said, and no frame of another file is shown."""
    for part in (mistake.what, mistake.why, mistake.next_step, mistake.where):
        assert part in said, f"{part!r} is not in:\n{said}"
    line = line_of_mistake(main)
    assert mistake.where or line is not None, "a mistake has a place"
    if line is not None:
        assert re.search(rf'{main.name}"?(?:, line |:){line}\b', said), f"line {line} is not in:\n{said}"
    assert "/perdure/" not in said, f"frames that are not the user's:\n{said}"
