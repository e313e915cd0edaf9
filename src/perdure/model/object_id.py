"""An id names one object of one namespace, for good: the same name gives the same 32 bytes on every machine and in
every year.

Bytes 0-15 are the base, 16-31 prove that this namespace made it, so ids can neither be forged nor moved to another
namespace. The layout is that of the original (runtime.md 1.1): data and ids of its users keep their meaning. See
tests/model/test_object_id.py.
"""

import hashlib
import hmac
import re
from dataclasses import dataclass

from perdure.model.errors import InvalidId, WrongType, WrongValue

BASE_BYTES = 16
ID_BYTES = 32
_HEX_ID = re.compile(r"[0-9a-fA-F]{64}", re.ASCII)
_HMAC_BLOCK_BYTES = 64


@dataclass(frozen=True, slots=True, init=False, eq=False, repr=False)
class ObjectId:
    """Names one object. `str(id)` and `id.hex` are 64 lower-case digits; `name` takes no part in `==` and `hash`."""

    # The bytes are kept and the text derived, for 100,000 live objects: 65 bytes each instead of 113.
    raw: bytes
    """The 32 bytes of the id."""
    name: str | None
    """The name that it was made from; None for an id that was random, or read from text."""

    def __init__(self, hex: str, name: str | None = None) -> None:
        _set_raw(self, _raw_of(hex))
        _set_name(self, name)

    @staticmethod
    def of_raw(raw: bytes, name: str | None = None) -> "ObjectId":
        """The id with these 32 bytes, unchecked: for bytes that an `IdKey` or a store gave."""
        made = _new(ObjectId)
        _set_raw(made, raw)
        _set_name(made, name)
        return made

    @property
    def hex(self) -> str:
        return self.raw.hex()

    def __str__(self) -> str:
        return self.raw.hex()

    def __repr__(self) -> str:
        return f"ObjectId({self.hex!r})" if self.name is None else f"ObjectId({self.hex!r}, name={self.name!r})"

    def __eq__(self, other: object) -> bool:
        return self.raw == other.raw if isinstance(other, ObjectId) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.raw)

    # Cloudflare's names

    toString = __str__

    def equals(self, other: object, /) -> bool:
        """Whether both name the same object; anything that is no id names none."""
        return self == other


# The slots themselves, past the frozen __setattr__: an id is made for every request (0.3 us less than
# object.__setattr__ twice).
_new = object.__new__
_set_raw = ObjectId.__dict__["raw"].__set__
_set_name = ObjectId.__dict__["name"].__set__


class IdKey:
    """Makes and checks the ids of one namespace, which `unique_key` identifies for ever: not its class's name."""

    __slots__ = ("_inner", "_outer")

    def __init__(self, unique_key: str) -> None:
        key = hashlib.sha256(unique_key.encode()).digest().ljust(_HMAC_BLOCK_BYTES, b"\0")
        # HMAC-SHA256 (RFC 2104) with its two halves hashed once. Copies of plain hash states cost 0.8 us a digest,
        # copies of an hmac.HMAC 1.6 us and hmac.digest 2.1 to 4.3 us, and every call by name makes two. Held to `hmac`
        # by a test.
        self._inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key))
        self._outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key))

    def _digest16(self, message: bytes) -> bytes:
        inner = self._inner.copy()
        inner.update(message)
        outer = self._outer.copy()
        outer.update(inner.digest())
        return outer.digest()[:BASE_BYTES]

    def from_name(self, name: str) -> ObjectId:
        """The id of the object with this name: any text, also empty. Does no I/O and creates nothing.

        Raises WrongType for anything but a `str` that UTF-8 can encode.
        """
        if type(name) is not str:
            name = _plain_name(name)
        try:
            base = self._digest16(name.encode())
        except UnicodeEncodeError:
            raise WrongType(
                what=f"the name {name!r} cannot be encoded as UTF-8",
                why="it holds half of a surrogate pair",
                next_step="decode the bytes it came from with the right encoding, without errors='surrogateescape'",
            ) from None
        return ObjectId.of_raw(base + self._digest16(base), name)

    def unique(self, random16: bytes) -> ObjectId:
        """A new id out of 16 random bytes, which the caller takes from the host's source of randomness."""
        if len(random16) != BASE_BYTES:
            raise WrongValue(what=f"a unique id is made from {BASE_BYTES} random bytes, not {len(random16)}")
        return ObjectId.of_raw(random16 + self._digest16(random16))

    def parse(self, text: str, *, namespace: str) -> ObjectId:
        """The id that this text is, in either case of letters; its `name` is None.

        namespace: what to call this namespace in a message.
        Raises InvalidId if it is not 64 hexadecimal digits, or was not made by this namespace.
        """
        found = ObjectId.of_raw(_raw_of(text, where=namespace))
        if not self.owns(found):
            raise InvalidId(
                what=f"{found.hex} is not an id of {namespace}",
                why="another namespace made it, or it was changed",
                next_step="use the namespace that gave this id, or get the object by its name",
            )
        return found

    def owns(self, id: ObjectId) -> bool:
        """Whether this namespace made the id."""
        return hmac.compare_digest(self._digest16(id.raw[:BASE_BYTES]), id.raw[BASE_BYTES:])


def _raw_of(text: str, where: str = "") -> bytes:
    if not isinstance(text, str):
        raise InvalidId(
            what=f"an id is text of 64 hexadecimal digits, not {type(text).__name__}",
            where=where,
            next_step="pass str(id)",
        )
    if _HEX_ID.fullmatch(text) is None:
        shown = text if len(text) <= 80 else f"{text[:77]}..."
        raise InvalidId(
            what=f"{shown!r} is not an id",
            where=where,
            why=f"an id is 64 hexadecimal digits, this is {len(text)} characters",
            next_step="if it is a name, use id_from_name or get_by_name",
        )
    return bytes.fromhex(text)


def _plain_name(name: object) -> str:
    if isinstance(name, str):
        return str.__str__(name)  # of a subclass: its text, without its own __str__ and attributes
    raise WrongType(
        what=f"a name is a str, not {type(name).__name__}",
        why="the same text is the same object, everywhere and always",
        next_step=f"write str({name!r})" if isinstance(name, int) else "use the text that names the object",
    )
