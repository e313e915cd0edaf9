"""Objects in a plain script: no server, no configuration, one folder for the data.

    $ python guests.py ann bob ann
    ann: 2 visits
    bob: 1 visit
    $ python guests.py bob
    bob: 2 visits

Each guest is an object with a name. It counts by itself, so calls may run side by side; what it counted is on disk before
the call returns, so it is there the next time, also if the script is killed in between.
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


class Guest(perdure.DurableObject):
    async def visit(self) -> None:
        kv = self.ctx.storage.kv
        visits = kv.get_as(Visits, "visits", Visits(0, perdure.now()))
        kv.put("visits", Visits(visits.count + 1, perdure.now()))

    async def visits(self) -> int:
        visits = self.ctx.storage.kv.get_as(Visits, "visits")
        return 0 if visits is None else visits.count


async def main(names: list[str], folder: str = "guests-data/") -> None:
    async with perdure.open(folder, objects=[Guest]) as rt:
        guests = rt[Guest]
        await asyncio.gather(*(guests[name].visit() for name in names))
        for name in sorted(set(names)):
            count = await guests[name].visits()
            print(f"{name}: {count} visit{'' if count == 1 else 's'}")


if __name__ == "__main__":
    try:
        asyncio.run(main(sys.argv[1:]))
    except perdure.DataFolderLocked as error:
        sys.exit(str(error))  # who has the folder, since when, and what to do
