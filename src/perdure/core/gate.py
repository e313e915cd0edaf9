"""The input gate: an object's code runs one step at a time, in the order of its tickets, and only where the open section lets it.

Whoever wants to run asks `admits`; whoever is not admitted takes a ticket and keeps its place until its step has run, so no
newcomer overtakes it. While a section is open only its own members run. The gate itself is the outermost section. There is
no waiting here: `turn` says whose ticket is next, the driver wakes it. See tests/core/test_gate.py and the named faults in
tests/objects/test_planted_faults.py.
"""

from collections import deque
from collections.abc import Callable
from typing import Self


class Section:
    """A stretch in which only its members run. One that is done hands what is left of it to its parent."""

    __slots__ = ("depth", "done", "parent", "waiting")

    def __init__(self, parent: "Section | None") -> None:
        self.parent = parent
        self.depth: int = 0 if parent is None else parent.depth + 1
        self.done = False
        self.waiting: deque[Ticket] | None = None

    def effective(self) -> "Section":
        """This section, or the innermost one around it that is still open."""
        section = self
        while section.done:
            assert section.parent is not None, "the gate itself is never done"
            section = section.parent
        return section

    def enclosing(self) -> "list[Section]":
        """The open sections from this one outwards, without the gate itself."""
        found = []
        section = self.effective()
        while section.parent is not None:
            found.append(section)
            section = section.parent.effective()
        return found


class Ticket:
    """A place in the queue of a section. `wake` is called when its turn may have come."""

    __slots__ = ("ahead", "section", "wake")

    def __init__(self, section: Section, ahead: bool) -> None:
        self.section = section
        self.ahead = ahead
        self.wake: Callable[[], None] | None = None


class InputGate(Section):
    """The gate of one instance."""

    __slots__ = ("_open", "broken", "running")

    def __init__(self) -> None:
        super().__init__(None)
        # Not the gate itself while no section is open: an instance that is dropped must not hold on to itself.
        self._open: Section | None = None
        self.running = 0
        self.broken: BaseException | None = None

    @property
    def top(self) -> Section:
        """The innermost open section; the gate itself if there is none."""
        return self if self._open is None else self._open

    def admits(self, section: Section, ticket: Ticket | None = None) -> bool:
        """May code of `section` run now? Without a ticket only if nobody waits there: a woken waiter keeps its place."""
        top = self if self._open is None else self._open
        if self.running or (section is not top and section.effective() is not top):
            return False
        waiting = top.waiting
        return not waiting or waiting[0] is ticket

    def take_ticket(self, section: Section, *, ahead: bool = False) -> Ticket:
        """Queue for `section`; `ahead` puts a critical section before ordinary waiters, behind earlier sections."""
        section = section.effective()
        ticket = Ticket(section, ahead)
        if section.waiting is None:
            section.waiting = deque()
        if ahead:
            place = next((i for i, other in enumerate(section.waiting) if not other.ahead), len(section.waiting))
            section.waiting.insert(place, ticket)
        else:
            section.waiting.append(ticket)
        return ticket

    def return_ticket(self, ticket: Ticket) -> None:
        """Leave the queue: the step runs now, or never will."""
        section = ticket.section
        assert section.waiting is not None
        section.waiting.remove(ticket)
        if not section.waiting:
            section.waiting = None

    def turn(self) -> Ticket | None:
        """Whose turn it is, if nobody runs."""
        if self.running:
            return None
        waiting = self.waiting if self._open is None else self._open.waiting
        return waiting[0] if waiting else None

    def everyone(self) -> list[Ticket]:
        """All who wait, in any section: when the gate breaks, each must learn of it."""
        found: list[Ticket] = []
        section: Section | None = self.top
        while section is not None:
            found.extend(section.waiting or ())
            section = section.parent
        return found

    def open_section(self, parent: Section) -> Section:
        """A new innermost section; the caller runs as a member of `parent`, which must be the open one."""
        assert parent.effective() is self.top, "only a member of the open section opens another"
        self._open = Section(self.top)
        return self._open

    def close_section(self, section: Section) -> None:
        """End a section; its waiting tickets queue in the parent, before the parent's own waiters by age of the section."""
        if section.done:
            return
        section.done = True
        heir = section.effective()
        if section.waiting:
            for ticket in section.waiting:
                ticket.section = heir
            if heir.waiting is None:
                heir.waiting = deque()
            heir.waiting.extendleft(reversed(section.waiting))
            section.waiting = None
        if self._open is section:
            self._open = None if heir is self else heir


class Member:
    """To which section a task's code belongs. Tasks that it starts become members of the same section."""

    __slots__ = ("section",)

    def __init__(self, section: Section) -> None:
        self.section = section

    def enter(self, section: Section) -> Self:
        self.section = section
        return self
