"""Request methods: a closed set of upper-case tokens, the same for what is received and for what is made in code.

Whatever is not in it never reaches a Worker: the edge answers 501, a Request in code raises. See
tests/web/test_request.py and tests/edge/test_bytes.py.
"""

from perdure.model.errors import WrongType

# IANA's registry as far as HTTP/1.1 parsers know it. CONNECT is a tunnel, not a request for a Worker.
METHODS = frozenset(
    (
        *("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "QUERY", "PURGE", "LINK", "UNLINK"),
        *("COPY", "LOCK", "MKCOL", "MOVE", "PROPFIND", "PROPPATCH", "SEARCH", "UNLOCK", "BIND", "REBIND", "UNBIND"),
        *("ACL", "REPORT", "MKACTIVITY", "CHECKOUT", "MERGE", "MKCALENDAR", "NOTIFY", "SUBSCRIBE", "UNSUBSCRIBE"),
    )
)
BODYLESS = frozenset(("GET", "HEAD"))


def checked_method(method: str) -> str:
    """The method in upper case. WrongType if it is not one that a Worker can be asked."""
    if isinstance(method, str) and (upper := method.upper()) in METHODS:
        return upper
    raise WrongType(
        what=f"{method!r} is not a request method", next_step="use GET, POST, PUT, PATCH, DELETE, HEAD or OPTIONS"
    )
