"""A backup is one instant of the whole folder, checks itself, and becomes a folder again."""

import asyncio
import io
import itertools
import os
import resource
import shutil
import signal
import tarfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from functools import partial
from pathlib import Path

import apsw
import pytest

import perdure
from perdure.host.version import VERSION
from perdure.model.errors import StorageFull, StoreBroken, WrongValue
from perdure.store.backup import MANIFEST, create_backup, restore_backup, verify_backup
from perdure.store.connection import open_connection
from perdure.store.crash_point import CrashPoint
from perdure.store.file_system import checksummed_file_system
from perdure.store.schema import STORE_TABLES, ensure_schema
from tests.host.stored import Box, Other, exported, keys_of, work
from tests.store.test_damage import flip_bit_at


def back_up(folder: Path, file: Path, **options):
    settings = {"file_system": checksummed_file_system(), "written_by": VERSION, "now_ms": 1_800_000_000_000}
    return create_backup(folder, file, **(settings | options))


class Sender(perdure.DurableObject):
    async def send(self, number: int, amount: int) -> None:
        kv, receiver = self.ctx.storage.kv, self.env.Receiver.get_by_name(self.ctx.id.name or "")
        kv.put("balance", kv.get("balance", 1_000_000) - amount)
        kv.put(f"under way/{number:05}", amount)
        await receiver.receive(number, amount)
        kv.delete(f"under way/{number:05}")

    async def under_way(self) -> tuple[int, dict[str, int]]:
        kv = self.ctx.storage.kv
        return kv.get("balance", 1_000_000), dict(kv.list(prefix="under way/"))


class Receiver(perdure.DurableObject):
    async def receive(self, number: int, amount: int) -> None:
        kv = self.ctx.storage.kv
        kv.put("balance", kv.get("balance", 0) + amount)
        kv.put(f"under way/{number:05}", True)

    async def received(self) -> tuple[int, list[str]]:
        kv = self.ctx.storage.kv
        return kv.get("balance", 0), [key for key, _ in kv.list(prefix="under way/")]


def test_a_bank_over_two_classes_keeps_its_total_in_every_backup_that_is_taken_while_it_pays(tmp_path):
    names, taken = [f"account {n}" for n in range(4)], []

    async def pay(runtime, name: str, stop: asyncio.Event) -> int:
        paid = 0
        while not stop.is_set():
            await runtime.env.Sender.get_by_name(name).send(paid, 1 + paid % 7)
            paid += 1
        return paid

    async def serve() -> list[int]:
        async with perdure.open(tmp_path / "data", objects=[Sender, Receiver]) as runtime:
            stop = asyncio.Event()
            payers = [asyncio.ensure_future(pay(runtime, name, stop)) for name in names]
            for n in range(6):
                while len((await runtime.env.Receiver.get_by_name(names[0]).received())[1]) < 10 * n:
                    await asyncio.sleep(0)
                await asyncio.to_thread(back_up, tmp_path / "data", tmp_path / f"{n}.perdure")
                taken.append(tmp_path / f"{n}.perdure")
            stop.set()
            return await asyncio.gather(*payers)

    async def total(folder: Path) -> tuple[int, int]:
        money, payments = 0, 0
        async with perdure.open(folder, objects=[Sender, Receiver]) as runtime:
            for name in names:
                left, under_way = await runtime.env.Sender.get_by_name(name).under_way()
                arrived, received = await runtime.env.Receiver.get_by_name(name).received()
                money += left + arrived + sum(amount for key, amount in under_way.items() if key not in received)
                payments += len(received)
        return money, payments

    paid = asyncio.run(serve())
    payments = []
    for n, file in enumerate(taken):
        restore_backup(file, tmp_path / f"restored {n}")
        money, count = asyncio.run(total(tmp_path / f"restored {n}"))
        assert money == 4_000_000
        payments.append(count)

    assert payments == sorted(payments)
    assert payments[-1] <= sum(paid)


def test_what_was_acknowledged_before_it_is_in_it_though_somebody_serves_the_folder(tmp_path):
    async def scenario():
        async with perdure.open(tmp_path / "data", objects=[Box, Other]) as runtime:
            for n in range(5):
                await runtime.env.Box.get_by_name("a").run(f"kv.put('n', {n})")
                await asyncio.to_thread(back_up, tmp_path / "data", tmp_path / f"{n}.perdure")

    asyncio.run(scenario())

    for n in range(5):
        restore_backup(tmp_path / f"{n}.perdure", tmp_path / f"restored {n}")
        assert work(tmp_path / f"restored {n}", ("a", "result = kv.get('n')")) == [n]


def test_a_restored_folder_has_every_object_with_keys_and_tables(tmp_path):
    work(tmp_path / "data", ("a", "kv.put('k', {1, 2})"), ("b", "sql.exec('CREATE TABLE t(x)'); kv.put('k', 'b')"))

    made = back_up(tmp_path / "data", tmp_path / "all.perdure")
    restore_backup(tmp_path / "all.perdure", tmp_path / "again")

    assert verify_backup(tmp_path / "all.perdure") == made
    for name in ("a", "b"):
        there = exported(tmp_path / "again", name, tmp_path / "there.db")
        assert keys_of(there) == keys_of(exported(tmp_path / "data", name, tmp_path / "here.db"))
    assert work(tmp_path / "again", ("a", "kv.put('n', 2); result = kv.get('k')")) == [{1, 2}]
    stores = list((tmp_path / "again").rglob("store.db"))
    for store in stores:
        connection = apsw.Connection(str(store), vfs=checksummed_file_system())
        assert connection.pragma("journal_mode") == "wal"
        assert connection.pragma("checksum_verification") == "1"
        assert connection.pragma("integrity_check") == "ok"
        connection.close()
    assert stores


def test_a_backup_is_a_tar_of_sqlite_databases_with_their_sums(tmp_path):
    work(tmp_path / "data", ("a", "kv.put('k', 1)"))
    back_up(tmp_path / "data", tmp_path / "all.perdure")

    with tarfile.open(tmp_path / "all.perdure") as tar:
        names = tar.getnames()

    assert names[0] == "catalog.db"
    assert names[-2:] == [MANIFEST, "manifest.sha256"]
    assert all(name.startswith("namespaces/") and name.endswith("/0/store.db") for name in names[1:-2])


def test_every_flipped_bit_and_every_cut_is_found(tmp_path):
    work(tmp_path / "data", ("a", "kv.put('k', 1)"))
    file = tmp_path / "all.perdure"
    back_up(tmp_path / "data", file)
    whole = file.read_bytes()
    end = whole.rindex(b"manifest.json\n") + len(b"manifest.json\n")  # after it there is padding

    for position in [
        0,
        60,
        130,
        512,
        5_000,
        len(whole) // 2,
        whole.index(b'"sha256"') + 12,
        whole.index(b'"created_ms"'),
        end - 40,
    ]:
        file.write_bytes(whole[:position] + bytes([whole[position] ^ 4]) + whole[position + 1 :])
        with pytest.raises(StoreBroken, match="not a whole backup"):
            verify_backup(file)
    for length in [0, 100, len(whole) // 2, end - 100]:
        file.write_bytes(whole[:length])
        with pytest.raises(StoreBroken, match="not a whole backup"):
            restore_backup(file, tmp_path / "again")

    assert not (tmp_path / "again").exists()
    assert not (tmp_path / "again.part").exists()


def test_a_member_that_leads_out_of_the_folder_is_refused(tmp_path):
    file = tmp_path / "bad.perdure"
    for name in ("../catalog.db", "/catalog.db", "namespaces/../0/store.db", "lock"):
        with tarfile.open(file, "w") as tar:
            tar.addfile(tarfile.TarInfo(name), io.BytesIO())
        with pytest.raises(StoreBroken, match="does not belong"):
            restore_backup(file, tmp_path / "again")
    assert {path.name for path in tmp_path.iterdir()} == {"bad.perdure"}


def test_nothing_is_overwritten_unasked(tmp_path):
    work(tmp_path / "data", ("a", "kv.put('k', 1)"))
    file = tmp_path / "all.perdure"
    file.write_text("mine")

    with pytest.raises(WrongValue, match="is there already.*--force"):
        back_up(tmp_path / "data", file)
    back_up(tmp_path / "data", file, force=True)
    with pytest.raises(WrongValue, match="not an empty folder"):
        restore_backup(file, tmp_path / "data")
    with pytest.raises(WrongValue, match="no data folder"):
        back_up(tmp_path / "nowhere", tmp_path / "no.perdure")
    (tmp_path / "empty").mkdir()
    restore_backup(file, tmp_path / "empty")

    assert {path.name for path in tmp_path.iterdir()} == {"data", "all.perdure", "empty"}


def test_a_backup_is_not_restored_to_a_link_and_that_is_said_before_the_work(tmp_path):
    work(tmp_path / "data", ("a", "kv.put('k', 1)"))
    back_up(tmp_path / "data", tmp_path / "all.perdure")
    (tmp_path / "real").mkdir()
    for target in ("real", "nowhere"):
        (tmp_path / "link").unlink(missing_ok=True)
        (tmp_path / "link").symlink_to(target)

        with pytest.raises(WrongValue, match="link is there and is not an empty folder"):
            restore_backup(tmp_path / "all.perdure", tmp_path / "link", progress=lambda *_: pytest.fail("begun"))


def test_of_two_backups_to_one_name_the_second_is_told_and_the_first_is_whole(tmp_path):
    work(tmp_path / "data", ("a", "kv.put('k', 'x' * 500_000)"))
    file, others = tmp_path / "all.perdure", []

    def another(done: int, total: int) -> None:
        if not others:
            others.append(None)
            others.append(back_up(tmp_path / "data", file))

    with pytest.raises(WrongValue, match="all.perdure is there already"):
        back_up(tmp_path / "data", file, progress=another)

    assert verify_backup(file) == others[1]
    assert {path.name for path in tmp_path.iterdir()} == {"data", "all.perdure"}


@contextmanager
def room_for(size: int) -> Iterator[None]:
    """No file may be longer: what a full disk does, to whom it does it."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [50_000, 300_000, 2_000_000])
def test_a_full_disk_is_said_and_leaves_the_folder_and_the_backup_as_they_were(tmp_path, size):
    work(tmp_path / "data", ("a", "kv.put('k', 'x' * 2_000_000)"))
    back_up(tmp_path / "data", tmp_path / "all.perdure")
    before = (tmp_path / "all.perdure").read_bytes()
    there = {path.name for path in tmp_path.iterdir()}

    with room_for(size), pytest.raises(StorageFull, match="no room for all.perdure.*nothing was changed"):
        back_up(tmp_path / "data", tmp_path / "all.perdure", force=True)
    with room_for(size), pytest.raises(StorageFull, match="no room for .*nothing was changed"):
        restore_backup(tmp_path / "all.perdure", tmp_path / "again")

    assert (tmp_path / "all.perdure").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == there
    restore_backup(tmp_path / "all.perdure", tmp_path / "again")
    assert work(tmp_path / "again", ("a", "result = len(kv.get('k'))")) == [2_000_000]


def killed_after(steps: int, work: Callable[..., object]) -> bool:
    """Does it in a child, which is killed when progress was told that often; whether it was."""
    told = itertools.count(1)

    def progress(done: int, total: int) -> None:
        if next(told) == steps:
            os.kill(os.getpid(), signal.SIGKILL)

    pid = os.fork()
    if pid == 0:
        try:
            work(progress=progress)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) != 0


def test_a_backup_that_was_killed_anywhere_leaves_the_one_before_it_and_is_made_again(tmp_path):
    work(tmp_path / "data", ("a", "kv.put('k', 'x' * 2_000_000)"))
    file = tmp_path / "all.perdure"
    back_up(tmp_path / "data", file)
    before, killed = file.read_bytes(), 0

    for steps in itertools.count(1):
        if not killed_after(steps, partial(back_up, tmp_path / "data", file, force=True)):
            break
        killed += 1
        assert file.read_bytes() == before
        verify_backup(file)

    back_up(tmp_path / "data", file, force=True)
    verify_backup(file)
    assert killed > 3
    assert {path.name for path in tmp_path.iterdir()} == {"data", "all.perdure"}


def test_a_restore_that_was_killed_anywhere_made_no_folder(tmp_path):
    work(tmp_path / "data", ("a", "kv.put('k', 'x' * 2_000_000)"))
    back_up(tmp_path / "data", tmp_path / "all.perdure")
    killed = 0

    for steps in itertools.count(1):
        if not killed_after(steps, partial(restore_backup, tmp_path / "all.perdure", tmp_path / "again")):
            break
        killed += 1
        assert not (tmp_path / "again").exists()
        with pytest.raises(WrongValue, match="an earlier restore did not end.*delete that folder"):
            restore_backup(tmp_path / "all.perdure", tmp_path / "again")
        shutil.rmtree(tmp_path / "again.part")

    assert killed > 3
    assert work(tmp_path / "again", ("a", "result = len(kv.get('k'))")) == [2_000_000]


class Synced:
    """Which files and folders were on disk when something got its name, and whether the name was in the end."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.sizes: dict[Path, int] = {}
        self.renamed: list[tuple[Path, list[Path]]] = []
        """What, and which of it was not on disk as it is."""
        fsync = os.fsync

        def noted_fsync(file: int) -> None:
            fsync(file)
            self.sizes[Path(os.readlink(f"/proc/self/fd/{file}"))] = os.fstat(file).st_size

        def noted(name: Callable[[Path, Path], None]) -> Callable[[Path, Path], None]:
            def naming(source: Path, target: Path) -> None:
                missing = [path for path in (source, *source.rglob("*")) if self.sizes.get(path) != path.stat().st_size]
                name(source, target)
                self.sizes.pop(target.parent, None)
                self.renamed.append((target, missing))

            return naming

        monkeypatch.setattr(os, "fsync", noted_fsync)
        monkeypatch.setattr(os, "replace", noted(os.replace))
        monkeypatch.setattr(os, "link", noted(os.link))

    def assert_whole(self, target: Path) -> None:
        assert self.renamed[-1] == (target, [])
        assert target.parent in self.sizes


def test_what_a_cut_of_power_finds_under_a_name_was_on_disk_before_it_got_the_name(tmp_path, monkeypatch):
    work(tmp_path / "data", ("a", "kv.put('k', 'x' * 2_000_000)"))
    synced = Synced(monkeypatch)

    back_up(tmp_path / "data", tmp_path / "all.perdure")
    synced.assert_whole(tmp_path / "all.perdure")
    restore_backup(tmp_path / "all.perdure", tmp_path / "again")
    synced.assert_whole(tmp_path / "again")
    exported(tmp_path / "data", "a", tmp_path / "a.db")
    synced.assert_whole(tmp_path / "a.db")


def test_a_damaged_store_is_not_backed_up_as_if_it_were_whole(tmp_path):
    work(tmp_path / "data", ("a", "kv.put('k', 'find this in the file' * 40)"))
    [store] = [path for path in (tmp_path / "data").rglob("store.db") if b"find this" in path.read_bytes()]
    flip_bit_at(store, "kv", b"find this in the file")

    with pytest.raises(StoreBroken, match="perdure doctor"):
        back_up(tmp_path / "data", tmp_path / "all.perdure")

    assert {path.name for path in tmp_path.iterdir()} == {"data"}


@pytest.mark.parametrize("copied", [False, True], ids=["some of it in the log", "all in the database"])
def test_a_class_that_is_deleted_meanwhile_is_in_it_as_it_was(tmp_path, copied):
    work(tmp_path / "data", ("a", "kv.put('k', 1)"))
    stores = list((tmp_path / "data").rglob("store.db"))

    def deleted(done: int, total: int) -> None:
        shutil.rmtree(tmp_path / "data" / "namespaces", ignore_errors=True)

    with ExitStack() as connections:
        for store in stores:
            connection = connections.enter_context(closing(apsw.Connection(str(store), vfs=checksummed_file_system())))
            if not copied:
                connection.execute("INSERT INTO meta VALUES('of a test', 1)")
        back_up(tmp_path / "data", tmp_path / "all.perdure", progress=deleted)

    assert not any(store.exists() for store in stores)
    restore_backup(tmp_path / "all.perdure", tmp_path / "again")
    assert work(tmp_path / "again", ("a", "result = kv.get('k')")) == [1]


def cut_off(database: Path) -> None:
    """A store that is made up to just before its tables are on disk."""

    def at(point: CrashPoint) -> None:
        if point is CrashPoint.BEFORE_SCHEMA_COMMIT:
            raise KeyboardInterrupt

    connection = open_connection(database, checksummed_file_system(), cache_kib=64)
    with closing(connection), suppress(KeyboardInterrupt):
        ensure_schema(connection, database, STORE_TABLES, written_by=VERSION, at=at)
    assert database.stat().st_size


@pytest.mark.parametrize("begin", [Path.touch, cut_off], ids=["not a byte of it", "all but its tables"])
def test_a_store_whose_making_was_cut_off_holds_nothing_and_is_in_no_backup(tmp_path, begin):
    work(tmp_path / "data", ("a", "kv.put('k', 1)"))
    [other] = (store for store in (tmp_path / "data").rglob("store.db") if not objects_in(store))
    for file in other.parent.iterdir():
        file.unlink()
    begin(other)

    manifest = back_up(tmp_path / "data", tmp_path / "all.perdure")

    assert len(manifest.files) == 2
    restore_backup(tmp_path / "all.perdure", tmp_path / "again")
    assert work(tmp_path / "again", ("a", "result = kv.get('k')")) == [1]


def objects_in(store: Path) -> int:
    with closing(apsw.Connection(str(store), vfs=checksummed_file_system())) as connection:
        return connection.execute("SELECT count(*) FROM object").get


def test_a_foreign_database_in_the_place_of_a_store_is_not_backed_up(tmp_path):
    work(tmp_path / "data", ("a", "kv.put('k', 1)"))
    [other] = (store for store in (tmp_path / "data").rglob("store.db") if not objects_in(store))
    for file in other.parent.iterdir():
        file.unlink()
    with closing(apsw.Connection(str(other))) as foreign:
        foreign.execute("CREATE TABLE t(a)")

    with pytest.raises(StoreBroken, match="store.db is not a Perdure database"):
        back_up(tmp_path / "data", tmp_path / "all.perdure")


@pytest.mark.parametrize("more", [4, 10, 16])
def test_too_few_open_files_are_said_as_such(tmp_path, more):
    work(tmp_path / "data", ("a", "kv.put('k', 1)"))

    with descriptors_for(more), pytest.raises(StoreBroken, match="too many files are open.*ulimit -n.*nothing was"):
        back_up(tmp_path / "data", tmp_path / "all.perdure")

    assert {path.name for path in tmp_path.iterdir()} == {"data"}
    back_up(tmp_path / "data", tmp_path / "all.perdure")


@contextmanager
def descriptors_for(more: int) -> Iterator[None]:
    """No more files may be open than there are, and so many more."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    with open(os.devnull) as next_one:
        resource.setrlimit(resource.RLIMIT_NOFILE, (next_one.fileno() + more, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_progress_goes_from_nothing_to_all(tmp_path):
    work(tmp_path / "data", ("a", "kv.put('k', 'x' * 2_000_000)"))
    told = []

    back_up(tmp_path / "data", tmp_path / "all.perdure", progress=lambda done, total: told.append((done, total)))

    done = [step for step, _ in told]
    assert done == sorted(done)
    assert len(set(done)) > 2
    assert done[-1] == told[-1][1] > 2_000_000
