"""The watchdog: names the code that keeps the loop from turning, by object, method and line (API-61).

A timer on the loop notes each turn, a thread notices when none comes, looks where the loop's thread is, and the next turn says
how long it took. Must stay true: one warning for each stall of STALL_S or more, one more if it lasts long; none while a debugger
holds the program, and none for a machine or process that was stopped. See tests/host/test_watchdog.py.
"""

import asyncio
import contextvars
import logging
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, FrameType

from perdure.host.project_files import ProjectFiles
from perdure.objects.driver import Driven
from perdure.objects.instance import Instance
from perdure.objects.member import CURRENT, ObjectMember
from perdure.workers.worker import Worker

STALL_S = 0.1
"""People notice a tenth of a second, and everybody's requests wait for it."""
TURN_S = 0.01
"""Between two notes on the loop: by so much a stall may be shorter than what is said of it; 100 timers a second cost little."""
LOOK_S = STALL_S - 2 * TURN_S
"""Without a turn for so long, what runs is taken down: a little before it is a stall, which may end the moment it is one."""
RAN_SHARE = 0.1
"""Of the time that the watching thread was late, what this process must have had of a processor to be to blame for it."""
LONG_STALL_S = 2.0
"""Said while it lasts: an endless loop has no end at which to say it."""

_DEBUGGERS = ("bdb", "pdb", "pydevd", "_pydevd_bundle", "debugpy")
_LOOPS = ("asyncio.base_events", "asyncio.runners")
"""Whatever called these runs the loop, and not on it."""
_log = logging.getLogger("perdure.watchdog")


@dataclass(frozen=True, slots=True)
class _Step:
    """One frame of the loop's thread, as it was."""

    code: CodeType
    line: int
    who: str = ""
    """`Room/lobby`, `the Worker`, if this frame says whose code runs."""
    what: str = ""
    """`post()`, `fetch GET /x`, if this frame says what of it."""
    member: ObjectMember | None = None


@dataclass(frozen=True, slots=True)
class _Stall:
    """A stretch in which the loop does not turn, and what ran in it, innermost first."""

    since_s: float
    steps: tuple[_Step, ...]


class Watchdog:
    """Watches one loop, from `start` to `stop`, both on that loop's thread."""

    def __init__(self, root: Path) -> None:
        """root: the project's folder; lines of its files are named rather than those of what they call."""
        self._files = ProjectFiles(root)
        self._turned_s = 0.0
        """When the loop's last turn was noted."""
        self._stall: _Stall | None = None
        self._told_long = False
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._loop_thread = 0
        self._timer: asyncio.TimerHandle | None = None

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._loop_thread = threading.get_ident()
        contextvars.Context().run(self._note_turn)
        self._thread = threading.Thread(target=self._watch, name="perdure watchdog", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._ended.set()
        if self._timer is not None:
            self._timer.cancel()
        if self._thread is not None:
            self._thread.join()

    # On the loop

    def _note_turn(self) -> None:
        stall, self._stall = self._stall, None
        now = time.monotonic()
        self._turned_s = now
        self._told_long = False
        if self._loop is not None:
            self._timer = self._loop.call_later(TURN_S, self._note_turn)
        if stall is not None and now - stall.since_s >= STALL_S:
            took = f"{(now - stall.since_s) * 1000:,.0f} ms"
            self._tell(stall, f"held the loop for {took}: nothing else could run; await, or use asyncio.to_thread(...)")

    # On the thread

    def _watch(self) -> None:
        looked_s, used_s, wait_s = time.monotonic(), time.process_time(), LOOK_S
        while not self._ended.wait(wait_s):
            now, used_now_s = time.monotonic(), time.process_time()
            late_s = now - looked_s - wait_s
            if late_s > TURN_S and used_now_s - used_s - wait_s < late_s * RAN_SHARE:
                # This thread did not run either, and no code of ours held it up: the machine slept, or we were stopped.
                self._turned_s = max(self._turned_s, now)
            elif now - self._turned_s >= LOOK_S:
                self._look(now)
            looked_s, used_s = now, used_now_s
            # Not before there can be something to see: in a loop that turns, this thread wakes some thirteen times a second.
            wait_s = max(TURN_S / 2, self._turned_s + LOOK_S - now)

    def _look(self, now: float) -> None:
        stall = self._stall
        if stall is None:
            turned_s = self._turned_s
            frame = sys._current_frames().get(self._loop_thread)
            steps = () if frame is None or _in_debugger(frame) else tuple(_steps(frame))
            # Nothing above lets the loop's thread go on by itself. If it turned all the same, these are no longer the
            # steps of that stall.
            if steps and turned_s == self._turned_s:
                self._stall = _Stall(turned_s, steps)
        elif now - stall.since_s >= LONG_STALL_S and not self._told_long:
            self._told_long = True
            self._tell(stall, f"has held the loop for {LONG_STALL_S:g} s and goes on: nothing else can run")

    # On either

    def _tell(self, stall: _Stall, text: str) -> None:
        own = next((step for step in stall.steps if step.code.co_filename in self._files), None)
        named = [number for number, step in enumerate(stall.steps) if step.who]
        who, member = (stall.steps[named[0]].who, stall.steps[named[0]].member) if named else ("", None)
        if own is None and not who:
            return  # nobody's code: the loop itself, or a turn that has just ended
        at = own or stall.steps[0]
        # A task of the object, and not the event itself, is known by its function.
        # What the next one further out does is why this was called, and not what it does.
        until = named[1] if len(named) > 1 else len(stall.steps)
        what = next((step.what for step in stall.steps[:until] if step.what), f"{at.code.co_qualname}()")
        where = f"{self._files.shown(at.code.co_filename)}:{at.line} in {at.code.co_qualname}"
        context = contextvars.Context()
        context.run(CURRENT.set, member)  # the record is about that object, wherever it is said
        context.run(_log.warning, "%s (%s) %s", f"{who}: {what}" if who else what, where, text)


def _steps(innermost: FrameType) -> Iterator[_Step]:
    """The frames below the loop. No input or output here: it would let the loop's thread go on."""
    frame: FrameType | None = innermost
    while frame is not None and frame.f_globals.get("__name__") not in _LOOPS:
        code, line = frame.f_code, frame.f_lineno
        if code is Driven.__await__.__code__:
            member = frame.f_locals["self"].member
            yield _Step(code, line, who=member.instance.label if member is not None else "", member=member)
        elif code is Instance._run.__code__:
            yield _Step(code, line, what=frame.f_locals["event"].what)
        elif code is Worker.fetch.__code__:
            request = frame.f_locals["request"]
            worker = f"the Worker {frame.f_locals['self'].name}"
            yield _Step(code, line, who=worker, what=f"fetch {request.method} {request.raw_path}")
        else:
            yield _Step(code, line)
        frame = frame.f_back


def _in_debugger(innermost: FrameType) -> bool:
    monitoring = getattr(sys, "monitoring", None)  # from 3.12 on
    if monitoring is not None and monitoring.get_tool(monitoring.DEBUGGER_ID) is not None:
        return True
    frame: FrameType | None = innermost
    while frame is not None:
        # What traces a frame may also be a coverage tool, which stops nobody.
        if any(_is_debugger(name) for name in (frame.f_globals.get("__name__"), _module_of(frame.f_trace))):
            return True
        frame = frame.f_back
    return False


def _is_debugger(module: object) -> bool:
    return str(module).partition(".")[0] in _DEBUGGERS


def _module_of(traces: object) -> object:
    return getattr(traces, "__module__", None)
