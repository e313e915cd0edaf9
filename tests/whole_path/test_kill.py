"""What a client was told is stored is there after `kill -9` at any moment, and each object has one history."""

import random
import sys
from pathlib import Path

import pytest

from tests.whole_path.history import Broken
from tests.whole_path.killed_lives import KilledLives

HASTY = (sys.executable, str(Path(__file__).with_name("hasty_perdure.py")))


def any_seed() -> int:
    return random.randrange(1 << 32)


def test_nothing_acknowledged_is_lost_and_nothing_is_half_there_after_kills_under_load(tmp_path):
    history = KilledLives(any_seed(), tmp_path / "lives", kills=12).run()

    assert history.answers >= 12


@pytest.mark.slow
@pytest.mark.parametrize("run", range(10))
def test_that_holds_for_hundreds_of_kills(run, tmp_path):
    history = KilledLives(any_seed(), tmp_path / "lives", kills=40).run()

    assert history.answers >= 40


def test_a_server_that_answers_before_it_stores_is_caught(tmp_path):
    with pytest.raises(Broken, match="has lost|does not begin with"):
        KilledLives(any_seed(), tmp_path / "lives", kills=30, program=HASTY).run()
