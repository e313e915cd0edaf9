"""Bodies are read once (API-50): by whoever comes first; a copy is made before."""

import asyncio
import gc
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.model.errors import BodyUsed, Disconnected, TooLarge, WrongType, WrongValue
from perdure.web import Response, close_content
from perdure.web import tee as tee_module
from perdure.web.tee import tee


async def chunks(*parts: bytes | str) -> AsyncIterator[bytes | str]:
    for part in parts:
        yield part


@pytest.mark.parametrize(
    ("body", "content"),
    [
        ("hé", b"h\xc3\xa9"),
        (b"\x00", b"\x00"),
        (bytearray(b"ab"), b"ab"),
        (memoryview(b"abc")[1:], b"bc"),
        (None, b""),
        ("", b""),
    ],
)
def test_a_body_is_text_or_bytes(body: Any, content: bytes) -> None:
    async def main() -> None:
        assert await Response(body).bytes() == content
        assert await Response(body).arrayBuffer() == content

    asyncio.run(main())


def test_a_stream_may_mix_text_and_bytes() -> None:
    async def main() -> None:
        assert await Response(chunks("ä", b"\x00", "")).bytes() == b"\xc3\xa4\x00"

        async def odd() -> AsyncIterator[Any]:
            yield bytearray(b"a")
            yield memoryview(b"b")
            yield 7

        with pytest.raises(WrongType, match="chunk cannot be int"):
            await Response(odd()).bytes()

    asyncio.run(main())


@pytest.mark.parametrize("body", [7, {"a": 1}, ["a"], object(), iter([b"a"])])
def test_what_can_be_no_body_is_refused(body: Any) -> None:
    with pytest.raises(WrongType, match="from_json"):
        Response(body)


def test_text_that_utf_8_cannot_say_is_refused() -> None:
    with pytest.raises(WrongValue, match="encode it yourself"):
        Response("\ud800")


def test_text_is_decoded_with_replacement_and_without_a_byte_order_mark() -> None:
    async def main() -> None:
        assert await Response(b"\xef\xbb\xbfa\xff").text() == "a\ufffd"

    asyncio.run(main())


READERS: list[Callable[[Response], Any]] = [
    Response.text,
    Response.bytes,
    Response.json,
    lambda response: response.json_as(Any),
    Response.form_data,
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("reader", READERS)
def test_a_body_is_read_once(reader: Callable[[Response], Any], stream: bool) -> None:
    async def main() -> None:
        response = Response(
            chunks("7") if stream else "7", headers={"content-type": "application/x-www-form-urlencoded"}
        )
        assert not response.body_used
        await reader(response)
        assert response.body_used and response.bodyUsed
        for again in READERS:
            with pytest.raises(BodyUsed, match=r"clone\(\) before the first read"):
                await again(response)
        with pytest.raises(BodyUsed):
            response.clone()
        with pytest.raises(BodyUsed):
            response.take_body()

    asyncio.run(main())


def test_no_body_is_read_as_often_as_one_likes() -> None:
    async def main() -> None:
        response = Response(None)
        assert response.body is None
        assert [await response.text(), await response.bytes()] == ["", b""]
        assert not response.body_used

    asyncio.run(main())


def test_the_body_is_one_iterator_that_can_be_taken_up_again() -> None:
    async def main() -> None:
        response = Response(chunks("a", "b", "c"))
        assert response.body is response.body
        assert not response.body_used
        assert response.body is not None
        async for chunk in response.body:
            assert chunk == b"a"
            break
        assert response.body_used
        assert [chunk async for chunk in response.body] == [b"b", b"c"]
        with pytest.raises(BodyUsed):
            await response.text()

    asyncio.run(main())


def test_bytes_are_a_stream_of_one_chunk() -> None:
    async def main() -> None:
        for content, expected in ((b"abc", [b"abc"]), (b"", [])):
            body = Response(content).body
            assert body is not None
            assert [chunk async for chunk in body] == expected

    asyncio.run(main())


def test_an_iterator_that_was_not_begun_cannot_read_what_another_read() -> None:
    async def main() -> None:
        response = Response("abc")
        body = response.body
        assert body is not None
        await response.text()
        with pytest.raises(BodyUsed):
            await anext(body)

    asyncio.run(main())


def test_the_body_of_one_message_can_be_that_of_another() -> None:
    async def main() -> None:
        first = Response("abc")
        second = Response(first.body)
        assert first.body_used
        assert second.take_body() == b"abc"  # as it was, not as a stream
        third = Response(chunks("a", "b"))
        body = third.body
        assert body is not None
        await anext(body)
        assert await Response(body).text() == "b"

    asyncio.run(main())


@pytest.mark.parametrize("first", [0, 1])
def test_both_of_a_clone_can_be_read_in_any_order(first: int) -> None:
    async def main() -> None:
        for body in ("abc", chunks("a", "bc"), None):
            response = Response(body, 201, headers={"x": "y"})
            both = (response, response.clone())
            assert await both[first].text() == await both[1 - first].text() == ("abc" if body else "")
            assert both[1].status == 201
            both[1].headers["x"] = "z"
            assert response.headers["x"] == "y"

    asyncio.run(main())


@given(st.lists(st.sampled_from([0, 1]), max_size=14), st.integers(0, 5))
def test_each_branch_of_a_tee_sees_every_chunk_in_order(turns: list[int], count: int) -> None:
    async def main() -> None:
        source = Response(chunks(*(str(n) for n in range(count)))).take_body()
        assert source is not None and not isinstance(source, bytes)
        branches = tee(source)
        seen: tuple[list[bytes], list[bytes]] = ([], [])
        for turn in [*turns, *[0] * 7, *[1] * 7]:
            try:
                seen[turn].append(await anext(branches[turn]))
            except StopAsyncIteration:
                assert len(seen[turn]) == count
        assert seen[0] == seen[1] == [str(n).encode() for n in range(count)]

    asyncio.run(main())


def test_two_branches_may_wait_at_once() -> None:
    async def main() -> None:
        go = asyncio.Event()

        async def slow() -> AsyncIterator[bytes]:
            await go.wait()
            yield b"a"
            yield b"b"

        response = Response(slow())
        clone = response.clone()
        both = asyncio.gather(response.text(), clone.text())
        await asyncio.sleep(0)
        go.set()
        assert await both == ["ab", "ab"]

    asyncio.run(main())


def test_an_error_reaches_both_branches() -> None:
    async def main() -> None:
        async def failing() -> AsyncIterator[bytes]:
            yield b"a"
            raise ValueError("midway")

        response = Response(failing())
        clone = response.clone()
        for message in (response, clone):
            with pytest.raises(ValueError, match="midway"):
                await message.text()

    asyncio.run(main())


def test_a_cancelled_reader_does_not_make_the_other_copy_shorter() -> None:
    async def main() -> None:
        async def slow() -> AsyncIterator[bytes]:
            yield b"a"
            await asyncio.sleep(1000)
            yield b"b"

        response = Response(slow())
        clone = response.clone()
        reading = asyncio.create_task(response.text())
        for _ in range(5):
            await asyncio.sleep(0)
        reading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reading
        with pytest.raises(Disconnected, match="was cancelled"):
            await clone.text()

    asyncio.run(main())


def test_the_slower_branch_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tee_module, "TEE_BYTES_MAX", 10)

    async def main() -> None:
        response = Response(chunks(*["abc"] * 10))
        clone = response.clone()
        with pytest.raises(TooLarge, match="too far apart"):
            await response.text()
        with pytest.raises(TooLarge):
            await clone.text()

    asyncio.run(main())


def test_nothing_is_kept_for_a_copy_that_was_thrown_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tee_module, "TEE_BYTES_MAX", 10)

    async def main() -> None:
        response = Response(chunks(*["abc"] * 10))
        response.clone()
        gc.collect()
        assert await response.text() == "abc" * 10

    asyncio.run(main())


def test_a_stream_that_is_given_up_is_closed() -> None:
    async def main() -> None:
        closed = []

        async def source() -> AsyncIterator[bytes]:
            try:
                yield b"a"
                yield b"b"
            finally:
                closed.append(True)

        response = Response(source())
        body = response.body
        assert body is not None
        await close_content(body)  # not begun: nothing to close
        await anext(body)
        await close_content(body)
        assert closed == [True]
        bare = Response(Bare()).take_body()
        assert bare is not None and not isinstance(bare, bytes)
        await close_content(bare)

    asyncio.run(main())


class Bare:
    def __aiter__(self) -> "Bare":
        return self

    async def __anext__(self) -> bytes:
        raise StopAsyncIteration
