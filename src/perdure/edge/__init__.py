"""HTTP/1.1 between clients and a handler `(Request) -> Response`."""

from perdure.edge.limits import EdgeLimits
from perdure.edge.server import Server
from perdure.edge.site import Handler, OnError, OnRequest, RequestLog
from perdure.edge.tls import tls_context

__all__ = ["EdgeLimits", "Handler", "OnError", "OnRequest", "RequestLog", "Server", "tls_context"]
