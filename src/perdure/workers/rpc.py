"""The events that calls through a stub are: a method, a property, a request.

Must stay true: what can be called is decided here, at the callee, by its class; results are copied inside the object's
step, before anything else can change them; errors are rebuilt for each caller, and results become the class that the
caller's stub says. See tests/workers/test_stub.py and test_typed_call.py.
"""

from __future__ import annotations

from typing import Any

from perdure.model.value import as_type
from perdure.objects.event import Event
from perdure.objects.op import Op
from perdure.objects.stream import pump
from perdure.web.request import Request
from perdure.web.response import Response
from perdure.workers.advice import advise, advise_caller
from perdure.workers.handler import as_response
from perdure.workers.home import Home
from perdure.workers.message import copy_result
from perdure.workers.remote_error import rebuild

# A request's headers and URL, roughly: what it holds in memory while it waits. Streamed bodies are not held.
REQUEST_BYTES = 1_024


class _Call(Event):
    """An event with a caller that waits for the outcome."""

    __slots__ = ("_home", "_op")

    def __init__(self, home: Home, op: Op[Any]) -> None:
        self.chain = ()
        self._home = home
        self._op = op

    @property
    def awaited(self) -> bool:
        return self._op.awaited

    def resolve(self, packed: Any) -> None:
        self._op.resolve(packed)

    def _resolve_as(self, member: str, packed: Any) -> None:
        """Give the result of a member as the class that the caller's stub says."""
        try:
            built = as_type(self._home.results[member], packed, path=f"result of {member}()")
        except BaseException as error:  # of whatever a class of the user does to be built: its caller is to hear of it
            self._op.reject(error)
        else:
            self._op.resolve(built)

    def reject(self, error: BaseException) -> None:
        for each in (error, error.__cause__):
            if each is not None:
                advise(each)
        self._op.reject(rebuild(error, self._home.modules))


class MethodCall(_Call):
    """`stub.method(...)`."""

    __slots__ = ("_args", "_kwargs", "_method", "size_bytes")

    def __init__(
        self,
        home: Home,
        op: Op[Any],
        method: str,
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        size_bytes: int,
    ) -> None:
        self.chain = ()  # not by way of _Call: one of these is made for every call
        self._home = home
        self._op = op
        self._method = method
        self._args = args
        self._kwargs = kwargs
        self.size_bytes = size_bytes

    @property
    def what(self) -> str:
        return f"{self._method}()"

    def run(self, target: object) -> Any:
        return self._home.spec.method(target, self._method)(*self._args, **self._kwargs)

    def pack(self, result: Any) -> Any:
        return copy_result(self._method, result)

    def reject(self, error: BaseException) -> None:
        if self._method in self._home.spec.methods:
            advise_caller(error, self._home.spec.cls, self._method)
        super().reject(error)

    def resolve(self, packed: Any) -> None:
        if self._method in self._home.results:
            self._resolve_as(self._method, packed)
        else:
            self._op.resolve(packed)


class PropertyRead(_Call):
    """`await stub_of(stub).prop`."""

    __slots__ = ("_name",)

    size_bytes = 0

    def __init__(self, home: Home, op: Op[Any], name: str) -> None:
        super().__init__(home, op)
        self._name = name

    @property
    def what(self) -> str:
        return f"reading {self._name}"

    def run(self, target: object) -> Any:
        return self._home.spec.read(target, self._name)

    def pack(self, result: Any) -> Any:
        return copy_result(self._name, result)

    def resolve(self, packed: Any) -> None:
        if self._name in self._home.results:
            self._resolve_as(self._name, packed)
        else:
            self._op.resolve(packed)


class Fetch(_Call):
    """`stub.fetch(request)`."""

    __slots__ = ("_request",)

    size_bytes = REQUEST_BYTES

    def __init__(self, home: Home, op: Op[Any], request: Request) -> None:
        self.chain = ()  # as in MethodCall
        self._home = home
        self._op = op
        self._request = request

    @property
    def what(self) -> str:
        return f"fetch {self._request.method} {self._request.path}"

    def run(self, target: object) -> Any:
        hook = self._home.spec.hooks.get("fetch")
        if hook is None:
            raise self._home.spec.cannot_answer(self.what)
        return hook.call(target, self._request)

    def pack(self, result: Any) -> Response:
        response = result if type(result) is Response else self._as_response(result)
        content = response.take_body()
        if content is not None and not isinstance(content, bytes):
            content = pump(content)  # its chunks come from the object: each passes the gates
        return Response.for_caller(response, self._request, content)

    def _as_response(self, result: Any) -> Response:
        spec = self._home.spec
        attribute = spec.hook("fetch").attribute
        return as_response(result, f"{spec.name}.{attribute}", getattr(spec.cls, attribute))
