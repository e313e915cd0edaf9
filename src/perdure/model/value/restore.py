"""Makes of a decoded marked tree the value it stands for, in place.

Bytes from anywhere may come here, so nothing is trusted: depth is bounded, and a marker out of place is an error. See
tests/model/test_value_hostile.py.
"""

from typing import Any, Final

from perdure.model.limits import VALUE_DEPTH_MAX
from perdure.model.value.wire_format import TEXT, Marker

_UNFINISHED: Final = frozenset({list, dict, Marker})


def restore(tree: Any, depth: int = 0) -> Any:
    """The value of `tree`, inside `depth` containers. Raises ValueError or TypeError if it stands for none."""
    kind = type(tree)
    if kind is list:
        return _restore_list(tree, depth)
    if kind is dict:
        if not TEXT.issuperset(map(type, tree)):
            raise ValueError("a map has a key that is not text")
        _check_depth(depth)
        for key, item in tree.items():
            if type(item) in _UNFINISHED:
                tree[key] = restore(item, depth + 1)
        return tree
    if kind is Marker:
        raise ValueError("a marker stands where it cannot")
    return tree


def _restore_list(tree: list[Any], depth: int) -> Any:
    _check_depth(depth)
    marker = tree[0] if tree and type(tree[0]) is Marker else None
    if marker is not None:
        del tree[0]
    if not _UNFINISHED.isdisjoint(map(type, tree)):
        for place, item in enumerate(tree):
            if type(item) in _UNFINISHED:
                tree[place] = restore(item, depth + 1)
    return tree if marker is None else marker.build(tree)


def _check_depth(depth: int) -> None:
    if depth >= VALUE_DEPTH_MAX:
        raise ValueError(f"more than {VALUE_DEPTH_MAX} containers stand inside one another")
