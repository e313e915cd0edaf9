"""`perdure.asgi`: a Worker for whoever runs an ASGI server already, alone or mounted in another application.

Must stay true: a runtime that is given is only used, whoever opened it closes it; one that is opened here is opened once,
by the server's lifespan or at the first request, in no request's context, and closed with the lifespan or the loop.
See tests/host/test_asgi.py.
"""

import asyncio
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextvars import copy_context
from pathlib import Path
from types import ModuleType
from typing import Any, TypeAlias

from perdure.config import DATA_FOLDER
from perdure.edge.asgi import Receive, Send, serve_http
from perdure.host.embedded import check_worker
from perdure.host.opening import folder_of, open
from perdure.host.runtime import Runtime
from perdure.model.errors import WrongType
from perdure.web.request import Request
from perdure.web.response import Response

ASGIApp: TypeAlias = Callable[
    [
        MutableMapping[str, Any],
        Callable[[], Awaitable[MutableMapping[str, Any]]],
        Callable[[MutableMapping[str, Any]], Awaitable[None]],
    ],
    Awaitable[None],
]

NO_WEBSOCKETS = "this application serves no WebSockets yet\n"


def asgi(
    worker: Runtime | str | os.PathLike[str] | ModuleType, *, data: str | os.PathLike[str] | None = None
) -> ASGIApp:
    """An ASGI 3 application that serves a Worker: run it with uvicorn, or mount it in Starlette, FastAPI or Django.

    worker: an open runtime, which stays yours to close; or a configuration's path, a main module or its path, which is
    opened when the server starts, or at the first request where nobody says that it does, and closed when it stops.
    data: the folder of what is opened here; else `.perdure/state` beside the configuration. The Worker sees the path
    below the place where the application is mounted. One process serves one folder: uvicorn with one worker.
    """
    if isinstance(worker, Runtime):
        if data is not None:
            raise WrongType(
                what="data= was given with a runtime, which has its folder already", next_step="leave data= out"
            )
        return _Application(_Given(worker))
    if not isinstance(worker, str | os.PathLike | ModuleType):
        raise WrongType(
            what=f"asgi() takes a runtime, a configuration's path or a main module, not {type(worker).__name__}",
            next_step="write perdure.asgi('wrangler.toml'), or perdure.asgi(rt) with rt = await perdure.open(...)",
        )
    check_worker(worker)
    source = worker if isinstance(worker, ModuleType) else os.path.abspath(worker)
    return _Application(_Owned(source, folder_of(data) if data is not None else _beside(source)))


class _Given:
    """A runtime that somebody else opened and closes."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    async def opened(self) -> Runtime:
        return self._runtime

    async def close(self) -> None:
        """Nothing."""


class _Owned:
    """A runtime that the application opens and closes."""

    def __init__(self, source: str | ModuleType, folder: Path) -> None:
        self._source = source
        self._folder = folder
        # What it opens outlives the request that is first: that one's context must not become everybody's.
        self._context = copy_context()
        self._life: AsyncGenerator[Runtime] | None = None
        self._opening: asyncio.Task[Runtime] | None = None

    async def opened(self) -> Runtime:
        """The runtime, opened if it is not; all who come meanwhile wait for the same. A failure is tried anew."""
        if self._opening is None:
            self._life = self._live()
            loop = asyncio.get_running_loop()
            self._opening = loop.create_task(self._begin(self._life), context=self._context)
        return await asyncio.shield(self._opening)

    async def close(self) -> None:
        if self._life is not None:
            await self._life.aclose()

    async def _begin(self, life: AsyncGenerator[Runtime]) -> Runtime:
        return await anext(life)

    async def _live(self) -> AsyncGenerator[Runtime]:
        # A generator, because a loop that ends closes those that are open: also where no lifespan says so.
        try:
            async with open(self._folder, worker=self._source) as runtime:
                yield runtime
        finally:
            self._opening = self._life = None


class _Application:
    """The ASGI application."""

    def __init__(self, home: _Given | _Owned) -> None:
        self._home = home

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http":
            await serve_http(self._answer, scope, receive, send)
        elif kind == "lifespan":
            await self._lifespan(receive, send)
        elif kind == "websocket":
            await _refuse_websocket(scope, receive, send)
        else:
            raise WrongType(
                what=f"perdure.asgi() was called for {kind!r}", next_step="serve it over HTTP, with an ASGI 3 server"
            )

    async def _answer(self, request: Request) -> Response:
        runtime = await self._home.opened()
        return await runtime.answer(request)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self._home.opened()
        except Exception as error:  # whatever it is, the server has to hear it, and its log to show it
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        try:
            await self._home.close()
        except Exception as error:  # the same
            await send({"type": "lifespan.shutdown.failed", "message": str(error)})
            return
        await send({"type": "lifespan.shutdown.complete"})


def _beside(source: str | ModuleType) -> Path:
    place = getattr(source, "__file__", None) if isinstance(source, ModuleType) else source
    if place is None:
        raise WrongType(
            what="a module without a file has no place for its data",
            next_step="say where: perdure.asgi(main, data=...)",
        )
    path = Path(os.path.abspath(place))
    return (path if path.is_dir() else path.parent) / DATA_FOLDER


async def _refuse_websocket(scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
    await receive()
    if "websocket.http.response" not in (scope.get("extensions") or {}):
        await send({"type": "websocket.close", "code": 1011, "reason": NO_WEBSOCKETS.strip()})
        return
    headers = [(b"content-type", b"text/plain;charset=UTF-8")]
    await send({"type": "websocket.http.response.start", "status": 501, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": NO_WEBSOCKETS.encode()})
