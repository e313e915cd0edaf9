"""When a failing constructor runs again."""

from perdure.core.back_off import delay_ms_after


def test_after_the_first_failure_the_next_call_tries_again_at_once():
    assert delay_ms_after(1) == 0


def test_from_the_second_failure_in_a_row_the_wait_doubles_from_one_second_to_a_minute():
    assert [delay_ms_after(n) for n in range(2, 10)] == [1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000]
    assert delay_ms_after(10_000) == 60_000
