"""What the two processes of `perdure dev` say to each other arrives whole, in order, and with its sockets."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import given
from hypothesis import strategies as st

from perdure.cli.child_channel import Channel

messages = st.lists(st.dictionaries(st.sampled_from(["a", "b"]), st.text() | st.lists(st.text())), max_size=5)


@contextmanager
def pair() -> Iterator[tuple[Channel, Channel]]:
    one, other = map(Channel, socket.socketpair())
    try:
        yield one, other
    finally:
        one.close()
        other.close()


@given(messages)
def test_messages_arrive_whole_and_in_order(said):
    with pair() as (one, other):
        for fields in said:
            one.send("note", **fields)
        heard = [other.receive() for _ in said]
        one.hang_up()

        assert heard == [{"kind": "note", **fields} for fields in said]
        assert other.receive() is None


def test_a_message_longer_than_one_read_arrives_whole():
    with pair() as (one, other):
        files = [f"/folder/file-{number}.py" for number in range(20_000)]

        sender = threading.Thread(target=one.send, args=("watch",), kwargs={"files": files})
        sender.start()
        heard = other.receive()
        sender.join()

        assert heard == {"kind": "watch", "files": files}


def test_sockets_arrive_open_and_are_not_handed_on_to_other_programs():
    with pair() as (one, other):
        with socket.create_server(("127.0.0.1", 0)) as listening:
            one.send("listening", sockets=[listening], ip="127.0.0.1")
            heard = other.receive()
            port = listening.getsockname()[1]

        (taken,) = other.take_sockets()
        with taken, socket.create_connection(("127.0.0.1", port)):
            assert heard == {"kind": "listening", "ip": "127.0.0.1"}
            assert taken.getsockname()[1] == port
            assert not taken.get_inheritable()


def test_a_reader_is_told_when_the_talk_is_ended_here():
    with pair() as (one, other):
        heard: list[object] = []
        reader = threading.Thread(target=lambda: heard.append(other.receive()))
        reader.start()

        other.hang_up()
        reader.join()
        other.send("nobody listens", text=json.dumps("x" * 10))

        assert heard == [None]
        assert one.receive() is None
