"""What was acknowledged survives a cut of power, whole, whatever the disk made of everything since the last completed sync.

The checker is checked: with synchronous=OFF, with replies before the sync and with other rules left out it must find losses.
"""

import pytest

from perdure.core.layers import Layers
from perdure.store import connection
from tests.store.power_cut_run import run

SEEDS = range(0, 200, 25)

pytestmark = pytest.mark.usefixtures("unmeasured")


@pytest.mark.parametrize("first", SEEDS)
def test_what_was_acknowledged_survives_a_cut_and_nothing_is_half_there(first, memory_path):
    for seed in range(first, first + 25):
        run(seed, memory_path / str(seed))


@pytest.mark.parametrize("first", SEEDS)
def test_that_holds_when_the_disk_failed_or_was_full_before(first, memory_path):
    for seed in range(first, first + 25):
        run(seed, memory_path / str(seed), failures=True)


def test_that_holds_for_groups_of_many_megabytes(memory_path):
    for seed in range(5):
        run(seed, memory_path / str(seed), failures=True, big=True, cuts=1)


@pytest.mark.slow
@pytest.mark.parametrize("first", range(1_000, 5_000, 100))
def test_thousands_of_cuts_lose_nothing(first, memory_path):
    for seed in range(first, first + 100):
        run(seed, memory_path / str(seed), failures=seed % 2 == 0)


def is_caught(memory_path, **options) -> bool:
    for seed in range(200):
        try:
            run(seed, memory_path / str(seed), **options)
        except AssertionError as error:
            print(error)
            return True
    return False


def test_without_syncs_the_same_run_loses_what_was_acknowledged(memory_path, monkeypatch):
    monkeypatch.setattr(connection, "SYNCHRONOUS", "off")

    assert is_caught(memory_path)


class RepliesBeforeTheSync(Layers):
    def may_leave(self, object: bytes, position: int) -> bool:
        return True


def test_replies_that_leave_before_the_sync_are_caught(memory_path):
    assert is_caught(memory_path, layers=RepliesBeforeTheSync)


class NoFence(Layers):
    def _raise_floors(self, objects: frozenset[bytes]) -> None:
        pass


def test_a_missing_fence_is_caught(memory_path):
    assert is_caught(memory_path, layers=NoFence, failures=True)


def test_objects_go_back_in_these_lives(memory_path):
    restored = [run(seed, memory_path / str(seed), failures=seed % 2 == 0).restored for seed in range(40)]

    assert sum(restored) > 10
