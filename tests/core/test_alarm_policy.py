"""When an alarm that failed is tried again: its own failures a bounded number of times, others without end."""

import hypothesis.strategies as st
from hypothesis import given

from perdure.core.alarm_policy import ERROR_CHARACTERS_MAX, after_failed_run, after_lost_run
from perdure.core.entry import Alarm, DeadAlarm

NOW = 1_700_000_000_000
NEW = Alarm(NOW, NOW)


def failed(alarm, now_ms=NOW, *, retries_max=6, jitter=0.0):
    return after_failed_run(alarm, "ValueError: x", now_ms=now_ms, retries_max=retries_max, jitter=jitter)


def lost(alarm, now_ms=NOW, *, jitter=0.0):
    return after_lost_run(alarm, "disk", now_ms=now_ms, jitter=jitter)


def test_its_own_failures_are_retried_after_2_to_64_s_and_then_given_up():
    delays, alarm = [], NEW
    while isinstance(alarm, Alarm):
        alarm = failed(alarm)
        delays.append((alarm.due_ms - NOW) / 1000 if isinstance(alarm, Alarm) else None)

    assert delays == [2, 4, 8, 16, 32, 64, None]
    assert alarm == DeadAlarm(NOW, NOW, 6, "ValueError: x")


def test_what_it_cannot_help_is_tried_without_end_ever_later_up_to_1024_s():
    delays, alarm = [], NEW
    for _ in range(20):
        alarm = lost(alarm)
        delays.append((alarm.due_ms - NOW) // 1000)

    assert delays[:11] == [2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 1024]
    assert set(delays[10:]) == {1024}
    assert alarm.retries == 0


def test_after_failures_that_do_not_count_the_delays_begin_anew():
    alarm = failed(failed(failed(NEW)))
    alarm = failed(lost(lost(alarm)))

    assert alarm.retries == 4
    assert alarm.due_ms - NOW == 2_000


@given(st.integers(0, 5), st.integers(-40, 40), st.floats(0, 1))
def test_a_retry_is_late_by_a_quarter_at_most_and_never_early(retries, streak, jitter):
    alarm = Alarm(NOW, NOW, retries, streak)

    for decide in (failed, lost):
        plain, thrown = decide(alarm), decide(alarm, jitter=jitter)
        assert plain.due_ms <= thrown.due_ms <= plain.due_ms + (plain.due_ms - NOW) / 4


def test_what_its_code_asked_for_stays_whatever_fails():
    alarm = lost(failed(NEW, NOW + 5_000), NOW + 9_000)

    assert alarm.at_ms == NOW
    assert alarm.error == "disk"


def test_of_a_long_error_the_beginning_is_kept():
    alarm = after_failed_run(NEW, "x" * 5_000, now_ms=NOW, retries_max=1, jitter=0)

    assert isinstance(alarm, Alarm)
    assert alarm.error == "x" * ERROR_CHARACTERS_MAX


def test_without_retries_the_first_failure_is_the_last():
    assert isinstance(failed(NEW, retries_max=0), DeadAlarm)
