"""What one call carries: copied when it is sent, and bounded (API-17, Values)."""

import pytest

from perdure.model.errors import TooLarge, UnsupportedValue
from perdure.model.limits import RPC_BYTES_MAX
from perdure.workers.message import copy_arguments, copy_result


def test_api_17_arguments_are_copies():
    members, options = ["ann"], {"at": [1]}

    args, kwargs, _ = copy_arguments("join", (members, 3), {"options": options})
    members.append("bob")
    options["at"].append(2)

    assert args == (["ann"], 3)
    assert kwargs == {"options": {"at": [1]}}


def test_the_size_counts_for_the_queue():
    _, _, small = copy_arguments("post", (1,), {"by": None})
    _, _, large = copy_arguments("post", ("x" * 1000,), {"more": b"y" * 500})

    assert 0 < small < 100
    assert 1500 <= large < 1600


@pytest.mark.parametrize(
    ("args", "kwargs", "path"),
    [
        ((1, object()), {}, "post() argument 2"),
        (([{"a": object()}],), {}, 'post() argument 1[0]["a"]'),
        ((), {"options": {"x": open}}, 'post() argument options["x"]'),
    ],
)
def test_what_cannot_be_sent_is_refused_with_its_path(args, kwargs, path):
    with pytest.raises(UnsupportedValue) as raised:
        copy_arguments("post", args, kwargs)

    assert raised.value.path == path


def test_a_result_that_cannot_be_sent_is_refused_with_its_path():
    with pytest.raises(UnsupportedValue) as raised:
        copy_result("get", [object()])

    assert raised.value.path == "result of get()[0]"


def test_one_message_holds_32_mib():
    half = b"x" * (RPC_BYTES_MAX // 2)

    with pytest.raises(TooLarge):
        copy_arguments("post", (half + half + b"x",), {})
    with pytest.raises(TooLarge, match=r"the arguments of post\(\) are too large for one call") as raised:
        copy_arguments("post", (half,), {"more": half})
    with pytest.raises(TooLarge):
        copy_result("get", half + half + b"x")

    assert raised.value.limit == RPC_BYTES_MAX
    assert raised.value.size > RPC_BYTES_MAX
    assert copy_result("get", half) == half
