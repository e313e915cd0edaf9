"""Rows of SQL as the class that a type names: by column names, by position, or the only column.

SQLite has five kinds of values; what a field's type makes of one is said in docs/values.md. See
tests/objects/sql/test_typed_rows.py.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, Final, TypeVar, get_args, get_origin, get_type_hints

from perdure.model.errors import ValueMismatch
from perdure.model.value.fields import is_pydantic_model
from perdure.model.value.typed import NATIVE_IN_SQL, as_type
from perdure.objects.sql.cursor import Make

T = TypeVar("T")

_BOOLS: Final = {0: False, 1: True}


def row_maker(type_: type[T], path: str) -> Make[T]:
    """What makes a `type_` of a row. path: what to call a row in a message, as `exec_as(Order)`.

    What it returns raises ValueMismatch with the path of the column that does not fit, and WrongType for a type that no
    row can become.
    """
    if get_origin(type_) is tuple:
        return partial(_by_place, type_, _bools_of(dict(enumerate(get_args(type_)))), path)
    fields = _fields_of(type_)
    if fields is None:
        return partial(_only, type_, _is_bool(type_), path)
    return partial(_by_name, type_, _bools_of(fields), getattr(type_, "_fields", None), path)


def _by_place(type_: Any, bools: set[Any], path: str, _names: tuple[str, ...], values: tuple[Any, ...]) -> Any:
    given = [_BOOLS.get(value, value) if place in bools else value for place, value in enumerate(values)]
    return as_type(type_, tuple(given), path=path, native=NATIVE_IN_SQL)


def _by_name(
    type_: Any,
    bools: set[Any],
    in_order: tuple[str, ...] | None,
    path: str,
    names: tuple[str, ...],
    values: tuple[Any, ...],
) -> Any:
    row = dict(zip(names, values, strict=True))
    for name in bools:
        if name in row:
            row[name] = _BOOLS.get(row[name], row[name])
    return as_type(type_, row if in_order is None else _placed(row, type_, path), path=path, native=NATIVE_IN_SQL)


def _placed(row: Mapping[str, Any], type_: Any, path: str) -> tuple[Any, ...]:
    """The fields of a named tuple, which is built by place."""
    missing = [name for name in type_._fields if name not in row and name not in type_._field_defaults]
    if missing:
        raise ValueMismatch(
            what="the value is not of the type asked for",
            why=f"Object missing required field `{missing[0]}`",
            next_step="select a column of that name, or give the field a default",
            path=path,
        )
    return tuple(row[name] if name in row else type_._field_defaults[name] for name in type_._fields)


def _only(type_: Any, is_bool: bool, path: str, names: tuple[str, ...], values: tuple[Any, ...]) -> Any:
    if len(values) != 1:
        raise ValueMismatch(
            what=f"a row of {len(values)} columns is not one {getattr(type_, '__name__', type_)}",
            why=f"the columns are {', '.join(names)}",
            next_step="select one column, or ask for a class with these fields",
            path=path,
        )
    value = _BOOLS.get(values[0], values[0]) if is_bool else values[0]
    return as_type(type_, value, path=path, native=NATIVE_IN_SQL)


def _fields_of(type_: Any) -> dict[str, Any] | None:
    """The annotated fields of a class that is made of such; None for a plain type."""
    built = get_origin(type_) or type_
    has_fields = any(
        hasattr(built, mark) for mark in ("__dataclass_fields__", "__struct_fields__", "_fields", "__total__")
    )
    if not isinstance(built, type) or not (has_fields or is_pydantic_model(built)):
        return None
    try:
        return get_type_hints(built)
    except NameError:
        return dict(getattr(built, "__annotations__", {}))  # as_type says which name is not known


def _bools_of(types: Mapping[Any, Any]) -> set[Any]:
    return {place for place, type_ in types.items() if _is_bool(type_)}


def _is_bool(type_: Any) -> bool:
    """Whether 0 and 1 stand for False and True: the type is bool, or bool or None."""
    kinds = get_args(type_) or (type_,)
    return bool in kinds and int not in kinds
