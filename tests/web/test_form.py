"""Form data: what is encoded is decoded, and a hostile body costs little."""

import asyncio
import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from perdure.model.errors import TooLarge, WrongType, WrongValue
from perdure.web import File, FormData, Request, Response
from perdure.web.multipart import decoded, encoded

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAME = TEXT.filter(lambda name: not any(escape in name for escape in ("%0A", "%0D", "%22")))
KIND = st.sampled_from(["application/octet-stream", "image/png", "text/plain;charset=utf-8"])
FILE = st.builds(lambda content, name, kind: File(content, name, content_type=kind), st.binary(max_size=30), NAME, KIND)


def form_of(body: bytes, content_type: str) -> FormData:
    async def main() -> FormData:
        return await Response(body, headers={"content-type": content_type}).form_data()

    return asyncio.run(main())


def test_a_form_is_an_ordered_map_of_lists() -> None:
    form = FormData([("a", "1"), ("b", "2"), ("a", "3")])

    assert form["a"] == "1"
    assert form.get_all("a") == form.getAll("a") == ["1", "3"]
    assert list(form) == ["a", "b"]
    assert len(form) == 2
    form["a"] = "4"
    assert form.multi_items() == [("a", "4"), ("b", "2")]
    form["c"] = "5"
    assert form.multi_items()[-1] == ("c", "5")
    del form["b"]
    assert dict(form) == {"a": "4", "c": "5"}
    with pytest.raises(KeyError):
        del form["b"]
    with pytest.raises(KeyError):
        form["b"]
    copy = FormData(form)
    copy.append("a", "6")
    assert form.get_all("a") == ["4"]
    assert repr(FormData({"a": "b"})) == "FormData([('a', 'b')])"


@pytest.mark.parametrize(("name", "value"), [("a", 1), ("a", b"x"), ("a", None), (1, "a")])
def test_a_form_holds_text_and_files(name: str, value: str) -> None:
    with pytest.raises(WrongType):
        FormData().append(name, value)


def test_a_file_has_content_name_type_and_size() -> None:
    file = File(b"abc", "a.txt", content_type="text/plain")

    assert (file.content, file.name, file.content_type, file.size) == (b"abc", "a.txt", "text/plain", 3)
    assert file == File(bytearray(b"abc"), "a.txt", content_type="text/plain")  # tolerated
    assert file != File(b"abc", "a.txt")
    assert file != "a.txt"
    assert len({file, File(b"abc", "a.txt", content_type="text/plain")}) == 1
    assert repr(file) == "File('a.txt', 'text/plain', 3 bytes)"


@pytest.mark.parametrize(
    ("content", "name", "kind"), [("text", "a", "a/b"), (b"", 1, "a/b"), (b"", "a", "a/b\r\nx: y"), (b"", "a", 1)]
)
def test_a_file_cannot_be_made_of_anything(content: bytes, name: str, kind: str) -> None:
    with pytest.raises(WrongType):
        File(content, name, content_type=kind)


def test_text_alone_is_urlencoded() -> None:
    body, kind = encoded(FormData([("a b", "ü&"), ("a b", "")]))

    assert body == b"a+b=%C3%BC%26&a+b="
    assert kind == "application/x-www-form-urlencoded;charset=UTF-8"


def test_a_form_with_a_file_is_multipart() -> None:
    body, kind = encoded(FormData([("a", "1"), ("f", File(b"\x00", 'x"\r\n.txt'))]))

    boundary = kind.removeprefix("multipart/form-data; boundary=")
    assert (
        body
        == (
            f'--{boundary}\r\ncontent-disposition: form-data; name="a"\r\n\r\n1\r\n'
            f'--{boundary}\r\ncontent-disposition: form-data; name="f"; filename="x%22%0D%0A.txt"\r\n'
            f"content-type: application/octet-stream\r\n\r\n\x00\r\n--{boundary}--\r\n"
        ).encode()
    )
    assert (body, kind) == encoded(FormData([("a", "1"), ("f", File(b"\x00", 'x"\r\n.txt'))]))


@given(st.lists(st.tuples(NAME, TEXT | FILE), max_size=5))
@example([('\r\n"\\', "\r\n"), ("a", File(b"\r\n--", '"\n\r\\;x'))])
def test_what_is_encoded_is_decoded(pairs: list[tuple[str, str | File]]) -> None:
    form = FormData(pairs)

    assert decoded(*encoded(form)).multi_items() == form.multi_items()


def test_what_browsers_send_is_read() -> None:
    body = (
        b'--X\r\nContent-Disposition: form-data; name="a"\r\n\r\nline\r\nline\r\n'
        b'--X\r\nContent-Disposition: form-data; name="f"; filename="C:\\x.txt"\r\nContent-Type: text/plain\r\n\r\nabc\r\n'
        b"--X\r\ncontent-disposition:form-data;name=bare\r\n\r\n\r\n"
        b'--X\r\nContent-Disposition: form-data; name="e"; filename=""\r\nContent-Type: t\xe9\r\n\r\n\r\n--X--'
    )

    assert form_of(body, 'multipart/form-data; boundary="X"').multi_items() == [
        ("a", "line\r\nline"),
        ("f", File(b"abc", "C:\\x.txt", content_type="text/plain")),
        ("bare", ""),
        ("e", File(b"", "")),
    ]


@pytest.mark.parametrize("kind", ["", "text/plain", "multipart/form-data", "multipart/mixed; boundary=X"])
def test_another_type_is_no_form(kind: str) -> None:
    with pytest.raises(WrongType, match="is no form"):
        decoded(b"a=b", kind)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"a=b",
        b'--X\r\nContent-Disposition: form-data; name="a"\r\n\r\n1',
        b'--X\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--X\r\n',
        b"--X\r\nContent-Type: a/b\r\n\r\n1\r\n--X--",
        b'--X\r\nContent-Disposition: attachment; name="a"\r\n\r\n1\r\n--X--',
        b"--X\r\nContent-Disposition: form-data\r\n\r\n1\r\n--X--",
        b"--X\r\nBad Header\r\n\r\n1\r\n--X--",
        b"--X\r\n" + b"".join(b"H%d: x\r\n" % n for n in range(20)) + b"\r\n1\r\n--X--",
        b"--X\r\nH: " + b"x" * 10_000 + b"\r\n\r\n1\r\n--X--",
    ],
)
def test_a_malformed_multipart_body_is_refused(body: bytes) -> None:
    with pytest.raises(WrongValue, match="no multipart form"):
        form_of(body, "multipart/form-data; boundary=X")


def test_a_boundary_that_is_too_long_is_refused() -> None:
    with pytest.raises(WrongValue):
        form_of(b"", f"multipart/form-data; boundary={'X' * 1000}")


def test_the_number_of_fields_is_bounded() -> None:
    with pytest.raises(TooLarge) as error:
        form_of(b"&" * 5000, "application/x-www-form-urlencoded")
    assert (error.value.size, error.value.limit) == (5001, 1000)
    part = b'--X\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n'
    with pytest.raises(TooLarge):
        form_of(part * 1001 + b"--X--", "multipart/form-data; boundary=X")


@given(st.binary(max_size=60))
def test_hostile_bytes_are_a_named_error_or_a_form(body: bytes) -> None:
    for framed in (body, b"--X\r\n" + body + b"\r\n--X--"):
        with contextlib.suppress(WrongValue):
            decoded(framed, "multipart/form-data; boundary=X")


def test_a_form_as_a_body_says_its_type() -> None:
    async def main() -> None:
        request = Request("http://a/", method="POST", body=FormData({"a": "1"}))
        assert request.headers["content-type"].startswith("application/x-www-form-urlencoded")
        assert dict(await request.formData()) == {"a": "1"}

    asyncio.run(main())
