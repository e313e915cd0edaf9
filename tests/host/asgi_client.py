"""An ASGI server in the test's own process: lifespan, state, and a client."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx


@asynccontextmanager
async def lifespan_of(app, state: dict[str, Any] | None = None) -> AsyncIterator[dict[str, Any]]:
    """What a server does around its requests; gives what the application said at the start. state: filled by it."""
    to_app: asyncio.Queue = asyncio.Queue()
    from_app: asyncio.Queue = asyncio.Queue()
    scope = {"type": "lifespan", "state": {} if state is None else state}
    running = asyncio.create_task(app(scope, to_app.get, from_app.put))
    to_app.put_nowait({"type": "lifespan.startup"})
    said = await from_app.get()
    yield said
    if said["type"].endswith("complete"):
        to_app.put_nowait({"type": "lifespan.shutdown"})
        assert (await from_app.get())["type"] == "lifespan.shutdown.complete"
    await running


def client_of(app, state: dict[str, Any] | None = None) -> httpx.AsyncClient:
    """A client whose requests go straight to the application."""

    async def with_state(scope, receive, send):
        await app({**scope, "state": dict(state or {})}, receive, send)

    return httpx.AsyncClient(transport=httpx.ASGITransport(with_state), base_url="http://shop.example")
