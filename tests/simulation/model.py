"""The model: what one object may show, said in a page of plain Python that uses nothing of Perdure's.

An object's life is one line of units. Each step adds at most one; what left the object binds the line up to there; after a
loss the next activation finds the line cut at or after that point, whole units only. The object's own code tells the model
what it does, as it does it; the model answers what it must see.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Never

Rows = dict[Any, Any]
Fail = Callable[[str], Never]


class Unit:
    """What one step wrote: the rows after it, all of them or none."""

    __slots__ = ("confirmed", "exists", "index", "lost", "rows")

    def __init__(self) -> None:
        self.rows: Rows = {}
        self.exists = False
        self.confirmed = False
        self.index = -1
        """In the line; -1 while its step runs."""
        self.lost = False


class Section:
    """A stretch in which only its own tasks run."""

    __slots__ = ("done", "parent")

    def __init__(self, parent: Section | None) -> None:
        self.parent = parent
        self.done = False

    def effective(self) -> Section:
        section = self
        while section.done:
            assert section.parent is not None
            section = section.parent
        return section


class Strand:
    """One task of an activation, and the section it belongs to."""

    __slots__ = ("activation", "later", "name", "section")

    def __init__(self, activation: Activation, section: Section, name: str) -> None:
        self.activation, self.section, self.name = activation, section, name
        self.later: list[Any] = []
        """Calls that it made and has not awaited: its own, so that none waits for itself."""

    def child(self, name: str) -> Strand:
        return Strand(self.activation, self.section.effective(), name)


class History:
    """The line of one object, over all its activations and all processes."""

    def __init__(self, name: str, id: Any, fail: Callable[[History, str], Never]) -> None:
        self.name = name
        self.id = id
        self.line = [Unit()]
        self.line[0].index, self.line[0].confirmed = 0, True
        self.said = 0
        """Index of the newest unit that anything outside has learned of."""
        self.losing = False
        """A failed commit or a crash may have taken what nobody has learned of."""
        self.crashed = False
        self.ghosts: list[Unit] = []
        """Units of a commit that was reported as failed: a crash may bring them back until something else has left."""
        self.current: Activation | None = None
        self.activations = 0
        self.numbers = 0
        self._fail = fail

    def fail(self, why: str) -> Never:
        self._fail(self, why)

    def number(self) -> int:
        """A value never written before."""
        self.numbers += 1
        return self.numbers

    def lose(self, *, crashed: bool) -> None:
        """What is not revealed may be gone, and the activation is."""
        self.losing = True
        self.crashed |= crashed
        if self.current is not None:
            self.current.end_of_life()

    def found(self, rows: Rows, exists: bool) -> Unit:
        """A new activation, or the end of the schedule, has read everything: judge it, and cut the line there."""
        if not self.losing:
            newest = self.line[-1]
            if newest.rows != rows or newest.exists != exists:
                self.fail(f"nothing was lost, and yet {_told(rows, exists)} is not {_told(newest.rows, newest.exists)}")
            return newest
        self._cut(self._match(rows, exists))
        self.losing = self.crashed = False
        return self.line[-1]

    def _match(self, rows: Rows, exists: bool) -> Unit:
        for unit in reversed(self.line[self.said :]):
            if unit.rows == rows and unit.exists == exists:
                return unit
        if self.crashed:
            for unit in reversed(self.ghosts):
                if unit.rows == rows and unit.exists == exists:
                    self._revive(unit)
                    return unit
        for unit in reversed(self.line[: self.said]):
            if unit.rows == rows and unit.exists == exists:
                self.fail(f"lost what was said: back at unit {unit.index}, but unit {self.said} had been revealed")
        self.fail(f"{_told(rows, exists)} was never the state after any unit that may be left")

    def _revive(self, unit: Unit) -> None:
        before = [ghost for ghost in self.ghosts if ghost.index <= unit.index]
        for lost in self.line[before[0].index :]:
            lost.lost = True
        self.line[before[0].index :] = before
        for ghost in before:
            ghost.lost = False

    def _cut(self, at: Unit) -> None:
        tail = self.line[at.index + 1 :]
        del self.line[at.index + 1 :]
        for unit in tail:
            unit.lost = True
        self.ghosts = [] if self.crashed else tail

    def last_confirmed(self) -> Unit:
        return next(unit for unit in reversed(self.line) if unit.confirmed)

    def revealed(self, activation: Activation, unit: Unit) -> None:
        """Something that shows `unit` has left the object."""
        if unit.lost:
            self.fail(f"something left that reveals unit {unit.index}, which is lost")
        if unit.index < 0:
            self.fail("something left before the unit that it reveals was sealed")
        self.said = max(self.said, unit.index)
        if activation is self.current:
            self.ghosts = []


class Activation:
    """One instance of an object: what its steps may see and do."""

    def __init__(self, history: History, gate: Any) -> None:
        self.history = history
        self.gate = gate
        history.activations += 1
        self.number = history.activations
        self.root = Section(None)
        self.starting = Section(self.root)
        self.top = self.starting
        self.waits_before_events = 0
        """Parts of the constructor that have not ended."""
        self.running: Strand | None = None
        self.over = False
        self.rows: Rows = {}
        self.exists = False
        self.unit: Unit | None = None
        self.confirmed = history.line[0]
        """The newest unit for which an output made between steps waits."""
        self.savepoints: list[tuple[Rows, bool, bool | None, bool]] = []
        self.arrivals = 0

    # Life

    def awake(self, rows: Rows, exists: bool) -> None:
        """The constructor has read everything."""
        self.history.found(rows, exists)
        self.confirmed = self.history.last_confirmed()
        self.rows, self.exists = dict(rows), exists
        self.history.current = self

    def end_of_life(self) -> None:
        """It was reset: what its step wrote is dropped, and no step follows."""
        self.over = True
        if self.unit is not None:
            self.unit.lost, self.unit = True, None

    # Steps

    def begin(self, strand: Strand) -> None:
        history = self.history
        if self.over or history.activations != self.number:
            history.fail(f"{strand.name}: a step of activation {self.number}, which has ended")
        if self.running is not None:
            history.fail(f"{strand.name} runs inside a step of {self.running.name}")
        if strand.section.effective() is not self.top:
            history.fail(f"{strand.name} runs although a section is open that it does not belong to")
        if self.gate.running != 1 or self.gate.broken is not None:
            history.fail(f"{strand.name} runs outside of its gate, or after it broke")
        self.running = strand

    def begin_event(self, strand: Strand, arrival: int) -> None:
        if self.waits_before_events:
            self.history.fail(f"{strand.name} starts before the constructor has ended")
        if not self.starting.done:
            self.close(self.starting)
        self.begin(strand)
        if arrival <= self.arrivals:
            self.history.fail(f"{strand.name}, arrival {arrival}, starts after arrival {self.arrivals}")
        self.arrivals = arrival

    def end(self, strand: Strand) -> None:
        if self.over:
            self.running = None
            return
        if self.running is not strand:
            self.history.fail(f"{strand.name} ends a step that it did not begin")
        self.running = None
        if not self.spans_steps:
            self.seal()

    def seal(self) -> None:
        unit, self.unit = self.unit, None
        if unit is None:
            return
        unit.rows, unit.exists = dict(self.rows), self.exists
        line = self.history.line
        unit.index = len(line)
        line.append(unit)
        if unit.confirmed:
            self.confirmed = unit

    # Writes

    @property
    def spans_steps(self) -> bool:
        return any(spans for _, _, _, spans in self.savepoints)

    def wrote(self, changes: Rows, deleted: tuple[Any, ...] = (), *, confirmed: bool = True) -> None:
        if self.unit is None:
            self.unit = Unit()
        self.unit.confirmed |= confirmed
        if changes:
            self.rows.update(changes)
            self.exists = True
        for key in deleted:
            self.rows.pop(key, None)

    def wrote_outside(self, changes: Rows) -> None:
        """In a plain callback: a unit of its own, whether or not the step after it joins in."""
        self.wrote(changes)
        self.seal()

    def dropped_all(self) -> None:
        self.wrote({})
        self.rows, self.exists = {}, False

    def savepoint(self, *, spans_steps: bool) -> None:
        if spans_steps and not self.savepoints:
            self.seal()
        confirmed = None if self.unit is None else self.unit.confirmed
        self.savepoints.append((dict(self.rows), self.exists, confirmed, spans_steps))

    def keep(self) -> None:
        _, _, _, spans = self.savepoints.pop()
        if spans and not self.savepoints:
            self.seal()

    def undo(self) -> None:
        self.rows, self.exists, confirmed, _ = self.savepoints.pop()
        if self.unit is not None and confirmed is None:
            self.unit.lost, self.unit = True, None
        elif self.unit is not None:
            self.unit.confirmed = confirmed is True

    # Outputs

    def output(self) -> Unit:
        """The unit that must be durable before what is sent now may leave."""
        unit = self.unit
        return unit if unit is not None and unit.confirmed and not self.spans_steps else self.confirmed

    def leaves(self, unit: Unit) -> None:
        self.history.revealed(self, unit)

    # Sections

    def open(self, strand: Strand) -> Section:
        if strand.section.effective() is not self.top:
            self.history.fail(f"{strand.name} opens a section inside another's")
        self.top = strand.section = Section(self.top)
        return self.top

    def close(self, section: Section, strand: Strand | None = None) -> None:
        section.done = True
        if self.top is section:
            self.top = section.effective()
        if strand is not None:
            strand.section = section.effective()


def _told(rows: Rows, exists: bool) -> str:
    return repr(rows) if exists else "nothing stored"
