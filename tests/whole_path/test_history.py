"""The checker of the kill runs sees each kind of loss: one that stays green whatever happens proves nothing."""

import pytest

from tests.whole_path.history import Broken, History

WHOLE = {
    "a": ["one", "two first", "two second", "three", "late"],
    "a other": ["three heard"],
}


@pytest.fixture
def history():
    """One, two and three were answered one after the other, then all was read; late was sent and not answered."""
    history = History()
    for way, note, number in (("rpc", "one", 1), ("twice", "two", 3), ("there", "three", 4)):
        history.answered(history.post("a", way, note), number)
    history.read("a", history.now(), WHOLE["a"][:4])
    history.post("a", "twice", "lost")
    history.post("a", "rpc", "late")
    history.post("a", "there", "silent")
    return history


def test_what_was_answered_with_or_without_what_was_not_is_a_history(history):
    history.judge(WHOLE)
    history.judge({**WHOLE, "a": WHOLE["a"][:4]})
    history.judge({**WHOLE, "a": [*WHOLE["a"], "silent", "lost first", "lost second"]})
    history.judge({"a": [*WHOLE["a"], "silent"], "a other": ["three heard", "silent heard"]})


@pytest.mark.parametrize(
    ("found", "rule"),
    [
        ({"a": WHOLE["a"][:3]}, "has lost its note 4"),
        ({"a": []}, "has lost its note 1"),
        ({"a": ["one", "three", "two first", "two second"]}, "has lost its note"),
        ({"a": ["late", *WHOLE["a"][:4]]}, "has lost its note"),
        ({"a": [*WHOLE["a"], "one"]}, "holds a note twice"),
        ({"a": [*WHOLE["a"], "of nobody"]}, "holds what nobody posted"),
        ({"a": [*WHOLE["a"], "lost first"]}, "has half of 'lost'"),
        ({"a": [*WHOLE["a"], "lost second"]}, "has half of 'lost'"),
        ({"a": [*WHOLE["a"][:4], "lost first", "late", "lost second"]}, "has half of 'lost'"),
        ({**WHOLE, "a other": []}, "a other has lost 'three'"),
        ({**WHOLE, "a other": ["three heard", "silent heard"]}, "has told of 'silent' and has lost it"),
    ],
)
def test_a_broken_one_is_caught_by_its_rule(history, found, rule):
    with pytest.raises(Broken, match=rule):
        history.judge(found)


def test_a_read_that_is_not_what_came_later_is_caught():
    history = History()
    history.post("a", "rpc", "one")
    history.read("a", history.now(), ["one"])

    with pytest.raises(Broken, match="does not begin with any more"):
        history.judge({"a": []})


def test_a_read_that_misses_what_was_answered_before_is_caught():
    history = History()
    history.answered(history.post("a", "rpc", "one"), 1)
    history.read("a", history.now(), [])

    with pytest.raises(Broken, match="did not show its note 1"):
        history.judge({"a": ["one"]})


def test_a_read_that_saw_the_future_is_caught():
    history = History()
    history.read("a", history.now(), ["one"])
    history.post("a", "rpc", "one")

    with pytest.raises(Broken, match="before it was sent"):
        history.judge({"a": ["one"]})


def test_an_order_that_time_forbids_is_caught():
    history = History()
    history.answered(history.post("a", "rpc", "early"), 2)
    history.post("a", "rpc", "late")

    with pytest.raises(Broken, match="behind one that was sent after its answer"):
        history.judge({"a": ["late", "early"]})
