"""Critical sections: stretches in which no other event of the object runs, over as many awaits as they need.

Must stay true: a section starts where the caller stands and ends where its block ends; only its members run meanwhile; it is
bounded in time and depth; leaving it by an exception resets nothing unless it was started by block_concurrency_while.
See scenarios 1, 2, 8, 9 and 10 in tests/objects/.
"""

from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Generic, TypeVar

from perdure.core.clock import Cancellable
from perdure.core.gate import Section
from perdure.model.errors import NestedTooDeep, OutsideGate, WrongValue
from perdure.model.limits import SECTION_DEPTH_MAX
from perdure.objects.driver import start_task
from perdure.objects.member import CURRENT, ObjectMember
from perdure.objects.op import Op

if TYPE_CHECKING:
    from perdure.objects.instance import Instance

T = TypeVar("T")


def member_in_step(instance: "Instance", what: str) -> ObjectMember:
    """The running member of this instance; sections belong to code that passed the gate."""
    member = CURRENT.get()
    instance.touch()
    if member is None or member.instance is not instance or not instance.gate.running:
        raise OutsideGate(
            what=f"{what} was used outside of a step of the object",
            where=instance.label,
            why="only code that runs under the object's gate can hold it closed",
            next_step="use it in a handler, a method, or a task that one of them started",
        )
    return member


class CriticalSection:
    """`async with`: holds the gate for its block."""

    __slots__ = ("_deadline", "_instance", "_member", "_section", "_what")

    def __init__(self, instance: "Instance", what: str) -> None:
        self._instance = instance
        self._what = what
        self._section: Section | None = None
        self._member: ObjectMember | None = None
        self._deadline: Cancellable | None = None

    def enter(self) -> None:
        member = member_in_step(self._instance, self._what)
        if self._section is not None and not self._section.done:
            raise WrongValue(
                what=f"{self._what} was entered a second time while it is open",
                where=self._instance.label,
                why="each stretch has its own end",
                next_step="call `ctx.critical_section()` again for the inner block",
            )
        check_depth(self._instance, member.section.effective(), self._what)
        self._section = self._instance.gate.open_section(member.section)
        self._member = member
        member.section = self._section
        self._deadline = self._instance.time_limit(self._section, self._what)

    def leave(self) -> None:
        assert self._section is not None and self._member is not None and self._deadline is not None
        self._deadline.cancel()
        self._instance.gate.close_section(self._section)
        self._member.section = self._section.effective()

    async def __aenter__(self) -> None:
        self.enter()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.leave()


def check_depth(instance: "Instance", around: Section, what: str) -> None:
    if around.depth >= SECTION_DEPTH_MAX:
        raise NestedTooDeep(
            what=f"{what} would be nested {around.depth + 1} deep",
            where=instance.label,
            why=f"at most {SECTION_DEPTH_MAX} critical sections may be open inside each other",
            next_step="look for a section that opens itself again",
        )


class Blocking(Generic[T]):
    """A run of `block_concurrency_while`: queued at once, started when the running step ends."""

    def __init__(self, instance: "Instance", fn: Callable[[], Awaitable[T]]) -> None:
        outer = member_in_step(instance, "block_concurrency_while()")
        around = outer.section.effective()
        check_depth(instance, around, "block_concurrency_while()")
        self.op: Op[T] = Op()
        self._instance, self._fn = instance, fn
        self._member = outer.child()
        ticket = instance.gate.take_ticket(around, ahead=True)
        start_task(self._run(), self._member, fatal=True, ticket=ticket)

    async def _run(self) -> None:
        section = CriticalSection(self._instance, "a callback of block_concurrency_while()")
        section.enter()
        result = await self._fn()
        section.leave()
        self.op.resolve(result)


def block_concurrency_while(instance: "Instance", fn: Callable[[], Awaitable[T]]) -> Op[T]:
    return Blocking(instance, fn).op
