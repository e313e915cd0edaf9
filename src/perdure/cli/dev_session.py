"""One run of `perdure dev`: from the configuration to the last request answered.

Must stay true: what cannot be served is said with all its problems before the port answers; after "Ready" the server lives on
whatever user code does; a stop takes no new connections, lets running requests end, then closes the stores. See
tests/cli/test_dev_session.py and tests/host/.
"""

import asyncio
import dataclasses
import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from perdure.cli.address import Address, listen
from perdure.cli.broken import Broken
from perdure.cli.console import Console
from perdure.cli.dev_bindings import binding_table
from perdure.cli.dev_console import console_for
from perdure.cli.dev_options import DevOptions
from perdure.cli.error_page import ErrorPages
from perdure.cli.exit_code import ExitCode
from perdure.cli.log_lines import LogLines
from perdure.cli.stop_signal import StopSignal, stop_signal
from perdure.cli.user_frames import user_traceback
from perdure.cli.watch import Watched, imported_files
from perdure.config import DATA_FOLDER, DevSettings, Project, load_project
from perdure.config.identity import slug
from perdure.edge import RequestLog, tls_context
from perdure.host.assignment import Assignment
from perdure.host.clock import RealClock
from perdure.host.collector import Collector
from perdure.host.host import Host
from perdure.host.local_api import LocalApi
from perdure.host.loop import new_loop, raise_open_files_limit, share_interpreter_often
from perdure.host.mask import Mask
from perdure.host.rehearsal import rehearse
from perdure.host.version import VERSION
from perdure.host.watchdog import Watchdog
from perdure.model.errors import ConfigError, PerdureError, WrongValue
from perdure.web import Request, Response

STREAMS_S = 0.5
"""For an answer that streams when the server should end: an open stream of events must not hold up a reload."""


class Place(Protocol):
    """Where a session stands: alone, or in a line of processes that serve the same project one after the other."""

    @property
    def introduces(self) -> bool:
        """Whether it says what the project is and has."""
        ...

    @property
    def replaces(self) -> bool:
        """Whether another process serves until this one can."""
        ...

    def stop(self) -> AbstractContextManager[StopSignal]:
        """Set, inside the block, once it should end."""
        ...

    def address(self, listen: Callable[[], Address]) -> Address:
        """Where it serves: what `listen` gives, or what was handed to it."""
        ...

    def watch(self, watched: Watched) -> None:
        """These are the files that the project comes from."""

    async def wait_turn(self) -> None:
        """Returns once the data folder is free."""

    def serves(self, url: str) -> None:
        """It answers there from now on."""

    def failed(self, broken: Broken) -> None:
        """It cannot serve."""

    def closed(self) -> None:
        """Its stores are closed."""


class Alone:
    """The place of the only process there is."""

    introduces = True
    replaces = False

    def __init__(self, console: Console) -> None:
        self._console = console

    @contextmanager
    def stop(self) -> Iterator[StopSignal]:
        with stop_signal(self._console.stopping) as stop:
            yield stop

    def address(self, listen: Callable[[], Address]) -> Address:
        return listen()

    def watch(self, watched: Watched) -> None:
        """Nobody acts on changes."""

    async def wait_turn(self) -> None:
        """Nobody was before."""

    def serves(self, url: str) -> None:
        self._console.ready(url)

    def failed(self, broken: Broken) -> None:
        """Nobody else answers."""

    def closed(self) -> None:
        """Nobody comes after."""


class DevSession:
    """Serves one project until somebody wants it to end."""

    def __init__(self, options: DevOptions, console: Console, place: Place | None = None) -> None:
        self._options = options
        self._console = console
        self._place = place or Alone(console)

    async def run(self) -> ExitCode:
        """Serve; gives the exit code for how it ended."""
        try:
            with self._place.stop() as stop:
                project = self._load()
                self._console.mask = Mask(project.secrets.values())
                if self._place.introduces:
                    self._introduce(project)
                address = self._place.address(lambda: self._listen(project.dev))
                try:
                    with LogLines(self._console, project.root, level=self._options.log_threshold) as lines:
                        await self._serve(project, address, stop, lines)
                finally:
                    address.close()
        except PerdureError as error:
            self._console.refusal(error)
            self._place.failed(Broken.of(error, self._console.mask))
            return ExitCode.CONFIG if isinstance(error, ConfigError) else ExitCode.ERROR
        finally:
            self._place.closed()
        return ExitCode.OK

    async def _serve(self, project: Project, address: Address, stop: StopSignal, lines: LogLines) -> None:
        tls = self._tls()
        host = await stop.unless_stopped(self._host(project, lines))
        if host is None:
            return
        lines.turn_on_again()
        collector = Collector(RealClock(), is_idle=lambda: host.running_requests == 0)
        watchdog = Watchdog(project.root)
        pages = ErrorPages(project.root, self._console.mask)
        try:
            await host.serve(
                address.sockets,
                tls=tls,
                on_request=self._show_request,
                on_error=lambda error, request: self._show_failure(error, request, project, pages),
                handler=LocalApi(host.worker).fetch,
            )
            collector.start()
            watchdog.start()
            self._place.serves(address.url(secure=tls is not None))
            await stop.wait()
        finally:
            watchdog.stop()
            collector.stop()
            await host.close(streams_s=STREAMS_S)

    async def _host(self, project: Project, lines: LogLines) -> Host:
        """Load the code, and only then, when it is our turn, open the data."""
        self._watch(project)
        assignment = Assignment.of_project(project)
        try:
            self._watch(project)
            clock, data_folder = RealClock(), self._data_folder(project)
            if self._place.replaces:
                with lines.silent():  # the start warns of the same
                    rehearse(assignment, data_folder, clock=clock, random_bytes=os.urandom)
            await self._place.wait_turn()
            return await Host.run(lambda: assignment, data_folder, clock=clock)
        except BaseException:
            assignment.program.modules.close()
            raise

    def _watch(self, project: Project) -> None:
        trees = (project.main.parent,)
        sources = frozenset({project.config_file, *project.sources})
        files = sources.union({project.main}, imported_files((*trees, project.root)))
        self._place.watch(Watched(trees, files, sources))

    def _load(self) -> Project:
        options = self._options
        project = load_project(
            options.config,
            env_files=options.env_files,
            variables=dict(options.variables),
            strict=options.strict_config,
        )
        if options.name is None:
            return project
        if not options.name or slug(options.name) != options.name:
            raise WrongValue(
                what=f"--name {options.name!r} is no name for a Worker",
                why="only lower-case letters, digits, - and _ may be in it",
                next_step=f"write --name {slug(options.name)}",
            )
        return dataclasses.replace(project, name=options.name)

    def _listen(self, settings: DevSettings) -> Address:
        port = settings.port if self._options.port is None else self._options.port
        return listen(self._options.ip or settings.ip, port)

    def _tls(self) -> ssl.SSLContext | None:
        cert, key = self._options.cert, self._options.key
        return None if cert is None or key is None else tls_context(cert, key)

    def _data_folder(self, project: Project) -> Path:
        return self._options.persist_to or project.root / DATA_FOLDER

    # What is shown

    def _introduce(self, project: Project) -> None:
        console = self._console
        console.line(f"{console.coloured('perdure', 'cyan', bold=True)} {VERSION}: {project.name}")
        for warning in project.warnings:
            console.warning(warning)
        for notice in project.notices:
            console.line(notice)
        for line in binding_table(project):
            console.line(line)

    def _show_request(self, log: RequestLog) -> None:
        self._console.request_line(log.method, log.target, log.status, log.elapsed_ms)

    def _show_failure(
        self, error: BaseException, request: Request | None, project: Project, pages: ErrorPages
    ) -> Response:
        which = "a request" if request is None else f"{request.method} {request.raw_path}"
        self._console.failure(f"{which} failed", user_traceback(error, project.root))
        return pages.answer(error, request)


def run_dev(options: DevOptions, place: Callable[[], Place] | None = None) -> ExitCode:
    """A session in a loop of its own, and in a process that serves nothing else; `place` is called in that loop."""
    raise_open_files_limit()
    share_interpreter_often()
    console = console_for(options)

    async def session() -> ExitCode:
        return await DevSession(options, console, None if place is None else place()).run()

    try:
        with asyncio.Runner(loop_factory=new_loop) as runner:
            return runner.run(session())
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
