"""What goes on behind a store's back: groups to the log, the log to the tables, checkpoints, the way out of trouble.

At most one job of the writer runs at a time and is handed over only here, so nothing is ever written out of order. Each
result comes back on the loop, where it changes the layers and is reported to the store. After trouble with the disk
nothing is written until the store was opened anew on new descriptors; if that fails it is off. See
tests/store/test_faults.py and test_upkeep.py.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Protocol, TypeVar

from perdure.core.clock import Clock
from perdure.core.layers import Group, Layers
from perdure.core.waiting import Release
from perdure.core.writer_turns import Turn, WriterTurns
from perdure.model.errors import PerdureError, StorageBroken
from perdure.store.bounds import (
    APPLY_BYTES_MIN,
    APPLY_IDLE_S,
    BATCH_BYTES_MAX,
    BATCH_GROUPS_MAX,
    LAYERS_BYTES_MAX,
    LEAVE_ROWS_MAX,
    RETRY_S_MAX,
    RETRY_S_MIN,
    SLICE_S,
)
from perdure.store.checkpoints import Checkpoints
from perdure.store.committer import Committer, Lane, run_job
from perdure.store.connections import Connections, close_checkpointed, close_in_trouble
from perdure.store.crash_point import CrashPoint
from perdure.store.files import Files, Place, open_files, reopen_files
from perdure.store.interface import StoreCounters
from perdure.store.reader import Reader
from perdure.store.sweeping import Sweeping, Swept
from perdure.store.timers import Timers
from perdure.store.trouble import Trouble, failed_commit, failed_read, store_off, trouble_of
from perdure.store.writer import Writer

T = TypeVar("T")


class Reports(Protocol):
    """Whom upkeep tells what became of the groups."""

    def group_is_durable(self) -> None: ...

    def group_failed(self, objects: frozenset[bytes], position: int, error: PerdureError) -> None: ...

    def turned_off(self, objects: frozenset[bytes], error: PerdureError) -> None: ...

    def room_changed(self) -> None: ...


class Upkeep:
    """The jobs of one store. Everything here runs on the loop, except the jobs themselves."""

    def __init__(
        self,
        reports: Reports,
        layers: Layers,
        place: Place,
        files: Files,
        *,
        clock: Clock,
        committer: Committer,
        background: Committer,
    ) -> None:
        self.counters = StoreCounters()
        self.reopening = False
        self.connections = Connections(place, files)
        self.sweeping = Sweeping(files, clock)
        self._reports = reports
        self._layers = layers
        self._place = place
        self._at = place.at
        self._clock = clock
        self._committer = committer
        self._lane = Lane(background)
        self._turns = WriterTurns(apply_bytes_min=APPLY_BYTES_MIN, layers_bytes_max=LAYERS_BYTES_MAX, slice_s=SLICE_S)
        self._checkpoints = Checkpoints(self.connections, self._lane, place.at, self.counters)
        self._applied_position = files.position
        self._hurried: list[tuple[int, Release]] = []
        """Who waits until a position is applied."""
        self._busy = False
        """A job of the writer runs."""
        self._halted = False
        """No job may start: the store is being opened anew, is off, or is closed."""
        self._awake = False
        self._quiet = False
        self._touched = False
        self._timers = Timers(clock)
        self._fence_failures = 0
        self._fence_waits = False
        self._apply_failures = 0
        self._apply_waits = False
        self._apply_damage: BaseException | None = None
        self._trouble: BaseException | None = None
        self._closing = False
        self._when_drained: Callable[[], None] | None = None

    # The writer's turns

    def wake(self) -> None:
        """Something was appended: its group is taken when this turn of the loop ends, if the writer is free then."""
        self._quiet = False
        self._touched = True
        if not self._awake and not self._busy:
            self._awake = True
            self._clock.call_soon(self._turn_ended)

    def _turn_ended(self) -> None:
        self._awake = False
        self._go_on()

    def _go_on(self) -> None:
        """Gives the writer its next job, if it is free and there is one."""
        if self._busy or self._halted:
            return
        if self._trouble is not None:
            self._reopen(self._trouble)
            return
        writer = self.connections.writer
        turn = self._next_turn(writer)
        if writer is None:
            if turn is not Turn.NOTHING:
                self._open()
            else:
                self._nothing_to_do()
        elif self._checkpoints.must_be_whole(writer):
            self._checkpoint(whole=True)
        elif turn is Turn.GROUP:
            self._commit(writer)
        elif turn is Turn.APPLY:
            self._apply(writer)
        elif turn is Turn.SWEEP:
            self._sweep(writer)
        else:
            self._nothing_to_do()

    def _next_turn(self, writer: Writer | None) -> Turn:
        layers, sweeping = self._layers, self.sweeping
        apply_stands = self._apply_waits or self._apply_damage is not None or layers.leaving
        return self._turns.next(
            group=layers.wants_group and (layers.gathering_bytes > 0 or not (self._fence_waits or self._closing)),
            apply_bytes=0 if apply_stands else layers.durable_bytes,
            applying=writer is not None and writer.applying is not None,
            sweep=sweeping.retired is not None or (sweeping.forgetting and not (self._closing or sweeping.restores)),
            quiet=self._quiet or self._closing or bool(self._hurried),
        )

    def _nothing_to_do(self) -> None:
        if self._closing and self._when_drained is not None and not self._layers.leaving:
            drained, self._when_drained = self._when_drained, None
            self._lane.when_idle(drained)

    def _submit(self, turn: Turn, job: Callable[[], T], done: Callable[[T | BaseException], None]) -> None:
        self._busy = True
        monotonic = self._place.monotonic

        def timed() -> tuple[T, float]:
            started = monotonic()
            return job(), monotonic() - started

        def finished(result: tuple[T, float] | BaseException) -> None:
            self._busy = False
            if isinstance(result, BaseException):
                done(result)
            else:
                self._turns.spent(turn, result[1], self._layers.durable_bytes)
                done(result[0])

        self._committer.submit(timed, finished)

    # Groups

    def _commit(self, writer: Writer) -> None:
        group = self._layers.seal()
        assert group is not None, "a group's turn without a group"
        # As `_submit`, without its closures: the one job that somebody waits for.
        self._busy = True
        job = partial(_timed_commit, writer, group, self._place.monotonic)
        self._committer.submit(job, partial(self._committed, group))
        self._reports.room_changed()

    def _committed(self, group: Group, result: tuple[int, float] | BaseException) -> None:
        self._busy = False
        if isinstance(result, BaseException):
            self._commit_failed(group, result)
            return
        log_bytes, seconds = result
        self._at(CrashPoint.BEFORE_ACKNOWLEDGE)
        self._layers.committed()
        self._turns.spent(Turn.GROUP, seconds, self._layers.durable_bytes)
        self._fence_failures = 0
        counters = self.counters
        counters.groups += 1
        counters.syncs += 1
        counters.log_bytes += log_bytes
        counters.fences += group.fence
        # The next group is on its way while the outputs of this one leave; if there is none, they leave first.
        next_waits = self._layers.gathering_bytes > 0
        if next_waits:
            self._go_on()
        try:
            self._reports.group_is_durable()
        finally:
            if not next_waits:
                self._clock.call_soon(self._go_on)
        self._at(CrashPoint.AFTER_ACKNOWLEDGE)
        if self._apply_damage is not None and self._layers.size_bytes > LAYERS_BYTES_MAX and not self._halted:
            self._turn_off(self._apply_damage)
        self._after_writing()

    def _commit_failed(self, group: Group, error: BaseException) -> None:
        objects = self._layers.failed()
        self.counters.failed_groups += 1
        if trouble_of(error) in (Trouble.IO, Trouble.DAMAGE):
            self._trouble = error
        else:
            self._delay_fence()
        self._reports.group_failed(objects, group.position, failed_commit(error, str(self._place.folder)))
        self._reports.room_changed()
        self._go_on()

    def _delay_fence(self) -> None:
        """The first fence is tried at once, later ones ever later; whatever else is written takes it along."""
        self._fence_failures += 1
        if self._fence_failures > 1:
            self._fence_waits = True
            self._timers.call_later(_retry_s(self._fence_failures - 1), self._fence_may_go)

    def _fence_may_go(self) -> None:
        self._fence_waits = False
        self._go_on()

    # Apply and sweep

    def _apply(self, writer: Writer) -> None:
        groups = () if writer.applying is not None else self._layers.batch(BATCH_BYTES_MAX, BATCH_GROUPS_MAX)

        def job() -> tuple[int | None, int, int | None]:
            if groups:
                writer.begin_apply(groups)
            written = writer.rows_written
            position = writer.apply_slice()
            return position, writer.rows_written - written, writer.retired() if position is not None else None

        self._submit(Turn.APPLY, job, self._applied)

    def _applied(self, result: tuple[int | None, int, int | None] | BaseException) -> None:
        if isinstance(result, BaseException):
            self._apply_failed(result)
        else:
            position, rows, retired = result
            self.counters.apply_slices += 1
            self.counters.rows_applied += rows
            self._apply_failures = 0
            if position is not None:
                self.sweeping.applied(retired)
                self._at(CrashPoint.BEFORE_LAYER_REMOVAL)
                self._layers.applied(position)
                self._let_leave()
                self._tell_hurried(position)
        self._go_on()
        self._after_writing()

    def _let_leave(self) -> None:
        if self._layers.let_leave(LEAVE_ROWS_MAX):
            self._at(CrashPoint.AFTER_LAYER_REMOVAL)
            self._reports.room_changed()
            self._go_on()
        else:
            self._clock.call_soon(self._let_leave)

    def _apply_failed(self, error: BaseException) -> None:
        trouble = trouble_of(error)
        if trouble is Trouble.DAMAGE:
            # The groups stay in the log and in the layers: reads and commits go on until there is no more room.
            self._apply_damage = error
            self._refuse_hurried(partial(self._not_applied, error))
        elif trouble is Trouble.IO:
            self._trouble = error
        else:
            self._apply_failures += 1
            self._apply_waits = True
            self._timers.call_later(_retry_s(self._apply_failures), self._apply_may_go)

    def when_applied(self, position: int, release: Release) -> None:
        """Calls `release(None)` once every durable group up to there is in the tables, without waiting for a quiet moment."""
        if position <= self._applied_position:
            release(None)
        elif self._apply_damage is not None:
            release(self._not_applied(self._apply_damage))
        else:
            self._hurried.append((position, release))
            self._go_on()

    def _tell_hurried(self, position: int) -> None:
        self._applied_position = position
        reached = [release for wanted, release in self._hurried if wanted <= position]
        self._hurried = [waiting for waiting in self._hurried if waiting[0] > position]
        for release in reached:
            release(None)

    def _refuse_hurried(self, told: Callable[[], PerdureError]) -> None:
        hurried, self._hurried = self._hurried, []
        for _, release in hurried:
            release(told())

    def _not_applied(self, error: BaseException) -> PerdureError:
        return failed_read(error, "a row that was written over", str(self._place.folder))

    def _apply_may_go(self) -> None:
        self._apply_waits = False
        self._go_on()

    def _sweep(self, writer: Writer) -> None:
        self._submit(Turn.SWEEP, self.sweeping.slice(writer), self._swept)

    def _swept(self, result: Swept | BaseException) -> None:
        if isinstance(result, BaseException):
            self.sweeping.failed()
            self._look_into(result)
        else:
            self.sweeping.swept(result)
            self.counters.rows_swept += result.rows
        self._go_on()
        self._after_writing()

    def _after_writing(self) -> None:
        """Looks whether a checkpoint is worth it, and makes sure that a quiet moment is noticed."""
        writer = self.connections.writer
        if writer is None or self._halted:
            return
        if self._checkpoints.is_worth_it(writer):
            self._checkpoint(whole=False)
        if self._layers.durable_bytes and self._quiet_passed not in self._timers and not self._closing:
            self._touched = False
            self._timers.call_later(APPLY_IDLE_S, self._quiet_passed)

    def _quiet_passed(self) -> None:
        if self._touched:
            self._touched = False
            self._timers.call_later(APPLY_IDLE_S, self._quiet_passed)
        else:
            self._quiet = True
            self._go_on()

    def _checkpoint(self, *, whole: bool) -> None:
        self._busy = self._busy or whole
        self._checkpoints.make(partial(self._checkpointed, whole), whole=whole)

    def _checkpointed(self, whole: bool, error: BaseException | None) -> None:
        if whole:
            self._busy = False
        if error is not None:
            self._look_into(error)
        self._go_on()

    # Trouble

    def _look_into(self, error: BaseException) -> None:
        """Of work that can wait: nothing is lost, but a disk that fails is no place to write to."""
        if trouble_of(error) is Trouble.IO:
            self._trouble = error

    def _reopen(self, error: BaseException) -> None:
        """Closes everything, opens it on new descriptors and looks what is there; off if that fails."""
        self._trouble = None
        self._halted = self.reopening = True
        connections = self.connections.take_all()

        def job() -> Files:
            close_in_trouble(connections)
            return reopen_files(self._place, self._layers.durable)

        self._lane.when_idle(lambda: self._committer.submit(job, partial(self._reopened, error)))

    def _reopened(self, cause: BaseException, result: Files | BaseException) -> None:
        self.reopening = False
        if isinstance(result, BaseException):
            result.__cause__ = cause
            self._turn_off(result)
            return
        self.counters.reopens += 1
        self._halted = False
        self._take(result)
        self._layers.applied(self._layers.durable)
        self._let_leave()
        self._tell_hurried(self._layers.durable)

    def _turn_off(self, error: BaseException) -> None:
        self._halted = True
        connections = self.connections.take_all()
        self._timers.cancel_all()
        self._reports.turned_off(self._layers.give_up(), store_off(error, str(self._place.folder)))
        self._refuse_hurried(partial(store_off, error, str(self._place.folder)))
        self._lane.when_idle(
            lambda: self._committer.submit(partial(close_in_trouble, connections), lambda _: self._nothing_to_do())
        )

    # Connections

    def tables(self) -> Reader:
        """The loop's reader."""
        self._refuse_while_halted()
        return self.connections.tables()

    async def read_elsewhere(self, read: Callable[[Reader], T]) -> T:
        """What `read` gives, run on another thread over a connection of its own."""
        self._refuse_while_halted()
        return await run_job(self._lane, lambda: read(self.connections.background_tables()))

    def _refuse_while_halted(self) -> None:
        if self._halted:
            raise StorageBroken(
                what="the store is being opened anew after trouble with the disk",
                where=str(self._place.folder),
                next_step="try again in a moment",
            )

    def _open(self) -> None:
        self._busy = True
        self._committer.submit(partial(open_files, self._place, woken=True), self._opened)

    def _opened(self, result: Files | BaseException) -> None:
        self._busy = False
        if isinstance(result, BaseException):
            self._trouble = result  # Once more, with everything that makes sure; off if that fails too.
        else:
            self._take(result)
        self._go_on()

    def _take(self, files: Files) -> None:
        self.connections.adopt(files)
        self.sweeping.adopt(files)
        self._checkpoints.begin_anew()

    @property
    def resting(self) -> bool:
        return self.connections.none_open and not self._busy and not self._halted

    def rest(self) -> None:
        """Closes the connections if nothing is going on."""
        layers = self._layers
        idle = not (self._busy or self._halted or self._lane.busy or self._awake or self.sweeping.forgetting)
        if (
            idle
            and not layers.size_bytes
            and not layers.fence_due
            and self.sweeping.retired is None
            and self._trouble is None
        ):
            self._busy = True
            self._committer.submit(partial(close_checkpointed, self.connections.take_all(), self._place), self._rested)

    def _rested(self, result: BaseException | None) -> None:
        self._busy = False
        if isinstance(result, BaseException):
            self._look_into(result)
        self._go_on()

    async def close(self) -> None:
        """Returns when all is applied, as far as the disk lets it, and the connections are closed."""
        if self._closing:
            return
        self._closing = True
        self._timers.cancel_all()
        drained = asyncio.get_running_loop().create_future()
        self.drain(lambda: drained.set_result(None))
        await drained
        self._halted = True
        await run_job(self._committer, partial(close_checkpointed, self.connections.take_all(), self._place))

    def drain(self, done: Callable[[], None]) -> None:
        """Calls `done` when nothing is left to do."""
        self._when_drained = done
        if self._halted and not self.reopening:
            self._nothing_to_do()
        else:
            self._go_on()


def _timed_commit(writer: Writer, group: Group, monotonic: Callable[[], float]) -> tuple[int, float]:
    started = monotonic()
    return writer.commit(group), monotonic() - started


def _retry_s(failures: int) -> float:
    return min(RETRY_S_MIN * 2.0 ** (failures - 1), RETRY_S_MAX)
