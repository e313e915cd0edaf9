"""`storage.kv`: an object's key-value rows, synchronously.

Everything happens at the call and is part of the running unit; what is read is a copy; a list is a snapshot, so writing while
iterating is allowed and iterators don't disturb each other (API-30, API-31). See tests/objects/test_storage.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, TypeVar, Unpack, overload

from perdure.model.value import Value, decode
from perdure.model.value.typed import as_type
from perdure.objects.storage.codec import decode_or, encode_row
from perdure.objects.storage.keys import check_key
from perdure.objects.storage.list_options import ListOptions, key_range, takes_list_options

if TYPE_CHECKING:
    from perdure.objects.instance import Instance

T = TypeVar("T")


class SyncKv:
    """The same data as `Storage.get/put/delete/list`, without Op."""

    __slots__ = ("_instance",)

    def __init__(self, instance: Instance) -> None:
        self._instance = instance

    @overload
    def get(self, key: str, default: None = None) -> Any: ...
    @overload
    def get(self, key: str, default: T) -> Any | T: ...
    def get(self, key: str, default: Any = None) -> Any:
        """The value of `key`, a fresh copy; `default` if there is none. A stored None gives None (API-28)."""
        instance = self._instance
        instance.touch()
        check_key(key, "kv.get()")
        return decode_or(instance.rows.get(key), default)

    @overload
    def get_as(self, type_: type[T], key: str) -> T | None: ...
    @overload
    def get_as(self, type_: type[T], key: str, default: T) -> T: ...
    def get_as(self, type_: type[T], key: str, default: Any = None) -> Any:
        """The value of `key` as a `type_`; ValueMismatch with the path of the field if it does not fit (API-33)."""
        instance = self._instance
        instance.touch()
        check_key(key, "kv.get_as()")
        data = instance.rows.get(key)
        return default if data is None else as_type(type_, decode(data), path=f'get_as("{key}")')

    def put(self, key: str, value: Value) -> None:
        """Store a copy of `value` under `key`. Key and value together are at most 2 MiB; durable before anything that
        this object says afterwards leaves it."""
        instance = self._instance
        instance.touch()
        instance.rows.put_one(key, encode_row(key, value, "kv.put()"))

    def delete(self, key: str) -> bool:
        """Delete `key`; whether it existed."""
        instance = self._instance
        instance.touch()
        check_key(key, "kv.delete()")
        return instance.rows.delete((key,)) > 0

    @takes_list_options
    def list(self, **options: Unpack[ListOptions]) -> Iterator[tuple[str, Any]]:
        """Pairs of key and value in the order of UTF-8 bytes, as they are now.

        `start` is inclusive, `start_after` and `end` are exclusive, also with `reverse`, which only turns the order.
        """
        self._instance.touch()
        rows = self._instance.rows.scan(key_range("kv.list()", options))
        return ((key, decode(data)) for key, data in rows)

    @takes_list_options
    def list_as(self, type_: type[T], **options: Unpack[ListOptions]) -> Iterator[tuple[str, T]]:
        """Like `list`, each value as a `type_`."""
        return ((key, as_type(type_, value, path=f'list_as("{key}")')) for key, value in self.list(**options))
