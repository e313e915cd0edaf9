"""`ctx` of an object as its class sees it: the activation's own, and the Worker that the class belongs to.

See tests/workers/test_state.py.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from perdure.objects.state import State as ActivationState

if TYPE_CHECKING:
    from perdure.workers.execution_context import Background
    from perdure.workers.namespace import Namespace

D = TypeVar("D")


class State(ActivationState):
    """`ctx` of an object."""

    __slots__ = ("_worker",)

    def __init__(self, activation: ActivationState, background: Background) -> None:
        super().__init__(activation._instance)
        self._worker = background

    @property
    def props(self) -> Any:
        """What the deployer set for this class, else {}."""
        return {}

    @property
    def exports(self) -> Any:
        """The namespaces of the Worker's own object classes, by class name; `namespace` is the typed way."""
        return self._worker.exports

    def namespace(self, cls: type[D], /) -> Namespace[D]:
        """The namespace of an object class of this Worker; it needs no binding (API-13)."""
        return self._worker.namespace_of(cls)
