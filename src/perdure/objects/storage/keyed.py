"""Asynchronous key-value operations, shared by `ctx.storage` and a transaction.

Everything happens at the call; the Op that comes back is done, so awaiting it doesn't yield and doesn't end the step (API-26).
A wrong argument raises at the call; a failure to store resets the object through the output gate.
See tests/objects/test_storage.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, overload

from perdure.model.errors import WrongType
from perdure.model.value import Value, decode
from perdure.model.value.typed import as_type
from perdure.objects.op import Op
from perdure.objects.storage.codec import decode_or, decode_rows, encode_row, encode_rows
from perdure.objects.storage.keys import Keys, check_key, is_many
from perdure.objects.storage.list_options import ListOptions, key_range, takes_list_options

if TYPE_CHECKING:
    from perdure.objects.instance import Instance

T = TypeVar("T")


class _Missing:
    """The value was not given."""


_MISSING = _Missing()


class Keyed:
    """Get, put, delete and list over one object's rows."""

    __slots__ = ("_instance",)

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    def _touch(self, what: str) -> None:
        self._instance.touch()

    @overload
    def get(self, key: str, default: None = None) -> Op[Any]: ...
    @overload
    def get(self, key: str, default: T) -> Op[Any | T]: ...
    @overload
    def get(self, keys: Keys, /) -> Op[dict[str, Any]]: ...
    def get(self, key: Any, default: Any = None) -> Op[Any]:
        """The value of a key, or `default`; of many keys a dict in the order of UTF-8 bytes, missing ones left out."""
        self._touch("get()")
        rows = self._instance.rows
        if type(key) is not str and is_many(key):
            for one in key:
                check_key(one, "storage.get()")
            return Op(decode_rows(rows.get_many(key)))
        check_key(key, "storage.get()")
        return Op(decode_or(rows.get(key), default))

    @overload
    def get_as(self, type_: type[T], key: str) -> Op[T | None]: ...
    @overload
    def get_as(self, type_: type[T], key: str, default: T) -> Op[T]: ...
    def get_as(self, type_: type[T], key: str, default: Any = None) -> Op[Any]:
        """The value as a `type_`; ValueMismatch with the path of the field if it does not fit (API-33)."""
        self._touch("get_as()")
        check_key(key, "storage.get_as()")
        data = self._instance.rows.get(key)
        return Op(default if data is None else as_type(type_, decode(data), path=f'get_as("{key}")'))

    @overload
    def put(self, key: str, value: Value, *, allow_unconfirmed: bool = False) -> Op[None]: ...
    @overload
    def put(self, entries: Mapping[str, Value], /, *, allow_unconfirmed: bool = False) -> Op[None]: ...
    def put(self, key: Any, value: Any = _MISSING, *, allow_unconfirmed: bool = False) -> Op[None]:
        """Store copies: of one value, or of all values of a mapping or none of them.

        Outputs that follow wait for it, unless `allow_unconfirmed`. Key and value together are at most 2 MiB.
        """
        self._touch("put()")
        if type(key) is str and value is not _MISSING:
            self._instance.rows.put_one(key, encode_row(key, value, "storage.put()"), confirmed=not allow_unconfirmed)
            return Op(None)
        if isinstance(key, Mapping):
            if value is not _MISSING:
                raise WrongType(
                    what=f"put() of a mapping takes no value, got {type(value).__name__}",
                    where=self._instance.label,
                    next_step="give put(key, value), or put({key: value, ...})",
                )
            encoded = encode_rows(key, "storage.put()")
        elif value is _MISSING:
            raise WrongType(
                what="put() needs a value",
                where=self._instance.label,
                why="a key stands for a value",
                next_step="give put(key, value); None is a value; delete(key) removes",
            )
        else:
            encoded = {key: encode_row(key, value, "storage.put()")}
        self._instance.rows.put(encoded, confirmed=not allow_unconfirmed)
        return Op(None)

    @overload
    def delete(self, key: str, *, allow_unconfirmed: bool = False) -> Op[bool]: ...
    @overload
    def delete(self, keys: Keys, /, *, allow_unconfirmed: bool = False) -> Op[int]: ...
    def delete(self, key: Any, *, allow_unconfirmed: bool = False) -> Op[Any]:
        """Delete one key (whether it existed) or many (how many existed)."""
        self._touch("delete()")
        many = is_many(key)
        keys: Keys = key if many else (key,)
        for one in keys:
            check_key(one, "storage.delete()")
        existed = self._instance.rows.delete(keys, confirmed=not allow_unconfirmed)
        return Op(existed if many else existed > 0)

    @takes_list_options
    def list(self, **options: Unpack[ListOptions]) -> Op[dict[str, Any]]:
        """Keys and values in the order of UTF-8 bytes: `start` inclusive, `start_after` and `end` exclusive."""
        self._touch("list()")
        return Op(decode_rows(dict(self._instance.rows.scan(key_range("storage.list()", options)))))

    @takes_list_options
    def list_as(self, type_: type[T], **options: Unpack[ListOptions]) -> Op[dict[str, T]]:
        """Like `list`, each value as a `type_`."""
        values = self.list(**options).result()
        return Op({key: as_type(type_, value, path=f'list_as("{key}")') for key, value in values.items()})
