"""A Worker that does what its path says, each a mistake that somebody will make one day, beside an object that counts."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from typing import Any

from perdure import DurableObject, Env, Namespace, Request, Response

MIB = 1024 * 1024


class Counter(DurableObject["FaultyEnv"]):
    """Nobody does anything wrong here."""

    def add(self) -> int:
        number = self.ctx.storage.kv.get_as(int, "number", 0) + 1
        self.ctx.storage.kv.put("number", number)
        return number


class Faulty(DurableObject["FaultyEnv"]):
    def store(self, fault: str) -> None:
        put: Any = self.ctx.storage.kv.put
        match fault:
            case "function":
                put("x", lambda: 1)
            case "file-inside":
                with open(os.devnull) as file:
                    put("x", {"a": [1, {"b": file}]})
            case "cycle":
                cycle: list[Any] = []
                cycle.append(cycle)
                put("x", cycle)
            case "large":
                put("x", bytes(2 * MIB + 1))
            case "number-as-key":
                put(1, "x")
            case "surrogate-in-key":
                put("\ud800", "x")
            case "long-key":
                put("k" * 2_049, "x")
            case "65-mib":
                for number in range(65):
                    put(f"part {number}", bytes(MIB))

    async def exit(self, where: str) -> None:
        async def leave() -> None:
            sys.exit(3)

        match where:
            case "task":
                await asyncio.create_task(leave())
            case "background":
                self.ctx.wait_until(leave())
            case "blocking":
                await self.ctx.block_concurrency_while(leave)
            case "method":
                await leave()

    async def fetch(self, request: Request) -> Response:
        async def stream() -> AsyncIterator[bytes]:
            yield b"begun"
            sys.exit(3)

        return Response(stream())

    async def fork(self) -> int:
        self.ctx.storage.kv.put("x", 1)
        await self.ctx.storage.sync()  # so that the child has to ask the store
        child = os.fork()
        if child:
            _, status = os.waitpid(child, 0)
            return os.waitstatus_to_exitcode(status)
        try:
            self.ctx.storage.kv.get("x")
        except BaseException as error:
            os.write(2, f"the child got {type(error).__name__}: {error}\n".encode())
            os._exit(7)
        os._exit(0)


class Raises(Faulty):
    def __init__(self, ctx: Any, env: Any) -> None:
        raise ValueError("no start")


class Exits(Faulty):
    def __init__(self, ctx: Any, env: Any) -> None:
        sys.exit(4)


class Returns(Faulty):
    def __init__(self, ctx: Any, env: Any) -> None:
        return 7


class FaultyEnv(Env):
    COUNTER: Namespace[Counter]
    FAULTY: Namespace[Faulty]
    RAISES: Namespace[Raises]
    EXITS: Namespace[Exits]
    RETURNS: Namespace[Returns]


async def fetch(request: Request, env: FaultyEnv) -> Response:
    _, what, *more = request.path.split("/")
    faulty = env.FAULTY["x"]
    match what:
        case "count":
            return Response(str(await env.COUNTER["x"].add()))
        case "store":
            await faulty.store(more[0])
        case "exit":
            await faulty.exit(more[0])
        case "exit-in-stream":
            return await faulty.fetch(request)
        case "construct":
            await env[more[0].upper()]["x"].store("")
        case "fork":
            return Response(str(await faulty.fork()))
        case "worker-exits":
            sys.exit(3)
        case "worker-raises":
            raise KeyError("of the Worker")
        case "nothing":
            return None
        case "not-bound":
            return Response(str(env["FAULTLESS"]))
        case "no-method":
            await faulty.stroe("x")
        case "foreign-id":
            env.FAULTY.get(env.COUNTER.id_from_name("x"))
        case "body":
            return Response(str(len(await request.bytes())))
        case "stream":

            async def endless() -> AsyncIterator[bytes]:
                while True:
                    yield bytes(64 * 1024)

            return Response(endless())
        case "wait":
            await asyncio.Event().wait()
    return Response("done")
