"""What `perdure dev` tells about itself over HTTP, under `/cdn-cgi/local/`: JSON for this machine's own tools.

Must stay true: only a client on this machine gets an answer, and only under `localhost` or an address, so that no web page
can ask by way of a name that it points here; every other path goes to the Worker, at the cost of one comparison. See
tests/host/test_local_api.py.
"""

import ipaddress
from collections.abc import Awaitable, Callable
from types import MappingProxyType
from urllib.parse import urlsplit

from perdure.host.overview import Json, overview
from perdure.web import Request, Response
from perdure.workers.worker import Worker

PREFIX = "/cdn-cgi/local/"

Answer = Callable[[Worker], Json]

_ANSWERS: MappingProxyType[str, Answer] = MappingProxyType({f"{PREFIX}objects": overview})


class LocalApi:
    """A handler in front of a Worker's own: `api.fetch` in its place."""

    def __init__(self, worker: Worker) -> None:
        self._worker = worker
        self._fetch = worker.fetch

    def fetch(self, request: Request) -> Awaitable[Response]:
        """What is asked of this process, or what the Worker answers."""
        # No coroutine of its own: it would cost at every request.
        if request.path.startswith(PREFIX):
            return self._answer(request)
        return self._fetch(request)

    async def _answer(self, request: Request) -> Response:
        if not (_is_of_this_machine(request.client_ip) and _names_this_machine(request)):
            return _json({"error": "this is for programs on this machine only: ask http://localhost"}, 403)
        answer = _ANSWERS.get(request.path)
        if answer is None:
            return _json({"error": f"there is nothing at {request.path}", "available": sorted(_ANSWERS)}, 404)
        if request.method not in ("GET", "HEAD"):
            response = _json({"error": f"{request.path} is read with GET"}, 405)
            response.headers["allow"] = "GET, HEAD"
            return response
        return _json(answer(self._worker))


def _json(data: Json, status: int = 200) -> Response:
    return Response.from_json(data, status=status, headers={"cache-control": "no-store"})


def _is_of_this_machine(client_ip: str | None) -> bool:
    address = _address(client_ip or "")
    if address is None:
        return False
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return (mapped or address).is_loopback


def _names_this_machine(request: Request) -> bool:
    host = (urlsplit(request.url).hostname or "").removesuffix(".")
    # An address is no name that somebody could point here.
    return host == "localhost" or host.endswith(".localhost") or _address(host) is not None


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
