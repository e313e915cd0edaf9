"""Objects in a plain script, without a server or a configuration:

$ python visits.py ann bob ann
ann was here 2 times, last at 2026-11-24 09:00
bob was here 1 time, last at 2026-11-24 09:00
"""

import asyncio
import sys
from dataclasses import dataclass
from datetime import datetime

import perdure


@dataclass(frozen=True, slots=True)
class Visits:
    count: int
    last: datetime


class Visitor(perdure.DurableObject):
    async def visit(self) -> Visits:
        kv = self.ctx.storage.kv
        before = kv.get_as(Visits, "visits")
        visits = Visits(1 if before is None else before.count + 1, perdure.now())
        kv.put("visits", visits)
        return visits

    async def visits(self) -> Visits | None:
        return self.ctx.storage.kv.get_as(Visits, "visits")


async def main(names: list[str], folder: str = "visits-data/") -> None:
    async with perdure.open(folder, objects=[Visitor]) as rt:
        await asyncio.gather(*(rt[Visitor][name].visit() for name in names))
        async for info in rt[Visitor].list():
            visits = await rt[Visitor].get(info.id).visits()
            if visits is not None:
                times = "1 time" if visits.count == 1 else f"{visits.count} times"
                print(f"{info.name} was here {times}, last at {visits.last:%Y-%m-%d %H:%M}")


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1:]))
    except perdure.DataFolderLocked as error:
        sys.exit(str(error))  # names the process that has the folder, and what to do
