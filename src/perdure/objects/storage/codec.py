"""Between a Python value and the bytes of a row, with the path that an error names."""

from collections.abc import Mapping
from typing import Any

from perdure.model.limits import KEY_VALUE_BYTES_MAX
from perdure.model.value import decode, encode
from perdure.objects.storage.keys import check_key, too_large


def encode_row(key: str, value: Any, where: str) -> bytes:
    check_key(key, where)
    data = encode(value, path=f'put("{key}")')
    if len(key) + len(data) > KEY_VALUE_BYTES_MAX:
        raise too_large(key, data, where)
    return data


def encode_rows(entries: Mapping[str, Any], where: str) -> dict[str, bytes]:
    """All are checked and encoded before any is written."""
    return {key: encode_row(key, value, where) for key, value in entries.items()}


def decode_or(data: bytes | None, default: Any) -> Any:
    return default if data is None else decode(data)


def decode_rows(rows: Mapping[str, bytes]) -> dict[str, Any]:
    return {key: decode(data) for key, data in rows.items()}
