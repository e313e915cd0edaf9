"""The base of an entry point: a class whose instances each serve one invocation of the Worker.

`Default` is the default entry point, any other is known by its own name (API-1). See tests/workers/test_loader.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Generic

from typing_extensions import TypeVar

if TYPE_CHECKING:
    from perdure.workers.execution_context import ExecutionContext

E = TypeVar("E", default=Any)


class WorkerEntrypoint(Generic[E]):
    """`class Default(WorkerEntrypoint)` with `async def fetch(self, request)`. Each request has one of its own."""

    ctx: ExecutionContext
    env: E

    def __init__(self, ctx: ExecutionContext, env: E) -> None:
        self.ctx = ctx
        self.env = env

    if TYPE_CHECKING:

        def fetch(self, *args: Any, **kwargs: Any) -> Any: ...  # (request)
        def scheduled(self, *args: Any, **kwargs: Any) -> Any: ...  # (event)
