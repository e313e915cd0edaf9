"""However the network cuts a client's bytes, the same requests come out of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.edge.test_bytes import CHUNKED, GET, POST, UPGRADE
from tests.edge.wire import Client, Seen, run, server_of, settle

# Bytes that look like the ends that a parser looks for.
TRICKY = st.lists(st.sampled_from([b"\r\n", b"\r\n\r\n", b"\r", b"\n", b"0\r\n\r\n", b"a", GET]), max_size=6).map(
    b"".join
)


def of_length(body: bytes) -> bytes:
    return POST + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


@st.composite
def chunked(draw: st.DrawFn) -> tuple[bytes, bytes]:
    chunks = [chunk for chunk in draw(st.lists(TRICKY, max_size=4)) if chunk]
    extension = draw(st.sampled_from([b"", b";a=b", b';a="b c"']))
    trailer = draw(st.sampled_from([b"", b"X: y\r\n", b"X: y\r\nZ:\r\n"]))
    sent = b"".join(b"%x%b\r\n%b\r\n" % (len(chunk), extension, chunk) for chunk in chunks)
    return CHUNKED + sent + b"0" + extension + b"\r\n" + trailer + b"\r\n", b"".join(chunks)


MESSAGES = st.one_of(
    st.just((GET + b"\r\n", b"")),
    st.just((b"\r\n" + GET + b"X: y\r\n\r\n", b"")),
    TRICKY.map(lambda body: (of_length(body), body)),
    TRICKY.map(lambda body: (UPGRADE + b"Content-Length: %d\r\n\r\n%b" % (len(body), body), body)),
    chunked(),
)


@given(st.lists(MESSAGES, min_size=1, max_size=5), st.data())
def test_any_messages_in_any_pieces_arrive_whole_and_in_order(
    messages: list[tuple[bytes, bytes]], data: st.DataObject
) -> None:
    sent = b"".join(message for message, _ in messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(sent)), max_size=12), label="cuts"))
    pieces = [sent[start:end] for start, end in zip([0, *cuts], [*cuts, len(sent)], strict=True)]

    async def main() -> None:
        seen = Seen()
        client = Client(server_of(seen))

        for piece in pieces:
            if piece:
                client.feed(piece)
                if data.draw(st.booleans()):
                    await settle()
        await settle_all(client, seen, len(messages))

        assert [body for _, _, body in seen.requests] == [body for _, body in messages]
        assert [answer.body for answer in client.answers(*(m for m, _, _ in seen.requests))] == [b"ok"] * len(messages)

    run(main)


async def settle_all(client: Client, seen: Seen, count: int) -> None:
    for _ in range(count):
        await settle()


@pytest.mark.parametrize(
    "sent",
    [
        GET + b"\r\n" + GET + b"\r\n",
        of_length(b"\r\n\r\n") + GET + b"\r\n",
        CHUNKED + b"4\r\n\r\n\r\n\r\n0\r\nX: y\r\n\r\n" + GET + b"\r\n",
    ],
)
def test_two_requests_cut_anywhere_are_two_requests(sent: bytes) -> None:
    for cut in range(1, len(sent)):

        async def main(cut: int = cut) -> None:
            seen = Seen()
            client = Client(server_of(seen))

            await client.send(sent[:cut])
            await client.send(sent[cut:])

            assert len(seen.requests) == 2, f"cut at {cut}"
            assert [answer.status for answer in client.answers(seen.requests[0][0])] == [200, 200]

        run(main)
