"""A forked child is refused everything, and whatever it does the parent's files stay as they are."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]

PROGRAM = """
import asyncio, gc, os, sys
from pathlib import Path
from perdure.core.entry import Entry, ObjectRecord
from perdure.model.errors import ForkedChild
from tests.store.contract import durable
from tests.store.folder import data_folder, made

A = b"a" * 32

def refused(use):
    try:
        use()
    except ForkedChild as error:
        assert "spawn" in str(error)
        return True
    except StopIteration:
        pass  # It returned.
    return False

def in_child(folder, store):
    uses = [
        lambda: store.append(Entry(A, 0, 1, {"k": b"child"})),
        lambda: store.get(1, "k"),
        lambda: store.record(A),
        lambda: store.close().send(None),
        lambda: folder.namespaces().send(None),
        lambda: folder.store("x").send(None),
    ]
    return [refused(use) for use in uses] == [True, True, True, False, True, True]

async def main(path):
    async with data_folder(path) as folder:
        (namespace,) = await made(folder, "A")
        store = await folder.store(namespace)
        store.append(Entry(A, 0, 1, {"k": b"1"}, ObjectRecord(1, None, 0)))
        await durable(store, A, 1)
        pid = os.fork()
        if pid == 0:
            # The loop is the parent's too: the child must not get as far as closing it.
            code = 1
            try:
                code = 0 if in_child(folder, store) else 2
                del folder, store
                gc.collect()
            finally:
                os._exit(code)
        _, status = os.waitpid(pid, 0)
        assert status == 0, status
        position = store.append(Entry(A, 0, 1, {"k": b"2"}))
        await durable(store, A, position)
    async with data_folder(path) as folder:
        assert (await folder.store(namespace)).get(1, "k") == b"2"
    print("ok")

asyncio.run(main(Path(sys.argv[1])))
"""


def test_a_forked_child_that_touches_a_store_is_refused_and_the_parent_goes_on(tmp_path):
    # A process of its own: this one may have threads that a fork would leave behind in any state.
    ended = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", "-c", PROGRAM, str(tmp_path / "data")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert ended.stdout == "ok\n", ended.stderr
