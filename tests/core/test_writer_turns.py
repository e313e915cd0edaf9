"""Groups come first, and yet apply keeps up."""

import pytest

from perdure.core.writer_turns import Turn, WriterTurns

MIB = 1024 * 1024


def turns() -> WriterTurns:
    return WriterTurns(apply_bytes_min=4 * MIB, layers_bytes_max=256 * MIB, slice_s=0.005)


def share_of_apply(apply_bytes: int) -> float:
    """Of the writer's time, when groups never end and a group takes 0.3 ms, a slice 4 ms."""
    writer, spent = turns(), {Turn.GROUP: 0.0, Turn.APPLY: 0.0}
    for _ in range(2_000):
        turn = writer.next(group=True, apply_bytes=apply_bytes, applying=False, sweep=False, quiet=False)
        seconds = 0.0003 if turn is Turn.GROUP else 0.004
        spent[turn] += seconds
        writer.spent(turn, seconds, apply_bytes)
    return spent[Turn.APPLY] / sum(spent.values())


@pytest.mark.parametrize(
    ("apply_bytes", "share"), [(MIB, 0), (10 * MIB, 1 / 3), (129 * MIB, 2 / 3), (300 * MIB, 2 / 3)]
)
def test_apply_gets_more_of_the_time_the_more_waits_for_it(apply_bytes, share):
    assert share_of_apply(apply_bytes) == pytest.approx(share, abs=0.02)


def test_without_a_group_whatever_is_worth_it_is_done():
    writer = turns()

    assert writer.next(group=False, apply_bytes=5 * MIB, applying=False, sweep=False, quiet=False) is Turn.APPLY
    assert writer.next(group=False, apply_bytes=1, applying=False, sweep=False, quiet=False) is Turn.NOTHING
    assert writer.next(group=False, apply_bytes=1, applying=False, sweep=False, quiet=True) is Turn.APPLY
    assert writer.next(group=False, apply_bytes=0, applying=True, sweep=False, quiet=False) is Turn.APPLY
    assert writer.next(group=False, apply_bytes=0, applying=False, sweep=True, quiet=False) is Turn.SWEEP


def test_a_group_does_not_wait_for_small_change():
    writer = turns()
    writer.spent(Turn.GROUP, 1.0, 0)

    assert writer.next(group=True, apply_bytes=MIB, applying=False, sweep=False, quiet=True) is Turn.APPLY
    assert writer.next(group=True, apply_bytes=MIB, applying=False, sweep=False, quiet=False) is Turn.GROUP


def test_after_a_long_pause_apply_is_owed_one_slice_at_most():
    writer = turns()
    for _ in range(100):
        writer.spent(Turn.GROUP, 1.0, 300 * MIB)

    writer.spent(Turn.APPLY, 0.005, 300 * MIB)

    assert writer.next(group=True, apply_bytes=300 * MIB, applying=False, sweep=False, quiet=False) is Turn.GROUP
