"""A stub: what stands for an object at its callers.

Must stay true: a call begins when it is made, with its arguments copied then; calls through one stub start in the
order made; a stub outlives resets, because it names the object and not an instance of it. See
tests/workers/test_stub.py.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any

from perdure.model.errors import WrongType
from perdure.model.object_id import ObjectId
from perdure.objects.event import Event
from perdure.objects.member import CURRENT
from perdure.objects.op import Op
from perdure.objects.origin import ORIGIN
from perdure.objects.outbox import Outbox
from perdure.objects.stream import pump
from perdure.web.body import Body
from perdure.web.headers import HeadersInit
from perdure.web.request import Request
from perdure.web.response import Response
from perdure.workers.home import Home
from perdure.workers.message import copy_arguments
from perdure.workers.rpc import Fetch, MethodCall, PropertyRead


class Stub:
    """An object at its callers, without the type of its class: `id`, `name`, `fetch`, and its methods and properties.

    Attributes that you set on it are your own and hide a method of that name.
    """

    __slots__ = ("__dict__", "__weakref__", "_home", "_id", "_outbox")

    def __init__(self, home: Home, id: ObjectId) -> None:
        self._home = home
        self._id = id
        self._outbox: Outbox | None = None

    @property
    def id(self) -> ObjectId:
        return self._id

    @property
    def name(self) -> str | None:
        """The name that the stub was made from, None if it was made from an id without one."""
        return self._id.name

    if TYPE_CHECKING:
        # So that create_task and the like take the call; at run time it is an Op, and has begun (API-17).
        async def fetch(
            self,
            input: str | Request,
            *,
            method: str | None = None,
            headers: HeadersInit | None = None,
            body: Body = None,
        ) -> Response: ...

    def _fetch(
        self, input: str | Request, *, method: str | None = None, headers: HeadersInit | None = None, body: Body = None
    ) -> Op[Response]:
        """Send a request to the object's `fetch`; gives what that returns, and raises what it raises (API-53).

        input: an absolute URL, whose host is never resolved, or a request, whose body moves. No redirect is followed.
        """
        if not isinstance(input, Request) or method is not None or headers is not None or body is not None:
            input = Request(input, method=method, headers=headers, body=body)
        content = input.take_body()
        if content is not None and not isinstance(content, bytes):
            content = pump(content)  # one that an object's code produces passes that object's gates
        op: Op[Response] = Op()
        self._send(Fetch(self._home, op, Request.for_callee(input, content)))
        return op

    if not TYPE_CHECKING:
        fetch = _fetch

    def __getattr__(self, member: str) -> Remote:
        if member[:2] == "__" and member[-2:] == "__":
            raise AttributeError(member)  # what Python asks of any value (copy, repr, typing) is no call
        return Remote(self, member)

    def __repr__(self) -> str:
        return f"<Stub {self._home.spec.name} {self._id.name or self._id.hex}>"

    def _call(self, method: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Op[Any]:
        op: Op[Any] = Op()
        copied, named, size_bytes = copy_arguments(method, args, kwargs)
        self._send(MethodCall(self._home, op, method, copied, named, size_bytes))
        return op

    def _read(self, name: str, op: Op[Any]) -> None:
        self._send(PropertyRead(self._home, op, name))

    def _send(self, event: Event) -> None:
        sender = CURRENT.get()
        if sender is not None:
            event.sent_by(sender)
        else:
            event.origin = ORIGIN.get()
        if self._outbox is None:
            if sender is None:
                # From outside of objects nothing is held back: no queue and no closures for the most common call.
                self._home.residents.deliver(self._id, event)
                return
            self._outbox = Outbox()
        self._home.residents.check_thread(event)  # what is held back is delivered later, and not by this thread
        self._outbox.send(_Delivery(self._home, self._id, event), event.reject)


class _Delivery:
    """A call that waits in an outbox."""

    __slots__ = ("_event", "_home", "_id")

    def __init__(self, home: Home, id: ObjectId, event: Event) -> None:
        self._home, self._id, self._event = home, id, event

    def __call__(self) -> None:
        self._home.residents.deliver(self._id, self._event)


class Remote(Op[Any]):
    """A member of a stub: call it, or await it to read a property. Nothing is sent before."""

    __slots__ = ("_asked", "_member", "_stub")

    def __init__(self, stub: Stub, member: str) -> None:
        Op.__init__(self)
        self._stub = stub
        self._member = member
        self._asked = False

    def __call__(self, *args: Any, **kwargs: Any) -> Op[Any]:
        """Call the method: the call begins now, with its arguments as they are now (API-17)."""
        return self._stub._call(self._member, args, kwargs)

    def __await__(self) -> Generator[Any, None, Any]:
        self._ask()
        return super().__await__()

    def send(self, value: None) -> Any:
        self._ask()
        return super().send(value)

    def _ask(self) -> None:
        if not self._asked:
            self._asked = True
            self._stub._read(self._member, self)

    def __repr__(self) -> str:
        return f"<Remote {self._member} of {self._stub!r}>"


def stub_of(obj: object, /) -> Stub:
    """The same stub without the type of its class. Raises WrongType for anything that is not a stub (API-21)."""
    if isinstance(obj, Stub):
        return obj
    raise WrongType(
        what=f"stub_of() takes a stub, not {type(obj).__name__}",
        why="it gives the same stub, without the type of its class",
        next_step="pass what a namespace gave: `stub_of(env.ROOMS[name])`",
    )
