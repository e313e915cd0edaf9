"""A token bucket per client as a FastAPI dependency: exact over restarts, nothing to run beside the application.

uvicorn rate_limiter:app        # one worker process: one process owns the data folder
"""

import math
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request

import perdure


@dataclass(frozen=True, slots=True)
class Decision:
    left: int
    wait_s: float  # 0.0: go ahead


@dataclass(frozen=True, slots=True)
class Level:
    tokens: float
    at: float  # seconds since the epoch


class Bucket(perdure.DurableObject):
    async def take(self, *, per_second: float, burst: int) -> Decision:
        kv = self.ctx.storage.kv
        now = perdure.now().timestamp()
        level = kv.get_as(Level, "level", Level(float(burst), now))
        tokens = min(float(burst), level.tokens + max(0.0, now - level.at) * per_second)
        if tokens < 1:
            return Decision(0, (1 - tokens) / per_second)
        kv.put("level", Level(tokens - 1, now))
        return Decision(math.floor(tokens - 1), 0.0)


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncGenerator[dict[str, perdure.Runtime]]:
    async with perdure.open("data/", objects=[Bucket]) as rt:
        yield {"rt": rt}


def objects(request: Request) -> perdure.Runtime:
    rt: perdure.Runtime = request.state.rt
    return rt


async def limited(request: Request, rt: Annotated[perdure.Runtime, Depends(objects)]) -> Decision:
    client = request.client.host if request.client else "unknown"
    try:
        decision = await rt[Bucket][client].take(per_second=1.0, burst=5)
    except perdure.Overloaded as error:
        raise HTTPException(503, "too busy to count") from error
    if decision.wait_s:
        raise HTTPException(429, "slow down", headers={"retry-after": str(math.ceil(decision.wait_s))})
    return decision


app = FastAPI(lifespan=lifespan)


@app.get("/")
async def hello(decision: Annotated[Decision, Depends(limited)]) -> dict[str, int]:
    return {"left": decision.left}
