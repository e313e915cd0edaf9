"""Whatever is written, applied, cut off and merged: a bookmark's state comes back exactly, and each planted fault is seen."""

import pytest

from perdure.core.undo_thinning import may_merge
from perdure.store import undo_keeping, undo_restore
from perdure.store.undo_keeping import UndoKeeping
from perdure.store.undo_restore import Restore
from perdure.store.undo_writing import UndoWriting
from tests.store.past import live

SEEDS = 20
FAULT_SEEDS = 40


@pytest.mark.parametrize("seed", range(SEEDS))
def test_every_pinned_state_comes_back_exactly(tmp_path, seed):
    past = live(seed, tmp_path / "store")

    assert past.restored > 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1_000, 1_400))
def test_every_pinned_state_comes_back_exactly_in_many_lives(tmp_path, seed):
    live(seed, tmp_path / "store", steps=300)


def is_seen(tmp_path) -> bool:
    """Whether some life notices what was planted."""
    for seed in range(FAULT_SEEDS):
        try:
            live(seed, tmp_path / str(seed), steps=250)
        except AssertionError:
            return True
    return False


def test_merging_that_keeps_the_newer_value_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(undo_keeping, "_MOVE_ROWS", undo_keeping._MOVE_ROWS.replace("IGNORE", "REPLACE"))
    monkeypatch.setattr(undo_keeping, "merged_change", lambda changes: next(iter(changes)))

    assert is_seen(tmp_path)


def test_merging_across_a_pin_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(
        undo_keeping, "may_merge", lambda older, newer, _pins, *, now_ms: may_merge(older, newer, [], now_ms=now_ms)
    )

    assert is_seen(tmp_path)


def test_a_span_that_goes_on_over_a_pin_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(UndoWriting, "pin", lambda *_: None)

    assert is_seen(tmp_path)


def test_a_restore_that_is_not_taken_up_again_is_seen(tmp_path, monkeypatch):
    part = Restore._part

    def without_a_way_back(self, past, slice):
        entry = part(self, past, slice)
        entry = undo_restore.Entry(
            entry.object, entry.time_ms, entry.generation, entry.rows, pages=entry.pages, restore=0
        )
        return entry

    monkeypatch.setattr(Restore, "_part", without_a_way_back)

    assert is_seen(tmp_path)


def test_a_generation_that_is_swept_at_once_is_seen(tmp_path, monkeypatch):
    monkeypatch.setattr(undo_keeping, "_RELEASE", undo_keeping._RELEASE.replace("place <= ?", "place >= ? * 0"))
    monkeypatch.setattr(undo_keeping, "_RELEASED", undo_keeping._RELEASED.replace("place <= ?", "place >= ? * 0"))

    assert is_seen(tmp_path)


def test_passes_over_the_past_merge_something_in_these_lives(tmp_path, monkeypatch):
    merges = []
    merge = UndoKeeping._merge
    monkeypatch.setattr(UndoKeeping, "_merge", lambda self, *args: (merges.append(1), merge(self, *args)))

    for seed in range(5):
        live(seed, tmp_path / str(seed))

    assert merges
