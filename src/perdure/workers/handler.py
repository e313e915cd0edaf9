"""How a Worker's code is called for a request: the function `fetch` of its main module, or the class `Default`.

A handler gets as many arguments, from the left, as it declares, may be `async` or not, and answers with a Response, or
with a dict or list that is sent as JSON (API-1, API-3, API-4). See tests/workers/test_handler.py.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, Protocol

from perdure.model.errors import WrongType
from perdure.web.request import Request
from perdure.web.response import Response
from perdure.workers.class_spec import ClassSpec, arguments_wanted
from perdure.workers.env import Env
from perdure.workers.execution_context import ExecutionContext


class Handler(Protocol):
    """The `fetch` of a Worker."""

    label: str
    """For messages: `fetch of main`, `Default.fetch`."""

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

    __slots__ = ("_hook", "_spec", "label")

    def __init__(self, spec: ClassSpec) -> None:
        self._spec = spec
        self._hook = spec.hook("fetch")
        self.label = f"{spec.name}.{self._hook.attribute}"

    def call(self, request: Request, env: Env, ctx: ExecutionContext) -> Any:
        return self._hook.call(self._spec.cls(ctx, env), request)


def as_response(result: Any, label: str) -> Response:
    """The response that a handler's result stands for. Raises WrongType, which names the handler."""
    if isinstance(result, Response):
        return result
    if isinstance(result, dict | list):
        return Response.from_json(result)
    returned = "nothing" if result is None else f"{type(result).__name__}"
    coroutine = inspect.iscoroutine(result)
    if coroutine:
        result.close()
    raise WrongType(
        what=f"{label} returned {returned} instead of a Response",
        why="a handler answers with a Response, or with a dict or list that is sent as JSON",
        next_step="await it" if coroutine else f"return Response({'...' if result is None else 'str(...)'})",
    )
