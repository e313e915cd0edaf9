"""Data folders for tests of the commands that look into them, filled by objects that ran."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import perdure
from perdure import DurableObject, Limits


class Room(DurableObject):
    limits = Limits(alarm_retries=1)

    async def say(self, *texts: str) -> None:
        self.ctx.storage.sql.exec("CREATE TABLE IF NOT EXISTS said (text)")
        for text in texts:
            self.ctx.storage.sql.exec("INSERT INTO said VALUES (?)", text)

    async def keep(self, key: str, value: Any) -> None:
        self.ctx.storage.kv.put(key, value)

    async def wake(self, at: Any) -> None:
        await self.ctx.storage.set_alarm(at)

    async def alarm(self) -> None:
        raise RuntimeError("nobody is in")


class Other(DurableObject):
    async def keep(self, key: str, value: Any) -> None:
        self.ctx.storage.kv.put(key, value)


def fill(folder: Path, prepare: Callable[[Any], Awaitable[None]]) -> Path:
    """The folder, with what `prepare` did with a runtime of Room and Other; nobody has it open then."""

    async def run() -> None:
        async with perdure.open(folder, objects=[Room, Other]) as runtime:
            await prepare(runtime)

    asyncio.run(run())
    return folder
