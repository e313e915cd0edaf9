"""Classes that cross as their fields: dataclasses, msgspec.Struct and pydantic models.

The names are those by which `as_type` builds the class again, so `as_type(C, decode(encode(c)))` equals `c`. pydantic is
looked up among the loaded modules and never imported. See tests/model/test_value_models.py.
"""

import dataclasses
import sys
from collections.abc import Iterable
from typing import Any, TypeAlias

import msgspec

Field: TypeAlias = tuple[str, str, Any]
"""The field's name in Python (for the path in a message), its name in the data, and its value."""

_ABSENT = object()


def fields_of(value: Any) -> list[Field] | None:
    """The fields of an instance of such a class, in order, without those never set; None for anything else."""
    kind = type(value)
    if isinstance(value, msgspec.Struct):
        return _present(value, zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True))
    if hasattr(kind, "__dataclass_fields__"):
        return _present(value, ((field.name, field.name) for field in dataclasses.fields(kind)))
    if is_pydantic_model(kind) and not is_root_model(kind):
        extra = value.model_extra or {}
        return [
            *_present(value, ((name, name) for name in kind.model_fields)),
            *((name, name, item) for name, item in extra.items()),
        ]
    return None


def struct_tag(value: Any) -> tuple[str, str | int] | None:
    """Field and value that tell this Struct from the others of a union; None if it is not a tagged Struct."""
    config = getattr(type(value), "__struct_config__", None)
    return None if config is None or config.tag is None else (config.tag_field, config.tag)


def is_array_like(value: Any) -> bool:
    """Whether this is a Struct that msgspec builds from a list: its class says `array_like`."""
    config = getattr(type(value), "__struct_config__", None)
    return config is not None and config.array_like


def is_pydantic_model(kind: type[Any]) -> bool:
    """Whether `kind` is a pydantic (2) model. If pydantic is not loaded, nothing can be one."""
    pydantic = sys.modules.get("pydantic")
    base = getattr(pydantic, "BaseModel", None)
    return isinstance(base, type) and issubclass(kind, base) and hasattr(kind, "model_validate")


def is_root_model(kind: type[Any]) -> bool:
    """Whether `kind` is a pydantic model around one value (`RootModel`), which crosses as that value."""
    return is_pydantic_model(kind) and issubclass(kind, sys.modules["pydantic"].RootModel)


def _present(value: Any, names: Iterable[tuple[str, str]]) -> list[Field]:
    found = [(attribute, name, getattr(value, attribute, _ABSENT)) for attribute, name in names]
    return [field for field in found if field[2] is not _ABSENT and field[2] is not msgspec.UNSET]
