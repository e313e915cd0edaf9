"""`make demo`: serves examples/get-started, posts the document's own text to it, then keeps serving.

The server runs in this very process, and this process ends with the one that started it: whoever is killed,
no server is left behind on the port, and the text is there at the next start. Held by tests/house/test_demo.py.
"""

import argparse
import http.client
import os
import signal
import socket
import sys
import threading
import time
from http import HTTPStatus
from pathlib import Path

from perdure.cli.main import main as perdure

CONFIG = Path("examples/get-started/wrangler.toml")
HOST = "127.0.0.1"  # not "localhost": a bare machine may have no /etc/hosts
PORT = 8787
PATH = "/hello"
TEXT = "important data!"
# Imports and recovery of a large store included; a server that is not up by then has said why.
START_S_MAX = 30.0
LOOK_AGAIN_S = 0.02


def is_answering(port: int) -> bool:
    """Whether anything accepts connections on the demo's port."""
    try:
        socket.create_connection((HOST, port), timeout=1.0).close()
    except OSError:
        return False
    return True


def post_the_documents_text(port: int) -> None:
    """Waits until the server answers, posts the text and prints the answer with the command that does the same."""
    deadline = time.monotonic() + START_S_MAX
    while not is_answering(port):
        if time.monotonic() > deadline:
            print(f"demo: nothing answers on port {port} after {START_S_MAX:.0f} s", file=sys.stderr, flush=True)
            return
        time.sleep(LOOK_AGAIN_S)
    client = http.client.HTTPConnection(HOST, port, timeout=START_S_MAX)
    try:
        client.request("POST", PATH, body=TEXT, headers={"content-type": "text/plain"})
        response = client.getresponse()
        answer = response.read().decode()
    except (OSError, http.client.HTTPException) as error:
        print(f"demo: the POST got no answer: {error!r}", file=sys.stderr, flush=True)
        return
    finally:
        client.close()
    if response.status != HTTPStatus.OK:
        print(f"demo: the POST was answered with {response.status}: {answer}", file=sys.stderr, flush=True)
        return
    print(
        f"\n{answer}\n"
        "\nThat was the answer to the first line; the second reads the text back, also after kill -9 and a new start:\n"
        f"  curl -H 'content-type: text/plain' localhost:{port}{PATH} --data '{TEXT}'\n"
        f"  curl localhost:{port}{PATH}\n",
        flush=True,
    )


def die_with(parent: int) -> None:
    """Ends this process without further ado once `parent` is gone: kill -9 of make is kill -9 of the demo."""
    while os.getppid() == parent:
        time.sleep(LOOK_AGAIN_S)
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--port", type=int, default=PORT)
    options.add_argument("--persist-to", help="keep the data here, not beside the example")
    chosen = options.parse_args()

    threading.Thread(target=die_with, args=(os.getppid(),), daemon=True).start()
    # Where something listens already, the server says so and stops; posting would talk to the wrong program.
    if not is_answering(chosen.port):
        threading.Thread(target=post_the_documents_text, args=(chosen.port,), daemon=True).start()
    sys.argv = ["perdure", "dev", "-c", str(CONFIG), "--ip", HOST, "--port", str(chosen.port)]
    if chosen.persist_to:
        sys.argv += ["--persist-to", chosen.persist_to]
    perdure()


if __name__ == "__main__":
    main()
