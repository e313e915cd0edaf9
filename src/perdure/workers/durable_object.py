"""The base of an object class.

At run time it has a constructor and `setup` and nothing else, so that "has a handler" means "defines it" (API-5); type
checkers see the other hooks with any signature, so that each may be declared with as many arguments as it needs. See
tests/workers/test_class_spec.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Generic

from typing_extensions import TypeVar

from perdure.model.limits import Limits

if TYPE_CHECKING:
    from collections.abc import Sequence
    from os import PathLike

    from perdure.objects.sql.schema import SchemaStep
    from perdure.workers.state import State

E = TypeVar("E", default=Any)


class DurableObject(Generic[E]):
    """An object class derives from it: `class Counter(DurableObject["HitsEnv"])`. One instance is live per name.

    `self.ctx` is the object's state and storage, `self.env` the Worker's bindings. Public methods are callable through
    stubs.
    """

    limits: ClassVar[Limits]
    """`limits = Limits(...)` changes the defaults for the class (API-44)."""
    schema: ClassVar[Sequence[SchemaStep] | PathLike[str]]
    """`schema = [...]`: steps that each object makes once, in order; or a folder of `*.sql` files (API-43)."""
    ctx: State
    env: E

    def __init__(self, ctx: State, env: E) -> None:
        self.ctx = ctx
        self.env = env

    def setup(self, *args: Any, **kwargs: Any) -> Any:
        """Yours to define, `async` or not: runs once per activation, before any event, with the gate closed (API-6)."""

    if TYPE_CHECKING:

        def fetch(self, *args: Any, **kwargs: Any) -> Any: ...  # (request)
        def alarm(self, *args: Any, **kwargs: Any) -> Any: ...  # (info)
        def websocket_message(self, *args: Any, **kwargs: Any) -> Any: ...  # (ws, message)
        def websocket_close(self, *args: Any, **kwargs: Any) -> Any: ...  # (ws, code, reason, was_clean)
        def websocket_error(self, *args: Any, **kwargs: Any) -> Any: ...  # (ws, error)
        def pre_shutdown(self, *args: Any, **kwargs: Any) -> Any: ...  # (reason)
