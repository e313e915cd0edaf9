"""Calls of a schedule: events that carry a program, through stubs and outboxes, each settled exactly once.

A call tells the model what it reveals when it has left its sender, and what its outcome reveals when that arrives.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from perdure.model.errors import ObjectReset, PerdureError
from perdure.model.object_id import ObjectId
from perdure.objects.event import Event
from perdure.objects.member import CURRENT
from perdure.objects.op import Op
from perdure.objects.outbox import Outbox
from perdure.objects.residents import Residents
from perdure.objects.stream import pump
from tests.simulation.actor import Actor, Outcome
from tests.simulation.model import Activation, History, Unit
from tests.simulation.program import Program

if TYPE_CHECKING:
    from tests.simulation.process import Process

Sender = tuple[Activation, Unit]


class Play(Event):
    """One call of an object: the program that it is to play."""

    __slots__ = (
        "arrival",
        "chunks",
        "number",
        "op",
        "outcome",
        "program",
        "raised",
        "sender",
        "settled",
        "stub",
        "what",
    )

    def __init__(
        self, stub: Stub, number: int, program: Program, sender: Sender | None, chunks: list[Program] | None
    ) -> None:
        super().__init__()
        member = CURRENT.get()
        if member is not None:
            self.sent_by(member)
        stub.process.events += 1
        self.what = f"event {stub.process.events}"
        self.stub, self.number, self.program, self.sender, self.chunks = stub, number, program, sender, chunks
        self.op: Op[Any] = Op()
        self.arrival = 0
        self.outcome: Outcome | None = None
        self.raised: BaseException | None = None
        self.settled = False

    size_bytes = 100

    @property
    def awaited(self) -> bool:
        return self.op.awaited

    def arrives(self) -> None:
        """It has left its sender."""
        process, history = self.stub.process, self.stub.history
        if process.over:
            return
        if self.sender is not None:
            activation, unit = self.sender
            activation.leaves(unit)
        process.arrivals += 1
        self.arrival = process.arrivals
        process.note(history, 0, self.what, "arrives", self.arrival)
        self.stub.residents.deliver(self.stub.id, self)

    def starts(self) -> None:
        if self.number <= self.stub.started:
            self.stub.history.fail(f"call {self.number} starts after call {self.stub.started} of the same stub")
        self.stub.started = self.number
        self.stub.process.events_started += 1

    def run(self, target: object) -> Any:
        assert isinstance(target, Actor)
        return target.handle(self)

    def pack(self, result: Any) -> Any:
        return None if result is None else pump(result)

    def resolve(self, packed: Any) -> None:
        if self._settle("resolved"):
            assert self.outcome is not None
            activation, unit = self.outcome
            activation.leaves(unit)
            self.op.resolve(packed)

    def reject(self, error: BaseException) -> None:
        if not self._settle(f"rejected: {type(error).__name__}"):
            return
        if error is self.raised:
            assert self.outcome is not None, "raised by the program, so its step had an end"
            activation, unit = self.outcome
            activation.leaves(unit)
        elif not isinstance(error, PerdureError):
            self.stub.history.fail(f"{self.what} failed with {error!r}")
        self.op.reject(error if isinstance(error, Exception) else ObjectReset(what=repr(error)))
        with suppress(Exception):
            self.op.result()  # calls that nobody awaits are part of the schedules: nothing to log

    def _settle(self, how: str) -> bool:
        if self.stub.process.over:
            return False
        self.stub.process.note(self.stub.history, 0, self.what, how)
        if self.settled:
            self.stub.history.fail(f"{self.what} was settled twice; now it is {how}")
        self.settled = True
        self.stub.process.unsettled.discard(self)
        return True


class Stub:
    """What calls of one sender, or of several, go through: in order."""

    def __init__(self, process: Process, history: History, residents: Residents, id: ObjectId) -> None:
        self.process, self.history, self.residents, self.id = process, history, residents, id
        self.outbox = Outbox()
        self.sent = 0
        self.started = 0

    def call(self, program: Program, sender: Sender | None = None, chunks: list[Program] | None = None) -> Op[Any]:
        self.sent += 1
        event = Play(self, self.sent, program, sender, chunks)
        self.process.unsettled.add(event)
        self.outbox.send(event.arrives, event.reject)
        return event.op
