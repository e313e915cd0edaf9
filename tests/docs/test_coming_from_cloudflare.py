"""Whoever looks for a name of Cloudflare's on the page finds it: what it is called here, or that it is not there."""

import re

from tests.docs.page import DOCS

PAGE = (DOCS / "coming-from-cloudflare.md").read_text()

# Of the JavaScript API of Durable Objects, and of what `workers` gives in Cloudflare's Python.
NAMES = """
DurableObject WorkerEntrypoint WorkflowEntrypoint RpcTarget RpcStub dup Symbol.dispose
fetch on_fetch handler scheduled queue email tail trace alarm preShutdown
env workers.env wait_until waitUntil patch_env passThroughOnException props exports container facets
getByName idFromName idFromString newUniqueId jurisdiction locationHint toString equals stub.id stub.name
get put delete list deleteAll transaction transactionSync rollback sync kv
startAfter allowConcurrency allowUnconfirmed noCache blockConcurrencyWhile abort
sql exec databaseSize toArray one raw next columnNames rowsRead rowsWritten
getAlarm setAlarm deleteAlarm retryCount isRetry
getCurrentBookmark getBookmarkForTime onNextSessionRestoreBookmark
acceptWebSocket getWebSockets getTags setWebSocketAutoResponse getWebSocketAutoResponse
getWebSocketAutoResponseTimestamp setHibernatableWebSocketEventTimeout getHibernatableWebSocketEventTimeout
WebSocketPair WebSocketRequestResponsePair webSocketMessage webSocketClose webSocketError webSocket web_socket
accept send close serializeAttachment deserializeAttachment
Request Response FetchResponse Headers FormData Blob File
url method headers body bodyUsed body_used cf signal redirect clone cache credentials keepalive referrer
text json formData form_data arrayBuffer blob bytes buffer memoryview
ok status statusText status_text redirected from_json replace_body raise_for_status js_object
searchParams getAll getSetCookie append CF-Connecting-IP caches crypto HTMLRewriter
retryable overloaded durableObjectReset
asgi.fetch asgi.entrypoint import_from_javascript python_from_rpc python_to_rpc to_js to_py run_sync
"""


def test_the_page_has_each_name() -> None:
    in_code = [*re.findall(r"`[^`\n]+`", PAGE), *re.findall(r"^```.*?^```$", PAGE, re.MULTILINE | re.DOTALL)]

    missing = [
        name
        for name in NAMES.split()
        if not any(re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", code) for code in in_code)
    ]

    assert missing == []
