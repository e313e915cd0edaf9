"""`ctx.exports`: a Worker's own classes by their names, whatever the configuration binds.

See tests/workers/test_state.py.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from perdure.model.errors import BindingNotFound


class Exports:
    """The namespaces of the Worker's own object classes, as attributes; `ctx.namespace(cls)` is the typed way."""

    __slots__ = ("_namespaces", "_worker")

    def __init__(self, worker: str, namespaces: Mapping[str, Any]) -> None:
        self._worker = worker
        self._namespaces = namespaces

    def __getattr__(self, name: str) -> Any:
        found = self._namespaces.get(name)
        if found is None:
            near = difflib.get_close_matches(name, list(self._namespaces), n=1)
            raise BindingNotFound(
                what=f"ctx.exports has no {name!r}",
                where=f"the Worker {self._worker}",
                why=f"its object classes are: {', '.join(self._namespaces) or 'none'}",
                next_step=f"did you mean {near[0]!r}?" if near else "name the class in a binding of the configuration",
            )
        return found

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *self._namespaces]

    def __repr__(self) -> str:
        return f"<Exports {', '.join(self._namespaces) or 'without classes'}>"
