"""One run of `perdure dev`: from the configuration to the last request answered.

Must stay true: what cannot be served is said with all its problems before the port answers; after "Ready" the server lives on
whatever user code does; a stop takes no new connections, lets running requests end, then closes the stores. See
tests/cli/test_dev_session.py and tests/host/.
"""

import ssl
from dataclasses import dataclass
from pathlib import Path

from perdure.cli.address import Address, listen
from perdure.cli.console import Console
from perdure.cli.error_page import ErrorPages
from perdure.cli.exit_code import ExitCode
from perdure.cli.log_lines import LogLines
from perdure.cli.stop_signal import StopSignal, stop_signal
from perdure.cli.user_frames import user_traceback
from perdure.config import DevSettings, Project, load_project
from perdure.edge import RequestLog, tls_context
from perdure.host.clock import RealClock
from perdure.host.collector import Collector
from perdure.host.host import Host
from perdure.host.local_api import LocalApi
from perdure.host.version import VERSION
from perdure.host.watchdog import Watchdog
from perdure.model.errors import ConfigError, PerdureError
from perdure.web import Request, Response

# Beside the configuration, and named in the .gitignore of every project.
DATA_FOLDER = Path(".perdure", "state")

STOPPING = "Stopping: running requests may end; Ctrl-C again does not wait for them"
# Of a variable's value: enough to recognise it, short enough for one line.
SHOWN_CHARS_MAX = 40


@dataclass(frozen=True, slots=True)
class DevOptions:
    """The command line; None where it says nothing."""

    config: Path | None = None
    port: int | None = None
    ip: str | None = None
    persist_to: Path | None = None
    cert: Path | None = None
    key: Path | None = None


class DevSession:
    """Serves one project until somebody wants it to end."""

    def __init__(self, options: DevOptions, console: Console) -> None:
        self._options = options
        self._console = console

    async def run(self) -> ExitCode:
        """Serve; gives the exit code for how it ended."""
        try:
            with stop_signal(lambda: self._console.line_amid_anything(STOPPING)) as stop:
                project = load_project(self._options.config)
                self._introduce(project)
                address = self._listen(project.dev)
                try:
                    with LogLines(self._console, project.root):
                        await self._serve(project, address, stop)
                finally:
                    address.close()
        except ConfigError as error:
            self._console.refusal(error)
            return ExitCode.CONFIG
        except PerdureError as error:
            self._console.refusal(error)
            return ExitCode.ERROR
        return ExitCode.OK

    async def _serve(self, project: Project, address: Address, stop: StopSignal) -> None:
        tls = self._tls()
        host = await stop.unless_stopped(Host.start(project, self._data_folder(project), clock=RealClock()))
        if host is None:
            return
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
            self._console.ready(address.url(secure=tls is not None))
            await stop.wait()
        finally:
            watchdog.stop()
            collector.stop()
            await host.close()

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
        width = max((len(name) for name, _ in _bindings(project)), default=0)
        for name, meaning in _bindings(project):
            console.line(f"  {name:<{width}}  {meaning}")

    def _show_request(self, log: RequestLog) -> None:
        self._console.request_line(log.method, log.target, log.status, log.elapsed_ms)

    def _show_failure(
        self, error: BaseException, request: Request | None, project: Project, pages: ErrorPages
    ) -> Response:
        which = "a request" if request is None else f"{request.method} {request.raw_path}"
        self._console.failure(f"{which} failed", user_traceback(error, project.root))
        return pages.answer(error, request)


def _bindings(project: Project) -> list[tuple[str, str]]:
    objects = [(f"env.{binding.name}", f"objects of {binding.class_name}") for binding in project.objects]
    variables = [(f"env.{name}", _shortened(repr(value))) for name, value in project.vars.items()]
    return objects + variables


def _shortened(text: str) -> str:
    return text if len(text) <= SHOWN_CHARS_MAX else f"{text[: SHOWN_CHARS_MAX - 1]}…"
