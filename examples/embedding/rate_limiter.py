"""A rate limit per client as a FastAPI dependency: exact, kept over restarts, with nothing to run beside the application.

    uvicorn rate_limiter:app

One process owns the data folder: run one worker (`--workers 2` is refused with a message that says so).
"""

import math
import os
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, FastAPI, HTTPException, Request

import perdure

PER_SECOND = 1.0
BURST = 3


@dataclass(frozen=True, slots=True)
class Bucket:
    """Tokens, and when they were counted, in seconds since the epoch."""

    tokens: float
    at: float


class Client(perdure.DurableObject):
    async def take(self, per_second: float, burst: int) -> float:
        """Take a token; gives how many seconds to wait if there is none, else 0."""
        kv = self.ctx.storage.kv
        now = perdure.now().timestamp()
        bucket = kv.get_as(Bucket, "bucket", Bucket(burst, now))
        tokens = min(burst, bucket.tokens + max(0.0, now - bucket.at) * per_second)
        if tokens < 1:
            return (1 - tokens) / per_second
        kv.put("bucket", Bucket(tokens - 1, now))
        return 0.0


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[dict[str, perdure.Runtime]]:
    async with perdure.open(os.environ.get("DATA", "data/"), objects=[Client]) as rt:
        yield {"rt": rt}


async def runtime(request: Request) -> perdure.Runtime:
    rt: perdure.Runtime = request.state.rt
    return rt


async def limited(request: Request, rt: Annotated[perdure.Runtime, Depends(runtime)]) -> None:
    name = request.client.host if request.client else "unknown"
    wait_s = await rt[Client][name].take(PER_SECOND, BURST)
    if wait_s:
        raise HTTPException(429, "slow down", headers={"retry-after": str(math.ceil(wait_s))})


app = FastAPI(lifespan=lifespan)


@app.get("/", dependencies=[Depends(limited)])
async def hello() -> str:
    return "hello"
