"""A child of `perdure dev` while nobody can serve the project: it answers every request with what is broken.

Must stay true: it touches neither the project's code nor its data, so it is there whatever is wrong with them. See
tests/cli/test_reload.py.
"""

import asyncio
from collections.abc import Callable

from perdure.cli.broken import Broken
from perdure.cli.dev_console import console_for
from perdure.cli.dev_options import DevOptions
from perdure.cli.exit_code import ExitCode
from perdure.cli.succession import Succession
from perdure.edge import RequestLog, Server, tls_context
from perdure.host.loop import new_loop
from perdure.web import Request, Response

DRAIN_S = 1.0
"""For clients that have yet to take their answer."""


def run_stand_in(options: DevOptions, succession: Callable[[], Succession], broken: Broken) -> ExitCode:
    """Answer at the place's sockets until it is told to stop; `succession` is called in the loop."""
    console = console_for(options)

    async def answer(request: Request) -> Response:
        return broken.answer(request)

    def show(log: RequestLog) -> None:
        console.request_line(log.method, log.target, log.status, log.elapsed_ms)

    async def serve() -> None:
        place = succession()
        cert, key = options.cert, options.key
        server = Server(answer, ssl=None if cert is None or key is None else tls_context(cert, key), on_request=show)
        with place.stop() as stop:
            for listening in place.sockets:
                await server.start(sock=listening)
            await stop.wait()
            await server.drain(DRAIN_S)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(serve())
    return ExitCode.OK
