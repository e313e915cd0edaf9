"""How a Worker's code is called for a request: the function `fetch` of its main module, or the class `Default`.

A handler gets as many arguments, from the left, as it declares, may be `async` or not, and answers with a Response, or
with a dict or list that is sent as JSON (API-1, API-3, API-4). See tests/workers/test_handler.py.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Protocol

from perdure.model.errors import UnsupportedValue, WrongType
from perdure.objects.op import Op
from perdure.web.request import Request
from perdure.web.response import Response
from perdure.workers.class_spec import ClassSpec, arguments_wanted
from perdure.workers.env import Env
from perdure.workers.execution_context import ExecutionContext


class Handler(Protocol):
    """The `fetch` of a Worker."""

    label: str
    """For messages: `fetch of main`, `Default.fetch`."""
    function: Callable[..., Any]
    """The user's code; of a class as it stands there."""

    def call(self, request: Request, env: Env, ctx: ExecutionContext) -> Any:
        """Call the user's code; gives what that gave, perhaps an awaitable."""
        ...


class FunctionHandler:
    """`fetch(request[, env[, ctx]])` at module level."""

    __slots__ = ("_arguments", "function", "label")

    def __init__(self, function: Callable[..., Any], label: str) -> None:
        self.function = function
        self._arguments = arguments_wanted(function)
        self.label = label

    def call(self, request: Request, env: Env, ctx: ExecutionContext) -> Any:
        return self.function(*(request, env, ctx)[: self._arguments])


class EntrypointHandler:
    """`fetch` of an entry point, of which each request gets an instance of its own."""

    __slots__ = ("_hook", "_spec", "function", "label")

    def __init__(self, spec: ClassSpec) -> None:
        self._spec = spec
        self._hook = spec.hook("fetch")
        self.function = getattr(spec.cls, self._hook.attribute)
        self.label = f"{spec.name}.{self._hook.attribute}"

    def call(self, request: Request, env: Env, ctx: ExecutionContext) -> Any:
        return self._hook.call(self._spec.cls(ctx, env), request)


def as_response(result: Any, label: str, function: Callable[..., Any] | None = None) -> Response:
    """The response that a handler's result stands for. Raises WrongType, which names the handler and its place."""
    if isinstance(result, Response):
        return result
    if isinstance(result, dict | list):
        return _as_json(result, label, function)
    returned = "nothing" if result is None else f"{type(result).__name__}"
    coroutine = inspect.iscoroutine(result)
    if coroutine:
        result.close()
    raise WrongType(
        what=f"{label} returned {returned} instead of a Response",
        where=_place_of(function),
        why="a handler answers with a Response, or with a dict or list that is sent as JSON",
        next_step="await it" if coroutine else _instead_of(result),
    )


def _as_json(result: Any, label: str, function: Callable[..., Any] | None) -> Response:
    try:
        return Response.from_json(result)
    except UnsupportedValue as error:
        raise UnsupportedValue(
            what=f"{label} returned what cannot be sent as JSON: {error.what}",
            where=f"{error.path} of it, {_place_of(function)}".removesuffix(", "),
            why=error.why,
            next_step=error.next_step,
            path=error.path,
        ) from None


def _instead_of(result: Any) -> str:
    if result is None:
        return "return Response(...) at its end, and on each way out of it"
    if isinstance(result, Op):
        return "call it, if it is a method, and await it: return Response(str(await stub.method()))"
    if isinstance(result, tuple):
        return "return Response(text, status, headers=...)"
    if isinstance(result, str | bytes):
        return "return Response(text)"
    return "return Response(str(...))"


def _place_of(function: Callable[..., Any] | None) -> str:
    """The file and line of the first line of a function, where it has one."""
    code = getattr(inspect.unwrap(function), "__code__", None) if function is not None else None
    return "" if code is None else f"{code.co_filename}:{code.co_firstlineno}"
