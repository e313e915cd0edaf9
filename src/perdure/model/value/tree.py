"""Turns a value into the tree that MessagePack writes exactly: what msgspec would change silently is a leaf or has a
marker.

msgspec alone makes a tuple a list, a date a string and a Decimal text. The walk goes by exact type; what it need not
change it hands on as it is, without a copy. See tests/model/test_value_roundtrip.py (the fault "msgspec's own tuple" is
caught there).
"""

from collections.abc import Callable, Iterable
from datetime import date, time, timedelta
from decimal import Decimal
from enum import Enum
from typing import Any, Final
from uuid import UUID

from msgspec.msgpack import Ext

from perdure.model.errors import TooLarge
from perdure.model.foreign import Map
from perdure.model.limits import VALUE_DEPTH_MAX
from perdure.model.value import wire_format
from perdure.model.value.bases import as_base
from perdure.model.value.fields import Field, fields_of, is_array_like, is_root_model, struct_tag
from perdure.model.value.leaves import CAREFUL_LEAVES, CAREFUL_SCALARS, LEAVES, text
from perdure.model.value.refusal import Refusal, key_step, unsupported
from perdure.model.value.restore import restore
from perdure.model.value.wire_format import SCALARS, TEXT

# Two different keys of these types stay different, whatever happens on the way. Not so aware datetimes: around the end
# of summer time two that Python calls different can be one instant.
_KEYS_APART: Final = SCALARS | {date, time, timedelta, Decimal, UUID}


class Walk:
    """One value on its way to a tree. `marked` tells afterwards whether the tree needs the marked format.

    careful: also look into ints and text, which a first, quick walk leaves to msgspec; its refusal then has no path.
    elements_max: each element takes a byte at least, so more of them than bytes allowed are too many; this also ends
    the walk of a small value that refers to its parts exponentially often.
    """

    __slots__ = ("_careful", "_elements_left", "_elements_max", "_leaves", "_path", "_scalars", "marked")

    def __init__(self, path: str, *, careful: bool, elements_max: int) -> None:
        self.marked = False
        self._path = path
        self._careful = careful
        self._scalars = CAREFUL_SCALARS if careful else SCALARS
        self._leaves = CAREFUL_LEAVES if careful else LEAVES
        self._elements_max = self._elements_left = elements_max

    def tree(self, value: Any, depth: int = 0) -> Any:
        """The tree of `value`, which stands inside `depth` containers. Raises Refusal, or TooLarge."""
        kind = type(value)
        container = _CONTAINERS.get(kind)
        if container is not None:
            return container(self, value, depth)
        if kind in self._scalars:
            return value
        leaf = self._leaves.get(kind)
        return self._other(value, depth) if leaf is None else leaf(value)

    # -------------------------------------------------------------------------------------------------- containers

    def _enter(self, owner: object, count: int, depth: int) -> int:
        """Counts a container and its elements; gives the depth of what is inside."""
        if depth >= VALUE_DEPTH_MAX:
            raise Refusal(
                "a value nested too deeply cannot be stored or sent",
                why=f"at most {VALUE_DEPTH_MAX} containers may stand inside one another",
                next_step="flatten it, or store its parts under keys of their own",
                too_deep=owner,
            )
        self._elements_left -= count
        if self._elements_left < 0:
            raise too_large(self._path, self._elements_max - self._elements_left, self._elements_max)
        return depth + 1

    def _items(self, owner: object, items: Iterable[Any], depth: int, tree: list[Any]) -> list[Any]:
        """Appends the trees of `items` to `tree`."""
        scalars = self._scalars
        before = len(tree)
        try:
            for item in items:
                tree.append(item if type(item) in scalars else self.tree(item, depth))
        except Refusal as refusal:
            refusal.inside(owner, f"[{len(tree) - before}]")
            raise
        return tree

    def _list(self, value: list[Any], depth: int) -> list[Any]:
        depth = self._enter(value, len(value), depth)
        if self._scalars.issuperset(map(type, value)):
            return value
        return self._items(value, value, depth, [])

    def _tuple(self, value: tuple[Any, ...], depth: int) -> list[Any]:
        self.marked = True
        depth = self._enter(value, len(value), depth)
        if self._scalars.issuperset(map(type, value)):
            return [wire_format.TUPLE, *value]
        return self._items(value, value, depth, [wire_format.TUPLE])

    def _set(self, value: set[Any] | frozenset[Any], depth: int) -> list[Any]:
        self.marked = True
        depth = self._enter(value, len(value), depth)
        marker = wire_format.SET if type(value) is set else wire_format.FROZENSET
        if self._scalars.issuperset(map(type, value)):
            return [marker, *value]
        tree = [marker]
        for item in value:
            tree.append(self._member(value, item, depth, "an element of a set", "{...}"))
        return tree

    def _dict(self, value: dict[Any, Any], depth: int) -> Any:
        if not TEXT.issuperset(map(type, value)):
            return self._pairs(value, depth, wire_format.PAIRS)
        depth = self._enter(value, len(value), depth)
        scalars = self._scalars
        if scalars.issuperset(map(type, value.values())) and not self._careful:
            return value
        tree: dict[str, Any] = {}
        key = ""
        try:
            for key, item in value.items():
                if self._careful:
                    text(key)
                tree[key] = item if type(item) in scalars else self.tree(item, depth)
        except Refusal as refusal:
            refusal.inside(value, key_step(key))
            raise
        return tree

    def _map(self, value: Map, depth: int) -> list[Any]:
        return self._pairs(value, depth, wire_format.MAP)

    def _pairs(self, value: dict[Any, Any], depth: int, marker: Ext) -> list[Any]:
        self.marked = True
        depth = self._enter(value, 2 * len(value), depth)
        tree: list[Any] = [marker]
        for key, item in value.items():
            tree.append(self._member(value, key, depth, "a key of a dict", key_step))
            try:
                tree.append(self.tree(item, depth))
            except Refusal as refusal:
                refusal.inside(value, key_step(key))
                raise
        if not _KEYS_APART.issuperset(map(type, value)):
            self._keys_apart(value, tree[1::2])
        return tree

    def _member(self, owner: object, item: Any, depth: int, role: str, step: str | Callable[[object], str]) -> Any:
        """The tree of a set's element or a dict's key, which has to be one again when it comes back."""
        try:
            tree = self.tree(item, depth)
            if not _is_hashable(tree):
                raise Refusal(
                    f"{type(item).__qualname__} cannot be stored or sent as {role}",
                    why="it comes back as a list or dict of its fields, which Python cannot hash",
                    next_step="use a tuple or a plain value there",
                )
        except Refusal as refusal:
            refusal.inside(owner, step if isinstance(step, str) else step(item))
            raise
        return tree

    def _keys_apart(self, value: dict[Any, Any], keys: list[Any]) -> None:
        """Refuses a dict that would lose entries, two of its keys becoming one: an Enum member and its value."""
        crossed = restore(wire_format.decode_marked(wire_format.encode_tree(keys)))
        if len(set(crossed)) < len(value):
            raise Refusal(
                "a dict two of whose keys cross as the same one cannot be stored or sent",
                why="Enum members cross as their values, and subclasses as their base",
                next_step="use keys of one kind",
            )

    # ------------------------------------------------------------------------------------------ classes and subclasses

    def _other(self, value: Any, depth: int) -> Any:
        if isinstance(value, Enum):
            return self.tree(value.value, depth)
        fields = fields_of(value)
        if fields is not None:
            return self._fields(value, fields, depth)
        if is_root_model(type(value)):
            return self.tree(value.root, depth)
        base = as_base(value)
        if base is None:
            raise unsupported(value)
        return self.tree(base, depth)

    def _fields(self, value: Any, fields: list[Field], depth: int) -> Any:
        depth = self._enter(value, len(fields), depth)
        tag = struct_tag(value)
        tree: dict[str, Any] = {} if tag is None else {tag[0]: tag[1]}
        step = ""
        try:
            for attribute, name, item in fields:
                step = f".{attribute}"
                tree[name] = self.tree(item, depth)
        except Refusal as refusal:
            refusal.inside(value, step)
            raise
        return [*tree.values()] if is_array_like(value) else tree


_CONTAINERS: Final[dict[type, Callable[[Walk, Any, int], Any]]] = {
    list: Walk._list,
    tuple: Walk._tuple,
    dict: Walk._dict,
    set: Walk._set,
    frozenset: Walk._set,
    Map: Walk._map,
}


def too_large(path: str, size: int, limit: int) -> TooLarge:
    """The error for a value whose encoded form takes at least `size` bytes."""
    return TooLarge(
        what="the value is too large",
        where=path,
        why=f"it takes {size:,} bytes or more when encoded, and {limit:,} are allowed",
        next_step="split it, or keep only what is needed",
        size=size,
        limit=limit,
    )


_HASHABLE_MARKERS: Final = (wire_format.TUPLE, wire_format.FROZENSET)


def _is_hashable(tree: Any) -> bool:
    """Whether what comes back from `tree` can be an element of a set or a key of a dict."""
    if type(tree) is list:
        return (
            bool(tree) and any(tree[0] is marker for marker in _HASHABLE_MARKERS) and all(map(_is_hashable, tree[1:]))
        )
    return type(tree) is not dict and not (type(tree) is Ext and tree.code == wire_format.BYTEARRAY)
