"""A Worker and its objects inside a program of somebody else's, on that program's loop.

Must stay true: the program's own tasks are left alone; whatever was acknowledged before `aclose` returned is on disk; after
it, or from another loop or thread, every use is an error that says so. See tests/host/test_runtime.py.
"""

import asyncio
import contextlib
import warnings
from threading import get_ident
from typing import Any, TypeVar

from perdure.host.host import Host
from perdure.host.runtime_objects import ObjectVerbs
from perdure.model.errors import Disconnected, NoHandler, WrongThread, WrongType
from perdure.objects.origin import ORIGIN
from perdure.web.body import Body
from perdure.web.headers import HeadersInit
from perdure.web.request import Request
from perdure.web.response import Response
from perdure.workers.env import Env
from perdure.workers.import_space import plain_name
from perdure.workers.namespace import Namespace

D = TypeVar("D")

LOCAL = "http://localhost"
"""Of a URL that is a path alone."""


class Runtime(ObjectVerbs):
    """Objects, and a Worker if one was given, inside this process. Made by `perdure.open`.

    `rt[Counter]` is the namespace of a class, `rt[Counter]["ann"]` a stub of one object, typed as the class.
    """

    _closing: asyncio.Task[None] | None = None

    def __init__(self, host: Host, path: str) -> None:
        self._host = host
        self._path = path
        self._loop = asyncio.get_running_loop()
        self._thread = get_ident()

    @property
    def env(self) -> Env:
        """What the Worker and the objects see as `env`: the bound classes, and what `env=` or a configuration gave."""
        return self._host.worker.env

    def __getitem__(self, cls: type[D], /) -> Namespace[D]:
        """All objects of a class that was opened. Raises WrongType for any other."""
        self._check()
        worker = self._host.worker
        return worker.namespace(worker.program.classes[self._named(cls)].cls)

    def _named(self, cls: type[Any]) -> str:
        """The name of a class that was opened."""
        for name, spec in self._host.worker.program.classes.items():
            if spec.cls is cls or self._is_its_import(spec.cls, cls):
                return name
        raise self._unknown(cls)

    async def fetch(
        self, input: str | Request, *, method: str | None = None, headers: HeadersInit | None = None, body: Body = None
    ) -> Response:
        """Call the Worker's `fetch`; gives what it returns, and raises what it raises.

        input: a request, a URL, or a path: "/a?b=c" stands for "http://localhost/a?b=c".
        Raises NoHandler if the runtime has no Worker.
        """
        self._check()
        worker = self._host.worker
        if worker.program.handler is None and worker.program.main is None:
            raise NoHandler(
                what="this runtime has no Worker to fetch from",
                where=self._path,
                why="it was opened with objects alone",
                next_step="give it one: perdure.open(..., worker=fetch), or call the objects: rt[Counter]['a']",
            )
        if isinstance(input, str) and input.startswith("/"):
            input = LOCAL + input
        if not isinstance(input, Request) or method is not None or headers is not None or body is not None:
            input = Request(input, method=method, headers=headers, body=body)
        request = Request.for_callee(input, input.take_body())
        response = await self.answer(request)
        return Response.for_caller(response, request, response.take_body())

    async def answer(self, request: Request) -> Response:
        """The response of the Worker itself to a request that was received: for servers."""
        self._check()
        # The Worker marks the context that it runs in, and this one is its caller's.
        token = ORIGIN.set(None)
        try:
            return await self._host.worker.fetch(request)
        finally:
            ORIGIN.reset(token)

    async def aclose(self) -> None:
        """Let running events end (for at most 10 s), close the folder, and let others have it. Again: nothing."""
        self._check_place()
        if self._closing is None:
            self._closing = self._loop.create_task(self._host.close())
        # A caller that is cancelled leaves; what it began goes on, or the folder would stay half closed.
        await asyncio.shield(self._closing)

    def __del__(self) -> None:
        if self._closing is None:
            # Only said: closing takes a running loop. What was acknowledged is on disk.
            warnings.warn(
                f"unclosed {self!r}: nobody else can open its folder until this process ends; "
                "use `async with perdure.open(...)`, or await rt.aclose() at the end",
                ResourceWarning,
                source=self,
                stacklevel=2,
            )

    def __repr__(self) -> str:
        state = "" if self._closing is None else ", closed"
        return f"<Runtime {self._path}: {', '.join(self._host.worker.program.classes) or 'no classes'}{state}>"

    def _is_its_import(self, loaded: type[Any], cls: object) -> bool:
        """Whether `cls` is what the program gets by importing the module that a path named: the same class, loaded twice."""
        return (
            isinstance(cls, type)
            and loaded.__module__ != cls.__module__
            and plain_name(loaded.__module__) == cls.__module__
            and loaded.__qualname__ == cls.__qualname__
        )

    def _unknown(self, cls: object) -> WrongType:
        classes = {spec.cls for spec in self._host.worker.program.classes.values()}
        if not isinstance(cls, type):
            return WrongType(
                what=f"a runtime is indexed by a class, not by {cls!r}",
                where=self._path,
                why="a class stands for all its objects",
                next_step="write rt[Counter]['a'] for the object 'a', rt.env['COUNTER'] for a binding",
            )
        if any(each.__module__ == cls.__module__ and each.__qualname__ == cls.__qualname__ for each in classes):
            return WrongType(
                what=f"{cls.__qualname__} was defined anew since the runtime was opened",
                where=self._path,
                why="its objects run the code of the class that was opened",
                next_step="close the runtime and open it with the new class: await rt.aclose()",
            )
        known = ", ".join(sorted(each.__qualname__ for each in classes)) or "none"
        return WrongType(
            what=f"{cls.__qualname__} is not an object class of this runtime",
            where=self._path,
            why=f"its classes are: {known}",
            next_step=f"open it with objects=[{cls.__name__}]",
        )

    def _check(self) -> None:
        self._check_place()
        if self._closing is not None:
            raise Disconnected(
                what="the runtime is closed",
                where=self._path,
                why="its block ended, or aclose() was called",
                next_step="open the folder again: perdure.open(...)",
            )

    def _check_place(self) -> None:
        running: asyncio.AbstractEventLoop | None = None
        with contextlib.suppress(RuntimeError):  # none runs in this thread
            running = asyncio.get_running_loop()
        if running is self._loop:
            return
        if get_ident() != self._thread:
            raise WrongThread(
                what="a runtime was used from another thread than the one that opened it",
                where=self._path,
                why="objects live on the thread of their loop",
                next_step="use it in an `async def`; from a thread: asyncio.run_coroutine_threadsafe(work(), loop)",
            )
        raise WrongThread(
            what="a runtime was used "
            + ("without a running event loop" if running is None else "on another event loop than the one it lives on"),
            where=self._path,
            why="objects live on the loop that opened them; each asyncio.run() makes a new one",
            next_step="open and use it within one asyncio.run(main())",
        )
