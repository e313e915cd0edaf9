"""An ASGI server's `scope` as a Request: what our own server would have made of the same bytes.

Must stay true: the Worker sees the path below the place where it is mounted, so the same code works mounted or not; whom the
server names as client is the client, and no header of a client says otherwise. See tests/edge/test_asgi_request.py.
"""

from collections.abc import AsyncIterator, Mapping
from typing import Any
from urllib.parse import quote, quote_from_bytes, unquote

from perdure.edge.head import CONNECTING_IP, Fields
from perdure.edge.peers import plain_address
from perdure.edge.refusal import Refused
from perdure.web.method import METHODS
from perdure.web.request import Request
from perdure.web.url import normal_origin

Scope = Mapping[str, Any]

# What a target may hold as it is. `?` ends a path and `#` would end the URL, so neither may come in by way of a decoded path.
_PATH_SAFE = "/%:@!$&'()*+,;=-._~[]|^`{}\"<>\\"
_QUERY_SAFE = _PATH_SAFE + "?"


def received(scope: Scope, body: AsyncIterator[bytes]) -> Request:
    """The request of an `http` scope. Refused if it is none that a Worker can be given. body: read if there is one."""
    method = scope["method"]
    if method not in METHODS:
        raise Refused(501, "unknown method")
    fields, host = _fields(scope["headers"])
    origin = normal_origin(scope.get("scheme") or "http", host or _server(scope))
    if origin is None:
        raise Refused(400, "the Host is not a name or address")
    client = scope.get("client")
    client_ip = plain_address(client[0]) if client and client[0] else None
    if client_ip is not None:
        fields.append((CONNECTING_IP, client_ip.encode("latin-1", "replace")))
    query = scope.get("query_string") or b""
    target = _path_below_mount(scope) + (f"?{quote_from_bytes(query, _QUERY_SAFE)}" if query else "")
    return Request.received(method, origin, target, fields, body if _has_body(scope, fields) else None, client_ip)


def _fields(headers: Any) -> tuple[Fields, str]:
    """The header fields, and the Host among them; "" if there is none."""
    fields: Fields = []
    host = ""
    for raw_name, raw_value in headers:
        name, value = bytes(raw_name).lower(), bytes(raw_value)
        if any(mark in value or mark in name for mark in (b"\r", b"\n", b"\0")):
            raise Refused(400, "a header field has a control character")
        if name == b"host":
            if host:
                raise Refused(400, "more than one Host")
            host = value.decode("latin-1").strip()
        if name != CONNECTING_IP and not name.startswith(b":"):
            fields.append((name, value))
    return fields, host


def _server(scope: Scope) -> str:
    server = scope.get("server")
    if not server or not server[0] or server[1] is None:  # a socket in the file system, or nothing known
        return "localhost"
    name = f"[{server[0]}]" if ":" in server[0] else server[0]
    return f"{name}:{server[1]}"


def _has_body(scope: Scope, fields: Fields) -> bool:
    for name, value in fields:
        if name == b"content-length":
            return value.strip() != b"0"
        if name == b"transfer-encoding":
            return True
    # From HTTP/2 on a body needs no announcement; but nobody sends one with these.
    return not str(scope.get("http_version", "1.1")).startswith("1") and scope["method"] not in ("GET", "HEAD")


def _path_below_mount(scope: Scope) -> str:
    """As it was sent, where the server says how; else the decoded path, encoded again."""
    path, mount = scope["path"], (scope.get("root_path") or "").rstrip("/")
    raw = quote_from_bytes((scope.get("raw_path") or b"").partition(b"?")[0], _PATH_SAFE)
    if not mount or not (path == mount or path.startswith(f"{mount}/")):
        # Not mounted, or by a server that gives the path below already.
        return raw if raw.startswith("/") else _encoded(path)
    parts = raw.split("/")
    depth = mount.count("/") + 1
    if unquote("/".join(parts[:depth])) == mount:
        return "/" + "/".join(parts[depth:])
    return _encoded(path[len(mount) :])


def _encoded(path: str) -> str:
    # A `%` in a decoded path is one, not the beginning of an escape.
    text = quote(path, _PATH_SAFE.replace("%", ""))
    return text if text.startswith("/") else f"/{text}"
