"""An outbox: the calls and frames for one destination, which leave in the order in which they were made.

An output of an object leaves once the writes made before it are durable. While an older one waits, a newer one queues behind
it even if nothing holds it: else a call made later would arrive first. See tests/objects/test_output_gate.py.
"""

from collections import deque
from collections.abc import Callable
from functools import partial

from perdure.objects.member import CURRENT
from perdure.objects.op import Op

Deliver = Callable[[], None]
Fail = Callable[[BaseException], None]


class _Output:
    __slots__ = ("box", "deliver", "fail", "free")

    def __init__(self, box: "Outbox", deliver: Deliver, fail: Fail) -> None:
        self.box, self.deliver, self.fail = box, deliver, fail
        self.free = False

    def __call__(self, failed: BaseException | None) -> None:
        """The output gate has decided."""
        self.box.decided(self, failed)


class Outbox:
    """One destination's queue. Costs nothing while nothing waits."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting: deque[_Output] | None = None

    def send(self, deliver: Deliver, fail: Fail) -> None:
        """Call `deliver` in order, when the running object's earlier writes are durable; `fail` if they never will be."""
        member = CURRENT.get()
        if self._waiting is None and (member is None or member.instance.rows.nothing_to_wait_for):
            deliver()
            return
        output = _Output(self, deliver, fail)
        if self._waiting is None:
            self._waiting = deque()
        self._waiting.append(output)
        if member is None:
            output(None)
        elif member.instance.rows.shut_by is not None:
            output(member.instance.rows.shut_by)
        else:
            member.instance.rows.hold(output)

    def decided(self, output: _Output, failed: BaseException | None) -> None:
        assert self._waiting is not None
        if failed is not None:
            self._waiting.remove(output)
            output.fail(failed)
        output.free = True
        while self._waiting and self._waiting[0].free:
            self._waiting.popleft().deliver()
        if not self._waiting:
            self._waiting = None


def released() -> Op[None]:
    """Done once an output that the running code makes now may leave: at once outside of objects.

    Fails if the writes made before it will never be durable.
    """
    op: Op[None] = Op()
    Outbox().send(partial(op.resolve, None), op.reject)
    return op
