"""Values as they are stored and sent: what goes in comes out, type for type, or is refused by the path to the offender.

Loading runs and imports nothing: no pickle, no class names. Plain kinds come back exactly; subclasses as their base,
Enum members as their value, dataclasses, Structs and pydantic models as a dict of their fields (`as_type` makes them
the class again). See tests/model/test_value_roundtrip.py, test_value_refusals.py and test_value_hostile.py.
"""

from typing import Any, TypeAlias

from perdure.model.value.codec import decode, encode, transfer, transfer_sized
from perdure.model.value.typed import as_type

Value: TypeAlias = Any
"""What can be stored and sent; checked at run time, since Python has no type for it (docs/values.md)."""

__all__ = ["Value", "as_type", "decode", "encode", "transfer", "transfer_sized"]
