"""Requests through a stub: they arrive whole, bodies stream both ways, and what the handler raises is raised (API-21, API-53)."""

import asyncio

import pytest

from perdure.model.errors import BodyUsed, NoHandler, ObjectReset, WrongType
from perdure.objects.op import Op
from perdure.web.request import Request
from perdure.web.response import Response
from perdure.workers.stub import stub_of

ECHO = """
    import asyncio

    class Echo(DurableObject):
        async def fetch(self, request):
            self.seen = request
            match request.path:
                case "/text":
                    return Response(await request.text(), 201, status_text="Made", headers={"x-a": "b"})
                case "/facts":
                    return {"method": request.method, "url": request.url, "client": request.client_ip,
                            "redirect": request.redirect, "a": request.headers.get("x-a")}
                case "/redirect":
                    return Response.redirect("http://elsewhere/")
                case "/fail":
                    raise ValueError("no such room")
                case "/wrong":
                    return "text"
                case "/used":
                    response = Response("x")
                    await response.text()
                    return response
                case "/chunks":
                    return Response(self.chunks())
                case "/broken":
                    return Response(self.broken())
                case "/cookies":
                    response = Response("x")
                    response.headers.append("set-cookie", "a=1")
                    response.headers.append("set-cookie", "b=2")
                    return response
                case "/collect":
                    self.parts = []
                    async for part in request.body:
                        self.parts.append(part)
                    return {}
                case "/change":
                    request.headers["x-a"] = "c"

        async def chunks(self):
            for number in range(3):
                self.ctx.storage.kv.put("sent", number)
                yield f"chunk {number};"
                await asyncio.sleep(1)

        async def broken(self):
            yield "first"
            raise ValueError("half way")

        async def upload(self, request):
            return await request.text()

        def collected(self):
            return self.parts

        async def sent(self):
            return self.ctx.storage.kv.get("sent")

    class Deaf(DurableObject):
        def hello(self):
            return "hello"

    class Plain:
        def __init__(self, ctx, env):
            pass

        def on_fetch(self):
            return [1, 2]

    class Relay(DurableObject):
        async def fetch(self, request):
            echo = self.env.ECHO["e"]
            if request.method == "POST" and request.body is None:
                return await stub_of(echo).fetch(request.url, method="POST", body=self.parts())
            return await echo.fetch(request)

        async def parts(self):
            for number in range(3):
                self.ctx.storage.kv.put("part", number)
                yield f"part {number};"
"""
BINDINGS = {"ECHO": "Echo", "DEAF": "Deaf", "PLAIN": "Plain", "RELAY": "Relay"}


def scenario(world, body):
    async def main():
        worker = await world.worker(ECHO, bindings=BINDINGS)
        await body(worker, stub_of(worker.env.ECHO["e"]))

    world.run(main)


async def stream(*chunks):
    for chunk in chunks:
        await asyncio.sleep(0)
        yield chunk


def test_api_21_fetch_takes_a_url_with_method_headers_and_body(world):
    async def body(worker, echo):
        response = await echo.fetch("https://never.resolved/text", method="post", headers={"x-a": "1"}, body="hi")

        assert (response.status, response.status_text, response.headers["x-a"]) == (201, "Made", "b")
        assert response.url == "https://never.resolved/text"
        assert await response.text() == "hi"

    scenario(world, body)


def test_api_21_the_object_sees_the_request_as_it_was_sent(world):
    async def body(worker, echo):
        response = await echo.fetch("http://HOST:80/facts?q=1#f", method="DELETE", headers={"X-A": "1"})

        facts = {"method": "DELETE", "url": "http://host/facts?q=1#f", "client": None, "redirect": "manual", "a": "1"}
        assert await response.json() == facts

    scenario(world, body)


@pytest.mark.parametrize("url", ["/relative", "relative", "", "ftp://host/", "data:text/plain,x"])
def test_api_48_a_relative_url_and_another_scheme_are_type_errors_at_the_call(world, url):
    async def body(worker, echo):
        with pytest.raises(WrongType):
            echo.fetch(url)

    scenario(world, body)


def test_api_49_the_clients_address_survives(world):
    async def body(worker, echo):
        request = Request.received("GET", "http://host", "/facts", [(b"x-a", b"1")], None, "192.0.2.7")

        facts = await (await echo.fetch(request)).json()

        assert (facts["client"], facts["a"]) == ("192.0.2.7", "1")
        again = Request.received("GET", "http://host", "/facts", [], None, "192.0.2.7")
        facts = await (await echo.fetch(again, headers={"x-a": "new"})).json()
        assert (facts["client"], facts["a"]) == ("192.0.2.7", "new")

    scenario(world, body)


def test_a_requests_body_moves(world):
    async def body(worker, echo):
        request = Request("http://x/text", method="POST", body="once")

        assert await (await echo.fetch(request)).text() == "once"

        with pytest.raises(BodyUsed):
            await request.text()
        with pytest.raises(BodyUsed):
            echo.fetch(request)

    scenario(world, body)


def test_received_headers_are_immutable_on_both_sides(world):
    async def body(worker, echo):
        with pytest.raises(TypeError, match="they were received"):
            await echo.fetch("http://x/change", headers={"x-a": "b"})
        response = await echo.fetch("http://x/text", method="POST", body="x")
        with pytest.raises(TypeError):
            response.headers["x-a"] = "c"

    scenario(world, body)


def test_api_21_no_redirect_is_followed(world):
    async def body(worker, echo):
        response = await echo.fetch(Request("http://x/redirect", redirect="follow"))

        assert (response.status, response.headers["location"]) == (302, "http://elsewhere/")

    scenario(world, body)


def test_api_53_what_the_handler_raises_is_raised_at_the_caller(world):
    async def body(worker, echo):
        with pytest.raises(ValueError, match="no such room") as raised:
            await echo.fetch("http://x/fail")

        assert raised.value.remote

    scenario(world, body)


def test_api_4_a_result_that_is_no_response_is_a_type_error_that_names_the_handler(world):
    async def body(worker, echo):
        with pytest.raises(WrongType, match=r"Echo\.fetch returned str instead of a Response"):
            await echo.fetch("http://x/wrong")
        with pytest.raises(BodyUsed):
            await echo.fetch("http://x/used")

    scenario(world, body)


def test_a_class_without_fetch_has_no_handler(world):
    async def body(worker, echo):
        deaf = worker.env.DEAF["d"]

        with pytest.raises(NoHandler, match=r"Deaf cannot answer fetch GET /x"):
            await deaf.fetch("http://host/x")
        assert await deaf.hello() == "hello"

    scenario(world, body)


def test_api_5_a_plain_class_answers_too(world):
    async def body(worker, echo):
        response = await worker.env.PLAIN["p"].fetch("http://x/")

        assert await response.json() == [1, 2]

    scenario(world, body)


def test_api_17_a_fetch_begins_when_it_is_made(world):
    async def body(worker, echo):
        call = echo.fetch("http://x/text", method="POST", body="sent")

        assert isinstance(call, Op)
        while not call.done():
            await asyncio.sleep(0)
        assert await (await call).text() == "sent"

    scenario(world, body)


def test_a_streamed_request_body_reaches_the_object_in_chunks(world):
    async def body(worker, echo):
        response = await echo.fetch("http://x/text", method="POST", body=stream(b"a", b"b", b"c"))

        assert await response.text() == "abc"

    scenario(world, body)


def test_a_streamed_response_is_produced_under_the_objects_gates(world):
    async def body(worker, echo):
        response = await echo.fetch("http://x/chunks")
        assert response.body is not None
        chunks = [bytes(chunk) async for chunk in response.body]

        assert chunks == [b"chunk 0;", b"chunk 1;", b"chunk 2;"]
        assert await echo.sent() == 2

    scenario(world, body)


def test_no_chunk_leaves_before_the_write_made_ahead_of_it_is_on_disk(world):
    async def body(worker, echo):
        await echo.sent()
        world.disk.hold()
        response = await echo.fetch("http://x/chunks")
        assert response.body is not None
        first = asyncio.ensure_future(anext(response.body))
        for _ in range(20):
            await asyncio.sleep(0)
        assert not first.done()

        world.disk.go_on()

        assert await first == b"chunk 0;"

    scenario(world, body)


def test_a_stream_that_fails_half_way_fails_at_its_reader(world):
    async def body(worker, echo):
        response = await echo.fetch("http://x/broken")
        assert response.body is not None

        assert await anext(response.body) == b"first"
        with pytest.raises(ValueError, match="half way"):
            await anext(response.body)

    scenario(world, body)


def test_an_object_sends_a_stream_of_its_own_to_another(world):
    async def body(worker, echo):
        relay = stub_of(worker.env.RELAY["r"])

        response = await relay.fetch("http://x/text", method="POST")

        assert await response.text() == "part 0;part 1;part 2;"

    scenario(world, body)


def test_no_chunk_of_its_stream_leaves_an_object_before_the_write_made_ahead_of_it_is_on_disk(world):
    async def body(worker, echo):
        world.disk.hold()
        answer = worker.env.RELAY["r"].fetch("http://x/collect", method="POST")
        for _ in range(20):
            await asyncio.sleep(0)
        assert await echo.collected() == []

        world.disk.go_on()

        await answer
        assert await echo.collected() == [b"part 0;", b"part 1;", b"part 2;"]

    scenario(world, body)


@pytest.mark.parametrize("content", ["text", None])
def test_an_object_hands_a_request_on_and_its_answer_back(world, content):
    async def body(worker, echo):
        relay = stub_of(worker.env.RELAY["r"])
        method = "POST" if content else "DELETE"

        response = await relay.fetch("http://x/text", method=method, body=content)

        assert await response.text() == (content or "")
        chunks = await relay.fetch("http://x/chunks")
        assert await chunks.text() == "chunk 0;chunk 1;chunk 2;"

    scenario(world, body)


def test_a_response_of_one_object_outlives_nothing_but_its_stream(world):
    async def body(worker, echo):
        response = await echo.fetch("http://x/chunks")
        assert response.body is not None
        assert await anext(response.body) == b"chunk 0;"

        worker.residents["Echo"].instance_of(echo.id).break_with(ObjectReset(what="reset in the middle"))

        with pytest.raises(ObjectReset, match="reset in the middle"):
            async for _ in response.body:
                pass
        assert isinstance(await echo.fetch("http://x/text", method="POST"), Response)

    scenario(world, body)


def test_an_answer_keeps_repeated_fields(world):
    async def body(worker, echo):
        response = await echo.fetch("http://x/cookies")

        assert response.headers.get_all("set-cookie") == ["a=1", "b=2"]
        assert response.headers["content-type"] == "text/plain;charset=UTF-8"

    scenario(world, body)
