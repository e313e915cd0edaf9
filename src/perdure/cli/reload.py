"""The parent of `perdure dev`: it holds the listening sockets, and brings a new child when a file of the project changes.

Must stay true: one child serves at a time, and the old one goes only when the new one has loaded its code, so a broken
edit costs nothing; connections wait in the sockets meanwhile. A child that ends by itself is said and started again by the
next change or request, never in a tight loop; if none can start, a stand-in tells clients why. All that happens is one event
after the other. See tests/cli/test_reload.py.
"""

import asyncio
import os
import signal
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from watchfiles import Change, awatch

from perdure.cli.address import Address
from perdure.cli.child_channel import Message
from perdure.cli.child_process import ChildProcess
from perdure.cli.console import Console
from perdure.cli.dev_console import console_for
from perdure.cli.dev_options import DevOptions
from perdure.cli.exit_code import ExitCode
from perdure.cli.hotkeys import Hotkeys
from perdure.cli.stop_signal import StopSignal, stop_signal
from perdure.cli.watch import Watched

STEP_MS = 25
"""A save is often several changes: they are one if nothing follows for this long."""
DEBOUNCE_MS = 200
"""Changes that go on and on are acted on after this."""
SAY_WAITING_S = 1.0
"""A reload that waits longer for running requests says so."""
SAY_LOADING_S = 3.0
"""Code that is imported for longer than this may never end, so it is said."""
GOING_S_MAX = 15.0
"""A child that was told to stop drops its requests after 10 s; one that is not gone by then hangs, and is killed."""
LAST_WORDS_S = 0.5
"""What a child said before it ended is read by then."""
OVERLAP_S = 0.5
"""Two watches run for this long, so that no change falls between them."""
SPARE_AFTER_S = 0.3
"""After one has come, the first requests have the machine; then the process that the next reload takes is made."""
RESTART_DELAY_S = 0.5
RESTART_DELAY_S_MAX = 16.0
"""Between two starts after one that ended by itself; doubled each time, until one has served for as long as this."""


@dataclass(frozen=True, slots=True)
class Said:
    """A child said something."""

    child: ChildProcess
    message: Message


@dataclass(frozen=True, slots=True)
class Ended:
    """A child is no more."""

    child: ChildProcess
    code: int


@dataclass(frozen=True, slots=True)
class Changed:
    """Files changed; none if somebody asked for a reload."""

    files: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Waits:
    """A client waits at the sockets, and nobody serves."""


@dataclass(frozen=True, slots=True)
class Loads:
    """A child that was started loads its code for long."""

    child: ChildProcess


@dataclass(frozen=True, slots=True)
class Overdue:
    """A child that was told to stop is still there."""

    child: ChildProcess
    after_s: float


@dataclass(frozen=True, slots=True)
class Stop:
    """Somebody wants all this to end."""


Event = Said | Ended | Changed | Waits | Loads | Overdue | Stop


class Reloader:
    """Serves a project by one child after the other until somebody wants it to end."""

    def __init__(self, options: DevOptions, console: Console, first: ChildProcess) -> None:
        self._options = options
        self._console = console
        self._loop = asyncio.get_running_loop()
        self._events: asyncio.Queue[Event] = asyncio.Queue()
        self._children: set[ChildProcess] = set()
        self._serving: ChildProcess | None = None
        """Answers, or ends what it was answering."""
        self._coming: ChildProcess | None = first
        """Loads its code, or waits for the one before to go, or opens the data."""
        self._has_loaded = False
        """Whether the coming one waits for its turn, or has it."""
        self._has_turn = False
        self._spare: ChildProcess | None = None
        """Has imported what serving takes, but nothing of the project; waits to be the coming one."""
        self._stand_in: ChildProcess | None = None
        """Answers that nobody can serve."""
        self._broken: Message | None = None
        """What the last one that could not serve said of it."""
        self._going: set[ChildProcess] = set()
        """Told to stop."""
        self._address: Address | None = None
        self._url = ""
        self._watched: Watched | None = None
        self._folders: list[Path] = []
        self._watching: asyncio.Task[None] | None = None
        self._began_s = self._loop.time()
        """When the last change was seen."""
        self._why: tuple[Path, ...] = ()
        self._next: Changed | None = None
        """To be acted on once the one that is coming has come."""
        self._served_since_s = 0.0
        self._restart_delay_s = 0.0
        self._only_mending_helps = False
        """Nobody serves, and a start would fail again."""
        self._over = False
        """No child is started any more."""
        self._code = int(ExitCode.OK)
        self._hotkeys = Hotkeys(console, reload=self.reload, quit=self.quit, url=lambda: self._url)
        self._follow(first)
        self._tell_if_it_takes_long(first)

    async def run(self) -> int:
        """Serve; gives the exit code for how it ended."""
        with self._hotkeys, stop_signal(self._console.stopping, on_second=self._end_at_once) as stop:
            asked = asyncio.ensure_future(self._pass_on(stop))
            try:
                while self._children or not self._over:
                    self._take(await self._events.get())
            finally:
                asked.cancel()
                if self._watching is not None:
                    self._watching.cancel()
                self._forget_clients()
                self._kill_all()
                if self._address is not None:
                    self._address.close()
        return self._code

    def reload(self) -> None:
        """As if a file had changed."""
        self._events.put_nowait(Changed(()))

    def quit(self) -> None:
        """As Ctrl-C does."""
        os.kill(os.getpid(), signal.SIGINT)

    # Events

    def _take(self, event: Event) -> None:
        match event:
            case Said(child, message):
                self._heard(child, message)
            case Ended(child, code):
                self._ended(child, code)
            case Changed():
                self._reload(event)
            case Waits():
                self._reload(Changed(()))
            case Loads(child):
                self._loads(child)
            case Overdue(child, after_s):
                self._overdue(child, after_s)
            case Stop():
                self._stop()

    def _heard(self, child: ChildProcess, message: Message) -> None:
        match message["kind"]:
            case "listening":
                sockets = child.take_sockets()
                self._address = Address(message["ip"], sockets[0].getsockname()[1], sockets)
            case "watch" if child is self._coming:
                self._watch(Watched.from_message(message["watched"]))
            case "loaded" if child is self._coming:
                self._has_loaded = True
                self._hand_over()
            case "ready" if child is self._coming:
                self._came(child, message["url"])
            case "failed" if child is self._coming:
                self._broken = message["broken"]
            case "closed" if child is self._serving:
                self._serving = None
                self._hand_over()

    def _hand_over(self) -> None:
        """Take the next step from the one that serves to the one that is coming."""
        if self._coming is None or not self._has_loaded or self._has_turn or self._over:
            return
        if self._serving is not None:
            self._let_go(self._serving)
        else:
            self._has_turn = True
            if self._stand_in is not None:
                self._let_go(self._stand_in)
            self._coming.tell("go")

    def _came(self, child: ChildProcess, url: str) -> None:
        self._serving, self._coming = child, None
        self._only_mending_helps = False
        self._served_since_s = self._loop.time()
        if self._url:
            took_ms = round((self._loop.time() - self._began_s) * 1000)
            self._console.line(f"Reloaded in {took_ms}ms{self._reason()}")
        else:
            self._url = url
            self._console.ready(url)
            self._hotkeys.explain()
        self._loop.call_later(SPARE_AFTER_S, self._make_spare)
        self._act_on_next()

    def _ended(self, child: ChildProcess, code: int) -> None:
        self._children.discard(child)
        child.close()
        if child is self._spare:
            self._spare = None
        if child is self._stand_in:
            self._stand_in = None
        was_told = child in self._going
        self._going.discard(child)
        if child is self._coming:
            self._coming = None
            if not was_told:
                self._start_failed(code)
        elif child is self._serving:
            self._serving = None
            if not was_told:
                self._console.error(f"the process that served {_how_ended(code)}; a request or a change starts another")
        self._hand_over()
        if self._serving is None and self._coming is None and not self._only_mending_helps:
            self._start_when_asked()

    def _start_failed(self, code: int) -> None:
        if not self._url:  # the first: it has said why, and there is nothing to go back to
            self._over = True
            self._code = code if code > 0 else ExitCode.ERROR
            return
        broken, self._broken = self._broken, None
        if broken is None:
            ended = f"the new process {_how_ended(code)} while it started"
            self._console.error(ended)
            broken = {"what": ended, "problems": []}
        if self._serving is not None and self._serving not in self._going:
            self._console.error("not reloaded: the code from before serves on until the files are mended")
        else:
            self._console.error("nobody serves until the files are mended; requests get a 503 that says what is wrong")
            self._only_mending_helps = True
            self._answer_with(broken)
        self._act_on_next()

    def _answer_with(self, broken: Message) -> None:
        if self._stand_in is not None:
            self._let_go(self._stand_in)
        if self._address is not None:
            self._stand_in = self._new_child()
            self._stand_in.stand_in(self._options, sockets=self._address.sockets, broken=broken)
            self._loop.call_later(SPARE_AFTER_S, self._make_spare)

    def _act_on_next(self) -> None:
        if self._next is not None:
            change, self._next = self._next, None
            self._reload(change)

    def _start_when_asked(self) -> None:
        """Not at once for one that has not served for long: it would end again, as often as the machine can."""
        if self._loop.time() - self._served_since_s >= RESTART_DELAY_S_MAX:
            self._restart_delay_s = 0.0
        self._loop.call_later(self._restart_delay_s, self._look_for_clients)
        self._restart_delay_s = min(max(RESTART_DELAY_S, 2 * self._restart_delay_s), RESTART_DELAY_S_MAX)

    def _reload(self, change: Changed) -> None:
        if self._over:
            return
        self._forget_clients()
        if self._coming is not None and self._has_turn:
            self._next = change
            return
        if self._coming is not None:  # it has touched nothing yet
            self._let_go(self._coming, at_once=True)
        self._began_s, self._why = self._loop.time(), change.files
        sources = frozenset[Path]() if self._watched is None else self._watched.sources
        self._has_loaded = self._has_turn = False
        address = self._address
        self._coming = self._new_child()
        self._coming.start(
            self._options,
            sockets=() if address is None else address.sockets,
            ip="" if address is None else address.ip,
            introduce=not self._url or bool(sources.intersection(change.files)),
        )
        self._tell_if_it_takes_long(self._coming)

    def _tell_if_it_takes_long(self, child: ChildProcess) -> None:
        self._loop.call_later(SAY_LOADING_S, self._events.put_nowait, Loads(child))

    def _loads(self, child: ChildProcess) -> None:
        if child is not self._coming or self._has_loaded or self._over:
            return
        serves = self._serving is not None or self._stand_in is not None
        meanwhile = "what was there before answers" if serves else "requests wait"
        self._console.line(
            f"The project has been importing for {SAY_LOADING_S:g} s, and goes on; {meanwhile} meanwhile"
        )

    def _overdue(self, child: ChildProcess, after_s: float) -> None:
        if child not in self._going:
            return
        if after_s == SAY_WAITING_S:
            if not self._over and child is self._serving:
                self._console.line("Waiting for running requests of the code from before, at most 10 s")
            return
        self._console.error(f"a process did not end within {after_s:g} s: killed")
        if self._over:
            self._code = ExitCode.ERROR
        child.kill()

    def _stop(self) -> None:
        self._over = True
        self._forget_clients()
        for child in tuple(self._children):
            answers = child in (self._serving, self._stand_in) or (child is self._coming and self._has_turn)
            self._let_go(child, at_once=not answers and child not in self._going)

    # Children

    def _make_spare(self) -> None:
        if self._spare is None and not self._over:
            self._spare = ChildProcess()
            self._follow(self._spare)

    def _new_child(self) -> ChildProcess:
        child, self._spare = self._spare, None
        if child is None:
            child = ChildProcess()
            self._follow(child)
        return child

    def _let_go(self, child: ChildProcess, *, at_once: bool = False) -> None:
        if at_once:
            child.kill()
        elif child in self._going:
            return
        else:
            child.tell("stop")
            for after_s in (SAY_WAITING_S, GOING_S_MAX):
                self._loop.call_later(after_s, self._events.put_nowait, Overdue(child, after_s))
        self._going.add(child)

    def _follow(self, child: ChildProcess) -> None:
        self._children.add(child)

        def listen() -> None:
            while (message := child.receive()) is not None:
                self._tell_loop(Said(child, message))

        def wait() -> None:
            code = child.wait()
            # What it said last comes first; a process that it forked may keep its end open for as long as that likes.
            listening.join(LAST_WORDS_S)
            child.hang_up()
            listening.join()
            self._tell_loop(Ended(child, code))

        listening = threading.Thread(target=listen, name=f"child {child.pid}", daemon=True)
        listening.start()
        threading.Thread(target=wait, name=f"end of child {child.pid}", daemon=True).start()

    def _tell_loop(self, event: Event) -> None:
        with suppress(RuntimeError):  # the loop is closed: this is the end of a child that was killed with it
            self._loop.call_soon_threadsafe(self._events.put_nowait, event)

    def _end_at_once(self) -> None:
        self._hotkeys.restore()
        self._kill_all()

    def _kill_all(self) -> None:
        for child in tuple(self._children):
            child.kill()

    # What starts one

    async def _pass_on(self, stop: StopSignal) -> None:
        await stop.wait()
        self._events.put_nowait(Stop())

    def _watch(self, watched: Watched) -> None:
        self._watched = watched
        folders = watched.folders()
        if folders == self._folders:
            return
        self._folders = folders
        if self._watching is not None:
            self._loop.call_later(OVERLAP_S, self._watching.cancel)
        self._watching = asyncio.ensure_future(self._see_changes(folders))

    async def _see_changes(self, folders: Sequence[Path]) -> None:
        # Each folder by itself: below one of them there may be an environment with ten thousand others.
        batches = awatch(*folders, watch_filter=self._counts, debounce=DEBOUNCE_MS, step=STEP_MS, recursive=False)
        async for batch in batches:
            self._events.put_nowait(Changed(tuple(sorted({Path(path) for _, path in batch}))))

    def _counts(self, _kind: Change, path: str) -> bool:
        return self._watched is not None and self._watched.counts(Path(path))

    def _look_for_clients(self) -> None:
        if self._address is not None and self._serving is None and self._coming is None and not self._over:
            for each in self._address.sockets:
                self._loop.add_reader(each, self._client_waits)

    def _client_waits(self) -> None:
        self._forget_clients()
        self._events.put_nowait(Waits())

    def _forget_clients(self) -> None:
        if self._address is not None:
            for each in self._address.sockets:
                self._loop.remove_reader(each)

    def _reason(self) -> str:
        if not self._why:
            return ""
        first, *others = self._why
        return f": {first.name}{f' and {len(others)} more' if others else ''} changed"


def _how_ended(code: int) -> str:
    return f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended by itself, with exit code {code}"


def run_reloading(options: DevOptions, first: ChildProcess) -> int:
    """Serve by children, of which `first` is started already; gives the exit code."""

    async def serve() -> int:
        return await Reloader(options, console_for(options), first).run()

    return asyncio.run(serve())
