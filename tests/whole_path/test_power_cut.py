"""What a client was told is stored is there after a cut of power, through the whole path from socket to disk and back."""

import pytest

from perdure.core.layers import Layers
from perdure.objects.rows import Rows
from perdure.store import connection
from tests.whole_path.lives import Lives

CUTS = 5
SEEDS_PER_TEST = 10

pytestmark = pytest.mark.usefixtures("unmeasured")


@pytest.mark.parametrize("first", range(0, 200, SEEDS_PER_TEST))
def test_every_acknowledged_note_survives_a_cut_of_power(first, memory_path):
    for seed in range(first, first + SEEDS_PER_TEST):
        told = Lives(seed, memory_path / str(seed), cuts=CUTS).run()
        assert told.replies >= CUTS


@pytest.mark.parametrize("first", range(1_000, 1_200, SEEDS_PER_TEST))
def test_that_holds_when_a_sync_or_write_failed_and_the_process_lived_on_before_the_cut(first, memory_path):
    for seed in range(first, first + SEEDS_PER_TEST):
        Lives(seed, memory_path / str(seed), cuts=CUTS, failures=True).run()


def is_caught(memory_path, **options) -> bool:
    for seed in range(40):
        try:
            Lives(seed, memory_path / str(seed), cuts=CUTS, **options).run()
        except AssertionError as error:  # Lost, or a ledger that finds half a unit
            print(error)
            return True
    return False


def test_without_syncs_the_same_run_loses_what_was_acknowledged(memory_path, monkeypatch):
    monkeypatch.setattr(connection, "SYNCHRONOUS", "off")

    assert is_caught(memory_path)


def test_replies_that_leave_before_the_sync_are_caught(memory_path, monkeypatch):
    monkeypatch.setattr(Rows, "release_when_confirmed", lambda self, release: release(None))

    assert is_caught(memory_path)


def test_a_store_that_lets_outputs_leave_at_once_is_caught(memory_path, monkeypatch):
    monkeypatch.setattr(Layers, "may_leave", lambda self, object, position: True)

    assert is_caught(memory_path)
