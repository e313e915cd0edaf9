"""A host runs one Worker in this process, beside others, and closes in order."""

import asyncio
import socket
import sqlite3
from contextlib import closing

import pytest

from perdure.cli.address import listen
from perdure.config import load_project
from perdure.core.retention import DAY_MS
from perdure.host.host import Host
from perdure.host.loop import new_loop
from perdure.model.errors import DataFolderLocked, LoadFailed, StoreBroken
from perdure.store import sweeping
from perdure.web import Request
from tests.host.projects import write_project


def run(scenario):
    with asyncio.Runner(loop_factory=new_loop) as runner:
        return runner.run(scenario)


async def start(folder, data=None, **options) -> Host:
    project = load_project(folder / "wrangler.toml")
    return await Host.start(project, data or folder / "data", **options)


async def said(host: Host, path: str, text: str | None = None) -> str:
    request = Request(f"http://localhost{path}", method="GET" if text is None else "POST", body=text)
    return await (await host.worker.fetch(request)).text()


async def over_http(port: int, path: str, text: str | None = None) -> str:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    body = (text or "").encode()
    method = "GET" if text is None else "POST"
    head = f"{method} {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {len(body)}\r\n\r\n"
    writer.write(head.encode() + body)
    answer = (await reader.read()).decode()
    writer.close()
    await writer.wait_closed()
    return answer.partition("\r\n\r\n")[2]


def test_what_was_acknowledged_is_there_for_the_next_host(tmp_path):
    async def scenario():
        first = await start(write_project(tmp_path))
        await said(first, "/a", "important")
        await first.close()

        second = await start(tmp_path)
        kept = await said(second, "/a")
        await second.close()
        return kept

    assert run(scenario()) == "important"


def test_two_hosts_live_in_one_process_and_share_nothing(tmp_path):
    async def scenario():
        one = await start(write_project(tmp_path / "one"))
        other = await start(write_project(tmp_path / "other"))
        at_one, at_other = listen("127.0.0.1", 0), listen("127.0.0.1", 0)
        await one.serve(at_one.sockets)
        await other.serve(at_other.sockets)

        await over_http(at_one.port, "/a", "of one")
        await over_http(at_other.port, "/a", "of the other")
        await one.close()
        still_there = await over_http(at_other.port, "/a")
        await other.close()

        again = await start(tmp_path / "one")
        of_one = await said(again, "/a")
        await again.close()
        return still_there, of_one

    assert run(scenario()) == ("of the other", "of one")


def test_a_data_folder_has_one_host_in_this_process_too(tmp_path):
    async def scenario():
        host = await start(write_project(tmp_path))
        try:
            with pytest.raises(DataFolderLocked):
                await start(tmp_path, lock_timeout_s=0)
        finally:
            await host.close()

    run(scenario())


def test_a_folder_that_cannot_be_made_is_refused_by_name(tmp_path):
    write_project(tmp_path)
    (tmp_path / "file").touch()

    async def scenario(data):
        with pytest.raises(StoreBroken, match="the data folder cannot be opened") as refusal:
            await start(tmp_path, data)
        return refusal.value.where

    for data in (tmp_path / "file", tmp_path / "file" / "state"):
        assert run(scenario(data)) == str(data)


def test_a_host_that_could_not_start_leaves_the_folder_free(tmp_path):
    async def scenario():
        write_project(tmp_path, "raise ValueError('not yet')", classes=())
        with pytest.raises(LoadFailed):
            await start(tmp_path)

        write_project(tmp_path)
        host = await start(tmp_path, lock_timeout_s=0)
        await host.close()

    run(scenario())


def test_a_closing_host_answers_what_runs_and_takes_nothing_new(tmp_path):
    main = """
    import asyncio
    from perdure import Response

    async def fetch(request):
        await asyncio.sleep(0.05)
        return Response("answered")
    """

    async def scenario():
        host = await start(write_project(tmp_path, main, classes=()))
        address = listen("127.0.0.1", 0)
        await host.serve(address.sockets)
        running = asyncio.create_task(over_http(address.port, "/"))
        while not host.running_requests:
            await asyncio.sleep(0)

        await host.close()

        with pytest.raises(OSError):
            socket.create_connection(("127.0.0.1", address.port))
        return await running

    assert run(scenario()) == "answered"


def test_a_request_that_never_ends_is_dropped_when_the_grace_is_over(tmp_path):
    main = """
    import asyncio

    async def fetch(request):
        await asyncio.Event().wait()
    """

    async def scenario():
        host = await start(write_project(tmp_path, main, classes=()))
        address = listen("127.0.0.1", 0)
        await host.serve(address.sockets)
        running = asyncio.create_task(over_http(address.port, "/"))
        while not host.running_requests:
            await asyncio.sleep(0)

        await host.close(grace_s=0.01)

        result = await asyncio.gather(running, return_exceptions=True)
        return result[0], host.running_requests

    answer, still_running = run(scenario())
    assert answer == "" or isinstance(answer, OSError)
    assert still_running == 0


def test_background_work_that_goes_on_does_not_outlast_the_grace(tmp_path):
    main = """
    import asyncio
    from perdure import Response

    async def fetch(request, env, ctx):
        ctx.wait_until(asyncio.Event().wait())
        return Response("answered")
    """

    async def scenario():
        host = await start(write_project(tmp_path, main, classes=()))
        await said(host, "/")

        async with asyncio.timeout(5):
            await host.close(grace_s=0.01)

    run(scenario())


def test_a_class_that_the_configuration_renames_keeps_its_data(tmp_path):
    renamed = """
    from perdure import Request, Response

    class Holder:
        def __init__(self, ctx, env):
            self.ctx = ctx

        async def fetch(self, request):
            return Response(self.ctx.storage.kv.get("text", "nothing"))

    async def fetch(request, env):
        return await env.HOLDER.get_by_name(request.path).fetch(request)
    """

    async def scenario():
        before = await start(write_project(tmp_path), tmp_path / "data")
        await said(before, "/a", "kept")
        await before.close()
        write_project(tmp_path, renamed, classes=())
        (tmp_path / "wrangler.toml").write_text(
            'name = "test"\nmain = "main.py"\n'
            'durable_objects.bindings = [{ name = "HOLDER", class_name = "Holder" }]\n'
            '[[migrations]]\ntag = "v1"\nnew_classes = ["Keeper"]\n'
            '[[migrations]]\ntag = "v2"\nrenamed_classes = [{ from = "Keeper", to = "Holder" }]\n'
        )

        after = await start(tmp_path, tmp_path / "data")
        kept = await said(after, "/a")
        await after.close()
        again = await start(tmp_path, tmp_path / "data")  # each migration is applied once
        kept_still = await said(again, "/a")
        await again.close()
        return kept, kept_still

    assert run(scenario()) == ("kept", "kept")


def test_what_is_kept_of_the_past_is_what_the_configuration_says(tmp_path, monkeypatch):
    monkeypatch.setattr(sweeping, "UNDO_PASS_MS", 0)  # the past is looked at whenever something was written
    folder, data = write_project(tmp_path), tmp_path / "data"
    config = folder / "wrangler.toml"
    plain = config.read_text()

    def told() -> dict[str, int]:
        [store] = data.glob("namespaces/*/0/store.db")
        with closing(sqlite3.connect(f"file:{store}?mode=ro", uri=True)) as connection:
            return dict(
                connection.execute("SELECT key, value FROM meta WHERE key IN ('undo_age_ms', 'undo_bytes_max')")
            )

    async def looked_at(wanted: dict[str, int]) -> None:
        host = await start(folder, data)
        await said(host, "/a", "text")
        async with asyncio.timeout(10):
            while told() != wanted:
                await asyncio.sleep(0.01)
        await host.close()

    async def scenario():
        config.write_text(plain + "\n[storage]\npast_days = 90\npast_bytes = 1_000_000\n")
        await looked_at({"undo_age_ms": 90 * DAY_MS, "undo_bytes_max": 1_000_000})
        config.write_text(plain)
        await looked_at({"undo_age_ms": 30 * DAY_MS})

    run(scenario())
