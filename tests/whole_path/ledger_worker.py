"""A Worker whose objects keep every note that was posted to them, in order: what the power-cut and kill runs drive.

POST /<ledger>/rpc     the note of the body, through a method of the object
POST /<ledger>/fetch   through its fetch
POST /<ledger>/twice   both notes or none, in one transaction
POST /<ledger>/there   here, and then at the object "<ledger> other"
GET  /<ledger>/notes   all of them, one a line
"""

import asyncio

from perdure import DurableObject, Env, Namespace, Request, Response


class Ledger(DurableObject["LedgerEnv"]):
    def add(self, note: str) -> int:
        kv = self.ctx.storage.kv
        number = kv.get_as(int, "count", 0) + 1
        kv.put("count", number)
        kv.put(f"note {number:06}", note)
        return number

    async def add_twice(self, note: str) -> int:
        """Both notes or none: one transaction over an await."""
        async with self.ctx.storage.transaction():
            self.add(f"{note} first")
            await asyncio.sleep(0)
            return self.add(f"{note} second")

    async def add_here_and_there(self, note: str, other: str) -> int:
        """What the other object was told, this one has."""
        number = self.add(note)
        await self.env.LEDGER[other].add(f"{note} heard")
        return number

    async def fetch(self, request: Request) -> Response:
        return Response(str(self.add(await request.text())))

    def notes(self) -> list[str]:
        count = self.ctx.storage.kv.get_as(int, "count", 0)
        notes = list(self.ctx.storage.kv.list(prefix="note "))
        assert [key for key, _ in notes] == [f"note {number:06}" for number in range(1, count + 1)], "half a unit"
        return [note for _, note in notes]


class LedgerEnv(Env):
    LEDGER: Namespace[Ledger]


async def fetch(request: Request, env: LedgerEnv) -> Response:
    _, ledger, way = request.path.split("/")
    note = await request.text()
    match way:
        case "rpc":
            return Response(str(await env.LEDGER[ledger].add(note)))
        case "twice":
            return Response(str(await env.LEDGER[ledger].add_twice(note)))
        case "there":
            return Response(str(await env.LEDGER[ledger].add_here_and_there(note, f"{ledger} other")))
        case "notes":
            return Response("\n".join(await env.LEDGER[ledger].notes()))
        case _:
            return await env.LEDGER[ledger].fetch(request.url, method="POST", body=note)
