"""Wakes the objects of one class when their alarms are due.

Must stay true: none is early; each is tried until it ended well, was given up or was changed; of one object at most one runs;
however many there are, few are in memory. The rows in the store are the truth, what is here is a copy of the next few. See
tests/objects/test_alarm_clock.py.
"""

import heapq
import logging
from collections.abc import Callable, Iterable
from math import inf
from typing import Final

from perdure.core.alarm_policy import after_failed_run, after_lost_run
from perdure.core.clock import Cancellable, Clock
from perdure.core.entry import Alarm, AlarmChange, DeadAlarm, Entry
from perdure.model.errors import ConstructorFailed, Disconnected, ObjectReset, PerdureError
from perdure.objects.alarms.alarm_run import AlarmRun, Handler
from perdure.store.interface import Store, by_due_time

_log = logging.getLogger("perdure.alarm")

LOADED_MAX: Final = 20_000
"""Alarms in memory, 120 bytes each; above it the later half is read again when its time comes."""

LOAD_ROWS: Final = 1_000
"""Read at once, in a millisecond or two."""

STARTED_PER_TURN: Final = 4
"""Then the loop goes on with other things. A request takes some turns of it, and each is half a millisecond longer for this."""

STARTED_PER_MS: Final = 4
STARTED_PER_TURN_MAX: Final = 16
"""A turn that took longer has had much else to do. For each millisecond that it took as many alarms are started as take half of
one, so that these get about a third of the loop while requests would take all of it."""

RUNNING_MAX: Final = 512
"""Runs at the same time, of one class."""

LOOK_AGAIN_S: Final = 60.0
"""The machine's clock may be set, and it may have slept: the time is looked at this often."""

READ_AGAIN_MS: Final = 5_000
"""What could not be read is read again after this long: a store that is opened anew after trouble takes less, a damaged row
fails for ever."""

OFF_RETRY_MS: Final = 30_000
"""An alarm whose failure cannot even be written down is tried again after this long."""

_Place = tuple[float, bytes]


class AlarmClock:
    """The alarms of one store."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        handler: Handler | None,
        *,
        class_name: str,
        retries_max: int,
        jitter: Callable[[], float],
        deliver: Callable[[AlarmRun], None],
    ) -> None:
        """handler: None if the class has none: its alarms are dropped, with a warning.

        jitter: 0 to 1. deliver: hands the run to its object; what goes wrong is told to the run.
        """
        self.handler: Handler = handler or _no_handler
        self.jitter = jitter
        self._has_handler = handler is not None
        self._store = store
        self._clock = clock
        self._class_name = class_name
        self._retries_max = retries_max
        self._deliver = deliver
        self._next: list[_Place] = []
        """A heap of (due_ms, object). Some are out of date: the store is asked before one is started."""
        self._loaded_until: _Place = (0, b"")
        """All alarms up to this place are in the heap or running."""
        self._unread: set[bytes] = set()
        """Objects in the heap whose alarm could not be read, so that its time is not known."""
        self._running: set[bytes] = set()
        self._timer: Cancellable | None = None
        self._timer_ms = inf
        self._not_before_ms = 0
        """The store refused: it is left alone until then."""
        self._turn_began_s: float | None = None
        """Of the turn of the loop in which alarms were left that were due."""
        self._stopped = False
        store.on_alarm = self.changed

    def start(self) -> None:
        """From now on alarms that are due are started; those that are overdue at once."""
        self._fire()

    def stop(self) -> None:
        """Nothing is started any more; what runs is left to its object."""
        self._stopped = True
        self._store.on_alarm = _ignore
        self._cancel_timer()

    @property
    def running(self) -> int:
        """How many runs have been started and have not ended."""
        return len(self._running)

    # What changes

    def changed(self, object: bytes, alarm: Alarm | None) -> None:
        """An entry set or deleted the alarm of an object."""
        if alarm is None or self._stopped:
            return
        place = alarm.due_ms, object
        if place > self._loaded_until:
            return
        heapq.heappush(self._next, place)
        if len(self._next) > LOADED_MAX:
            self._forget_later_half()
        if alarm.due_ms < self._timer_ms:
            self._arm()

    def look_again(self, objects: Iterable[bytes]) -> None:
        """The entries of these were lost: what their alarms were before counts again."""
        for object in objects:
            self._push(object)

    def ended(self, object: bytes) -> None:
        """A run is over, and what became of its alarm is durable."""
        self._running.discard(object)
        self._push(object)
        self._arm()

    def cut_off(self, run: AlarmRun, error: BaseException) -> None:
        """A run did not begin, or did not come to its end: the object was reset, was overloaded, or could not commit."""
        self._running.discard(run.object)
        if self._stopped:
            return  # the row is as it was: the next process finds it overdue
        try:
            alarm = self._store.alarm(run.object)
            is_the_same = run.alarm is None or alarm == run.alarm
            if alarm is not None and is_the_same and alarm.due_ms <= self._clock.now_ms():
                self._write(run.object, self._after(run, alarm, error))
            else:
                self._push(run.object)  # another one was set since, and perhaps came due meanwhile
        except PerdureError as broken:
            _log.warning("%s: the end of an alarm could not be written: %s", self._class_name, broken)
            self._read_later(run.object, OFF_RETRY_MS)
        self._arm()

    def _after(self, run: AlarmRun, alarm: Alarm, error: BaseException) -> AlarmChange:
        if run.dropped:
            return AlarmChange(None)
        now_ms, text = self._clock.now_ms(), f"{type(error).__name__}: {error}"
        after: Alarm | DeadAlarm
        if _counts(error):
            after = after_failed_run(alarm, text, now_ms=now_ms, retries_max=self._retries_max, jitter=self.jitter())
        else:
            after = after_lost_run(alarm, text, now_ms=now_ms, jitter=self.jitter())
        if isinstance(after, DeadAlarm):
            _log.error("%s/%s: its alarm was given up: %s", self._class_name, run.object.hex(), text)
            return AlarmChange(None, after)
        return AlarmChange(after)

    def _write(self, object: bytes, change: AlarmChange) -> None:
        record = self._store.record(object)
        if record is not None:
            self._store.append(Entry(object, self._clock.now_ms(), record.generation, {}, alarm=change))

    # What is due

    def _fire(self) -> None:
        self._cancel_timer()
        self._not_before_ms = 0
        now_ms = self._clock.now_ms()
        for _ in range(self._started_this_turn_max()):
            if self._loaded_until[0] <= now_ms and (not self._next or self._next[0] > self._loaded_until):
                try:
                    self._load()
                except PerdureError as broken:
                    self._leave_alone(broken)
                    return
            if not self._next or self._next[0][0] > now_ms or len(self._running) >= RUNNING_MAX:
                break
            place = heapq.heappop(self._next)
            if place[1] in self._running:
                continue
            try:
                self._start(place[1], now_ms)
            except PerdureError as broken:
                refusal = self._refusal()
                if refusal is not None:
                    self._unread.add(place[1])
                    heapq.heappush(self._next, place)
                    self._leave_alone(refusal)
                    return
                _log.warning("%s/%s: its alarm cannot be read: %s", self._class_name, place[1].hex(), broken)
                self._read_later(place[1])
        else:
            self._turn_began_s = self._clock.monotonic()
        self._arm()

    def _started_this_turn_max(self) -> int:
        began_s, self._turn_began_s = self._turn_began_s, None
        if began_s is None:
            return STARTED_PER_TURN
        took_ms = (self._clock.monotonic() - began_s) * 1000
        return min(max(STARTED_PER_TURN, int(took_ms * STARTED_PER_MS)), STARTED_PER_TURN_MAX)

    def _start(self, object: bytes, now_ms: int) -> None:
        """Raises PerdureError, having started nothing, if it cannot be read or delivered."""
        alarm = self._store.alarm(object)
        if alarm is None or alarm.due_ms > now_ms:
            # Deleted, or put off: then its new time is in the heap too, if it was known.
            if object in self._unread:
                self._unread.discard(object)
                self.changed(object, alarm)
            return
        self._unread.discard(object)
        if not self._has_handler:
            _log.warning(
                "%s/%s: its alarm was dropped: the class has no `alarm` handler", self._class_name, object.hex()
            )
            self._write(object, AlarmChange(None))
            return
        self._running.add(object)
        try:
            self._deliver(AlarmRun(object, self))
        except BaseException:
            self._running.discard(object)
            raise

    def _refusal(self) -> PerdureError | None:
        """Why nothing can be read now; None if it is only one alarm that cannot."""
        try:
            self._store.alarms((0, b""), 1)
        except PerdureError as refusal:
            return refusal
        return None

    def _leave_alone(self, refusal: PerdureError) -> None:
        """One line and one look for all that is due, however many they are."""
        _log.error("%s: its alarms cannot be read: %s", self._class_name, refusal)
        self._not_before_ms = self._clock.now_ms() + READ_AGAIN_MS
        self._arm()

    def _push(self, object: bytes) -> None:
        if self._stopped or object in self._running:
            return
        try:
            alarm = self._store.alarm(object)
        except PerdureError:
            self._read_later(object)
            self._arm()
            return
        if alarm is not None:
            self.changed(object, alarm)

    def _read_later(self, object: bytes, after_ms: int = READ_AGAIN_MS) -> None:
        self._unread.add(object)
        heapq.heappush(self._next, (self._clock.now_ms() + after_ms, object))

    def _load(self) -> None:
        """Reads the next alarms, if there are any."""
        if self._loaded_until[0] == inf:
            return
        due_ms, object = self._loaded_until
        rows = self._store.alarms((int(due_ms), object), LOAD_ROWS)
        for row in rows:
            heapq.heappush(self._next, by_due_time(row))
        self._loaded_until = by_due_time(rows[-1]) if len(rows) == LOAD_ROWS else (inf, b"")

    def _forget_later_half(self) -> None:
        kept = heapq.nsmallest(LOADED_MAX // 2, self._next)
        self._loaded_until = kept[-1]
        # Those that could not be read are not where their alarms are: no load would find them again.
        unread = [place for place in self._next if place[1] in self._unread and place > self._loaded_until]
        self._next = kept + unread
        heapq.heapify(self._next)

    def _arm(self) -> None:
        """Sets the timer for the next one."""
        if self._stopped or len(self._running) >= RUNNING_MAX:
            return  # the end of a run arms it
        self._cancel_timer()
        due_ms: float = min(self._next[0][0] if self._next else inf, self._loaded_until[0])
        if due_ms == inf:
            return
        due_ms = max(due_ms, self._not_before_ms)
        delay_s = min(max(0.0, (due_ms - self._clock.now_ms()) / 1000), LOOK_AGAIN_S)
        self._timer_ms = due_ms
        self._timer = self._clock.call_later(delay_s, self._fire)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer, self._timer_ms = None, inf


def _counts(error: BaseException) -> bool:
    """Whether its own code is to blame: it broke its instance, or could not be constructed."""
    if isinstance(error, Disconnected):
        return False
    return isinstance(error, ObjectReset | ConstructorFailed)


def _no_handler(_target: object, _info: object) -> None:
    raise AssertionError("a class without a handler was run")


def _ignore(_object: bytes, _alarm: Alarm | None) -> None:
    """The clock is stopped."""
