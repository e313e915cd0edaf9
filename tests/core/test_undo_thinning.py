"""Which neighbours of an object's past are merged: the longer ago the more, and none between which a bookmark stands."""

import random

import pytest

from perdure.core.undo_thinning import Span, may_merge, merged

HOUR = 3_600_000
DAY = 24 * HOUR
NOW = 1_000 * DAY


def spans(*ages_ms: int) -> list[Span]:
    return [Span(10 * n, 10 * n + 5, NOW - age) for n, age in enumerate(ages_ms)]


@pytest.mark.parametrize(
    ("ages", "expected"),
    [
        ((HOUR - 20, HOUR - 10), False),
        ((HOUR + 30_000, HOUR + 20_000), True),
        ((HOUR + 90_000, HOUR + 10_000), False),
        ((DAY + HOUR // 2, DAY + 10_000), True),
        ((DAY + HOUR + HOUR // 2, DAY + HOUR // 2), False),
        ((29 * DAY + 50 * 60_000, 29 * DAY + 1), True),
    ],
)
def test_every_batch_for_an_hour_one_a_minute_for_a_day_then_one_an_hour(ages, expected):
    older, newer = spans(*ages)

    assert may_merge(older, newer, [], now_ms=NOW) is expected


@pytest.mark.parametrize(("pin", "expected"), [(4, True), (5, False), (8, False), (10, False), (11, True), (15, True)])
def test_a_pin_between_two_neighbours_keeps_them_apart(pin, expected):
    older, newer = spans(HOUR + 30_000, HOUR + 20_000)

    assert may_merge(older, newer, [pin], now_ms=NOW) is expected


def test_what_is_merged_begins_with_the_older_and_ends_with_the_newer():
    older, newer = spans(20, 10)

    assert merged(older, newer) == Span(0, 15, NOW - 10)


@pytest.mark.parametrize("seed", range(50))
def test_every_boundary_that_is_left_and_every_pin_restores_exactly(seed):
    """The rule by itself: old values by key, the older one kept; as in evidence/undo_thin.py."""
    rng = random.Random(seed)
    values: dict[int, int] = {}
    states = {0: dict(values)}
    kept: list[tuple[Span, dict[int, int | None]]] = []
    pins = []
    now = NOW - 3 * DAY
    for at in range(200):
        now += rng.choice([1_000, 20_000, HOUR // 2])
        old: dict[int, int | None] = {}
        for key in rng.sample(range(5), rng.randrange(1, 3)):
            old[key] = values.get(key)
            values[key] = at
        kept.append((Span(at, at + 1, now), old))
        states[at + 1] = dict(values)
        if rng.random() < 0.1:
            pins.append(at + 1)
        n = rng.randrange(len(kept))
        if n and may_merge(kept[n - 1][0], kept[n][0], pins, now_ms=now + rng.choice([0, 2 * HOUR, 2 * DAY])):
            (older, first), (newer, second) = kept[n - 1 : n + 1]
            kept[n - 1 : n + 1] = [(merged(older, newer), {**second, **first})]

    for place in {span.since for span, _ in kept} | {*pins}:
        found = dict(values)
        for span, old in reversed(kept):
            if span.until > place:
                assert span.since >= place
                for key, value in old.items():
                    found.pop(key, None)
                    if value is not None:
                        found[key] = value
        assert found == states[place]
