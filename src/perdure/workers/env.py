"""`env`: what the configuration gives a Worker, under the names it says, the same for all and changed by none.

See tests/workers/test_env.py.
"""

from __future__ import annotations

import copy
import difflib
import operator
from collections.abc import Iterator, Mapping, Sequence
from enum import Enum
from typing import Any, Never, Self

from perdure.model.errors import BindingNotFound, WrongType


class Env:
    """The Worker's bindings and variables, as attributes and as items; derive from it to say their types:

        class MyEnv(Env):
            COUNTER: Namespace[Counter]

    Read-only. An unknown name is BindingNotFound, which lists the known ones (API-8).
    """

    __slots__ = ("__dict__", "__json", "__where")
    __json: dict[str, Any]
    __where: str

    def __new__(cls) -> Self:
        env = super().__new__(cls)
        object.__setattr__(env, "_Env__json", {})
        object.__setattr__(env, "_Env__where", "")
        return env

    def __getitem__(self, name: str, /) -> Any:
        if isinstance(name, str) and name in self.__json:
            return copy.deepcopy(self.__json[name])
        return getattr(self, name) if isinstance(name, str) and name in self else self.__refuse(name)

    def __getattr__(self, name: str) -> Any:
        # Only for what is no plain attribute. Lists and dicts are copied out: everyone has the same `env`.
        if name.startswith("__") or name not in self.__json:
            self.__refuse(name)
        return copy.deepcopy(self.__json[name])

    def __contains__(self, name: object, /) -> bool:
        return name in self.__dict__ or name in self.__json

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({*self.__dict__, *self.__json}))

    def __len__(self) -> int:
        return len(self.__dict__) + len(self.__json)

    def __setattr__(self, name: str, value: object) -> None:
        self.__unchangeable(name)

    def __delattr__(self, name: str) -> None:
        self.__unchangeable(name)

    def __repr__(self) -> str:
        return f"<Env {', '.join(self) or 'without bindings'}>"

    def __unchangeable(self, name: str) -> Never:
        raise WrongType(
            what=f"env.{name} cannot be set or deleted: env is read-only",
            where=self.__where,
            why="every request and object of the Worker sees the same env",
            next_step="change the configuration; keep what changes in an object",
        )

    def __refuse(self, name: object) -> Never:
        known = list(self)
        near = difflib.get_close_matches(str(name), known, n=1)
        raise BindingNotFound(
            what=f"env.{name} is not bound",
            where=self.__where,
            why=f"known bindings: {', '.join(known) or 'none'}",
            next_step=f"did you mean {near[0]!r}?" if near else "add it to the configuration",
        )


def make_env(values: Mapping[str, Any], *, where: str = "", classes: Sequence[type[Env]] = ()) -> Env:
    """The `env` with these values. where: the file that names them, for messages.

    classes: those that the Worker's code names; `env` is an instance of each, as far as Python can make one class of
    them.
    """
    json = {name: copy.deepcopy(value) for name, value in values.items() if _is_changeable(value)}
    env = Env.__new__(_class_of(classes, json))
    object.__setattr__(env, "_Env__where", where)
    object.__setattr__(env, "_Env__json", json)
    env.__dict__.update({name: value for name, value in values.items() if name not in json})
    return env


def _class_of(classes: Sequence[type[Env]], json: Mapping[str, Any]) -> type[Env]:
    leaves = [cls for cls in classes if not any(other is not cls and issubclass(other, cls) for other in classes)]
    # A default in the class would be found before `__getattr__` is asked.
    hidden = {name: property(operator.itemgetter(name)) for name in json if any(hasattr(cls, name) for cls in leaves)}
    if len(leaves) == 1 and not hidden:
        return leaves[0]
    name = "And".join(cls.__name__ for cls in leaves) or Env.__name__
    try:
        return type(name, tuple(leaves) or (Env,), hidden)
    except TypeError:  # their bases stand in contradicting orders: the values are the same all the same
        return type(Env.__name__, (Env,), hidden)


_UNCHANGEABLE = (str, bytes, int, float, type(None), Enum)


def _is_changeable(value: object) -> bool:
    """Whether a holder of it could change it for all others. What is bound (a namespace) is shared as it is."""
    if isinstance(value, _UNCHANGEABLE) or getattr(type(value), "__module__", "").startswith("perdure."):
        return False
    return copy.deepcopy(value) is not value
