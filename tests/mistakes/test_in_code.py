"""Mistakes in handlers and objects: the traceback ends at the user's line, and its last words say what to do."""

import pytest

from tests.mistakes.mistake import COUNTER, Mistake, check, in_object, in_worker, said_by_a_request
from tests.workers.world import WorkersWorld

COPY = "what crosses is a copy, made of plain values and of classes with fields"
ANSWERS = "a handler answers with a Response, or with a dict or list that is sent as JSON"


def counter_with(member: str) -> str:
    return f"{COUNTER}\n    {member}\n"


HANDLERS = [
    Mistake(
        "nothing returned",
        in_worker("Response('lost')"),
        what="fetch of main returned nothing instead of a Response",
        where="main.py:",
        why=ANSWERS,
        next_step="return Response(...) at its end, and on each way out of it",
    ),
    Mistake(
        "a tuple returned as in Flask",
        in_worker("return 'not found', 404"),
        what="fetch of main returned tuple instead of a Response",
        where="main.py:",
        why=ANSWERS,
        next_step="return Response(text, status, headers=...)",
    ),
    Mistake(
        "text returned",
        in_worker("return 'hello'"),
        what="fetch of main returned str instead of a Response",
        where="main.py:",
        why=ANSWERS,
        next_step="return Response(text)",
    ),
    Mistake(
        "nothing returned by an object",
        in_worker("return await counter.fetch(request)", counter_with("async def fetch(self, request): pass  # here")),
        what="Counter.fetch returned nothing instead of a Response",
        why=ANSWERS,
        next_step="return Response(...)",
    ),
    Mistake(
        "an object without fetch",
        in_worker("return await counter.fetch(request)  # here"),
        what="Counter cannot answer fetch GET /",
        why="the class does not define `fetch`",
        next_step="define `async def fetch(self, request)` in it",
    ),
    Mistake(
        "fetch misspelt",
        in_worker("return await counter.fetch(request)  # here", counter_with("async def fetsh(self, request): ...")),
        what="Counter cannot answer fetch GET /",
        why="the class does not define `fetch`",
        next_step="rename `fetsh`, if it was meant",
    ),
    Mistake(
        "JSON of what has none",
        in_worker("return {'users': [object()]}"),
        what="fetch of main returned what cannot be sent as JSON: an object has no JSON form",
        where="$.users[0] of it",
        why="JSON has text, numbers, true, false, null, lists and dicts",
        next_step="send plain values, or make its class a dataclass or msgspec.Struct",
    ),
    Mistake(
        "ctx.storage in the Worker",
        in_worker("ctx.storage.put('a', 1)  # here"),
        what="'ExecutionContext' object has no attribute 'storage'",
        why="this ctx is that of a request to the Worker, and only objects have `storage`",
        next_step="await env.BINDING[name].method()",
    ),
    Mistake(
        "wait_until of a function",
        in_worker("async def later(): ...\nctx.wait_until(later)  # here"),
        what="wait_until() takes an awaitable, not function",
        why="it waits for work that has been started",
        next_step="call the function: `ctx.wait_until(send_metrics())`",
    ),
]

BINDINGS = [
    Mistake(
        "a binding misspelt",
        in_worker("env.COUNTR['a']  # here"),
        what="env.COUNTR is not bound",
        where="wrangler.toml",
        why="known bindings: COUNTER, GREETING",
        next_step="did you mean 'COUNTER'?",
    ),
    Mistake(
        "a binding that is missing",
        in_object("self.env.ROOMS  # here"),
        what="env.ROOMS is not bound",
        where="wrangler.toml",
        why="known bindings: COUNTER, GREETING",
        next_step="add it to the configuration",
    ),
    Mistake(
        "env assigned",
        in_worker("env.VISITS = 3  # here"),
        what="env.VISITS cannot be set or deleted: env is read-only",
        where="wrangler.toml",
        why="every request and object of the Worker sees the same env",
        next_step="change the configuration; keep what changes in an object",
    ),
    Mistake(
        "a namespace called like an object",
        in_worker("await env.COUNTER.increment()  # here"),
        what="'Namespace' object has no attribute 'increment'",
        why="a namespace is all objects of a class, not one",
        next_step="name the object first: `env.BINDING[name].increment(...)`",
    ),
    Mistake(
        "a namespace called",
        in_worker("env.COUNTER('a')  # here"),
        what="'Namespace' object is not callable",
        why="a namespace is indexed by the name of an object",
        next_step="write `env.BINDING[name]`",
    ),
    Mistake(
        "the list of objects awaited",
        in_worker("await env.COUNTER.list()  # here"),
        what="can't be used in 'await' expression",
        why="it gives one item after the other",
        next_step="write `async for item in ...:`",
    ),
    Mistake(
        "a number as a name",
        in_worker("env.COUNTER[7]  # here"),
        what="a name is a str, not int",
        why="the same text is the same object, everywhere and always",
        next_step="write str(7)",
    ),
    Mistake(
        "text that is no id",
        in_worker("env.COUNTER.id_from_string('abc')  # here"),
        what="'abc' is not an id",
        where="Counter",
        why="an id is 64 hexadecimal digits, this is 3 characters",
        next_step="if it is a name, use id_from_name or get_by_name",
    ),
    Mistake(
        "a name for an id",
        in_worker("env.COUNTER.get('room')  # here"),
        what="'room' is not an id of Counter",
        why="it is str",
        next_step="`namespace[name]` for a name",
    ),
    Mistake(
        "an id of another namespace",
        in_worker("env.COUNTER.id_from_string('ab' * 32)  # here"),
        what="is not an id of Counter",
        why="another namespace made it, or it was changed",
        next_step="use the namespace that gave this id, or get the object by its name",
    ),
    Mistake(
        "a stub awaited",
        in_worker("await counter  # here"),
        what="Stub",
        why="a stub stands for an object and is there at once",
        next_step="await a call of it: `await stub.method()`",
    ),
    Mistake(
        "a mistake in one of several tasks",
        in_object(
            "async def work():\n    self.storage.put('a', 1)  # here\n"
            "async with asyncio.TaskGroup() as group:\n    group.create_task(work())"
        ),
        what="'Counter' object has no attribute 'storage'",
        why="an object's storage is in its ctx",
        next_step="write `self.ctx.storage`",
    ),
    Mistake(
        "a class that is bound to nothing",
        in_worker("ctx.namespace(int)  # here"),
        what="is not an object class of the Worker hits",
        why="its classes are: Counter",
        next_step="name the class in a binding of the configuration",
    ),
    Mistake(
        "a jurisdiction",
        in_worker("env.COUNTER.newUniqueId({'jurisdiction': 'eu'})  # here"),
        what="the jurisdiction 'eu' is not offered",
        why="Perdure keeps data where it runs and could not hold that promise",
        next_step="leave it out, and run Perdure where the data has to stay",
    ),
    Mistake(
        "the name of an object that has none",
        in_worker(
            "await env.COUNTER.get(env.COUNTER.new_unique_id()).who()",
            counter_with("async def who(self): return self.ctx.name  # here"),
        ),
        what="this object has no name",
        where="Counter/",
        why="it was reached by an id that was not made from a name",
        next_step="use `ctx.id`, or reach it by `namespace[name]`",
    ),
]

CALLS = [
    Mistake(
        "a method misspelt",
        in_worker("await counter.incremnt()  # here"),
        what="Counter has no method 'incremnt' for callers",
        why="callable are:",
        next_step="did you mean 'increment'?",
    ),
    Mistake(
        "a private method called",
        in_worker("await counter._secret()  # here"),
        what="Counter has no method '_secret' for callers",
        why="names with a leading underscore are private",
        next_step="give the method a public name",
    ),
    Mistake(
        "a property called",
        in_worker("await counter.size()  # here"),
        what="Counter has no method 'size' for callers",
        why="it is a property",
        next_step="read it without calling: `await stub_of(stub).size`",
    ),
    Mistake(
        "a static method called",
        in_worker("await counter.version()  # here"),
        what="Counter has no method 'version' for callers",
        why="it is a static or class method, or a class attribute",
        next_step="add a plain method",
    ),
    Mistake(
        "a keyword that the method has not",
        in_worker("await counter.increment(amount=2)  # here"),
        what="Counter.increment() got an unexpected keyword argument 'amount'",
        where="main.py:",
        why="it is Counter.increment(by: int = 1) -> int",
        next_step="call it with these arguments",
    ),
    Mistake(
        "too many arguments",
        in_worker("await counter.increment(1, 2)  # here"),
        what="Counter.increment() takes from 1 to 2 positional arguments but 3 were given",
        why="it is Counter.increment(by: int = 1) -> int",
        next_step="call it with these arguments",
    ),
    Mistake(
        "stub_of what is no stub",
        in_worker("stub_of(env.COUNTER)  # here"),
        what="stub_of() takes a stub, not Namespace",
        why="it gives the same stub, without the type of its class",
        next_step="stub_of(env.ROOMS[name])",
    ),
    Mistake(
        "an object made by hand",
        in_worker("Counter()  # here"),
        what="DurableObject.__init__() missing 2 required positional arguments: 'ctx' and 'env'",
        why="the runtime makes objects, and gives each its ctx and env",
        next_step="reach one by its name, `env.BINDING[name]`",
    ),
    Mistake(
        "asyncio.run in a handler",
        in_object("asyncio.run(self.env.COUNTER['b'].increment())  # here"),
        what="asyncio.run() cannot be called from a running event loop",
        why="handlers and objects run on an event loop already",
        next_step="write `await` instead of `asyncio.run(...)`",
    ),
    Mistake(
        "a call that waits for itself",
        in_object("async with self.ctx.critical_section():\n    await self.env.COUNTER['a'].increment()  # here"),
        what="increment() would wait for itself",
        where="Counter/a",
        why="inside a critical section of this very object",
        next_step="call after the section",
    ),
    Mistake(
        "sections inside one another without end",
        in_object(
            "async def deep():\n    async with self.ctx.critical_section():  # here\n        await deep()\nawait deep()"
        ),
        what="critical_section() would be nested 65 deep",
        where="Counter/a",
        why="at most 64 critical sections may be open inside each other",
        next_step="look for a section that opens itself again",
    ),
    Mistake(
        "block_concurrency_while of a call",
        in_object("self.ctx.block_concurrency_while(self.increment())  # here"),
        what="block_concurrency_while() takes a function, not coroutine",
        where="Counter/a",
        why="the function starts when the running step ends",
        next_step="pass the function itself",
    ),
]

CONSTRUCTORS = [
    Mistake(
        "a constructor that forgets the base",
        in_worker(
            "await counter.go()",
            counter_with("def __init__(self, ctx, env): self.n = 0\n    async def go(self): self.ctx.storage  # here"),
        ),
        what="'Counter' object has no attribute 'ctx'",
        why="Counter.__init__ has not called that",
        next_step="begin with `super().__init__(ctx, env)`",
    ),
    Mistake(
        "ctx used before the base's constructor",
        in_worker(
            "await counter.increment()",
            counter_with("def __init__(self, ctx, env): self.n = self.ctx.storage.kv.get('n')  # here"),
        ),
        what="Counter/a could not be started: AttributeError: 'Counter' object has no attribute 'ctx'",
        why="the constructor of DurableObject sets it",
        next_step="begin with `super().__init__(ctx, env)`",
    ),
    Mistake(
        "a constructor that passes nothing on",
        in_worker(
            "await counter.increment()", counter_with("def __init__(self, ctx, env): super().__init__()  # here")
        ),
        what="Counter/a could not be started: TypeError: DurableObject.__init__() missing 2 required",
        why="the runtime makes objects, and gives each its ctx and env",
        next_step="`super().__init__(ctx, env)`",
    ),
    Mistake(
        "self.storage",
        in_object("self.storage.put('a', 1)  # here"),
        what="'Counter' object has no attribute 'storage'",
        why="an object's storage is in its ctx",
        next_step="write `self.ctx.storage`",
    ),
]

STORAGE = [
    Mistake(
        "a lambda stored",
        in_object("storage.put('k', {'a': [1, lambda: 1]})  # here"),
        what="a function cannot be stored or sent",
        where='put("k")["a"][1]',
        why=COPY,
        next_step="call it and store the result, or store a name for it",
    ),
    Mistake(
        "a lambda sent",
        in_worker("await counter.echo(lambda: 1)  # here"),
        what="a function cannot be stored or sent",
        where="echo() argument 1",
        why=COPY,
        next_step="call it and store the result",
    ),
    Mistake(
        "a lock stored",
        in_object("storage.put('k', threading.Lock())  # here"),
        what="lock cannot be stored or sent",
        where='put("k")',
        why=COPY,
        next_step="it belongs to this process: keep it in an instance attribute",
    ),
    Mistake(
        "a scalar of numpy stored",
        in_object("class float64:\n    __module__ = 'numpy'\nstorage.put('k', float64())  # here"),
        what="float64 cannot be stored or sent",
        where='put("k")',
        why=COPY,
        next_step="use .item() for a number, .tolist() for an array",
    ),
    Mistake(
        "an instance of a plain class stored",
        in_object("class Point: ...\nstorage.put('k', Point())  # here"),
        what="Point cannot be stored or sent",
        where='put("k")',
        why=COPY,
        next_step="store plain values, or make its class a dataclass or msgspec.Struct",
    ),
    Mistake(
        "the object itself returned",
        in_object("return self"),
        what="main.Counter cannot be stored or sent",
        where="result of go()",
        why=COPY,
        next_step="store plain values",
    ),
    Mistake(
        "a value that contains itself",
        in_object("a = []\na.append(a)\nstorage.put('k', a)  # here"),
        what="a value that contains itself cannot be stored or sent",
        where='put("k")[0]',
        why='it is the same object as put("k")',
        next_step="refer to it by a key or name instead",
    ),
    Mistake(
        "a number as a key",
        in_object("storage.put(7, 'a')  # here"),
        what="a key must be a str, not int",
        where="storage.put()",
        why="keys are ordered as text",
        next_step="use str(7)",
    ),
    Mistake(
        "a key that is too long",
        in_object("storage.put('k' * 3000, 1)  # here"),
        what="has 3,000 bytes",
        where="storage.put()",
        why="a key is at most 2,048 bytes in UTF-8",
        next_step="use a digest of it as key, and keep the long text in the value",
    ),
    Mistake(
        "a value that is too large",
        in_object("storage.put('k', b'x' * 3_000_000)  # here"),
        what="key and value of 'k' have 3,000,007 bytes",
        where="storage.put()",
        why="together they are at most 2,097,152 bytes (2 MiB)",
        next_step="split the value over several keys",
    ),
    Mistake(
        "put without a value",
        in_object("storage.put('k')  # here"),
        what="put() needs a value",
        where="Counter/a",
        why="a key stands for a value",
        next_step="give put(key, value)",
    ),
    Mistake(
        "both ends of a range twice",
        in_object("storage.list(start='a', start_after='b')  # here"),
        what="start and start_after were both given",
        where="storage.list()",
        why="each sets the lower end of the range",
        next_step="`start_after` to leave it out",
    ),
    Mistake(
        "a negative limit",
        in_object("storage.list(limit=-1)  # here"),
        what="limit must be positive, not -1",
        where="storage.list()",
        why="it is how many keys to list at most",
        next_step="leave it out to list everything",
    ),
    Mistake(
        "text as a limit",
        in_object("storage.list(limit='10')  # here"),
        what="limit must be an int, not str",
        where="storage.list()",
        why="it is how many keys to list at most",
        next_step="write limit=100",
    ),
    Mistake(
        "an option misspelt",
        in_object("storage.list(startAfter='a')  # here"),
        what="list() has no option 'startAfter'",
        where="storage.list()",
        why="its options are: start, start_after, end, prefix, reverse, limit",
        next_step="did you mean 'start_after'?",
    ),
    Mistake(
        "a method that storage has not",
        in_object("storage.set('a', 1)  # here"),
        what="'Storage' object has no attribute 'set'",
        why="`set` is nothing that storage has in this version",
        next_step="did you mean `get`?",
    ),
    Mistake(
        "kv awaited",
        in_object("await kv.get('a')  # here"),
        what="NoneType",
        why="has its result already",
        next_step="leave `await` out, as with `storage.kv`",
    ),
    Mistake(
        "storage from a thread",
        in_object("with futures.ThreadPoolExecutor() as threads:\n    threads.submit(kv.get, 'a').result()  # here"),
        what="an object's storage was used from another thread",
        where="Counter/a",
        why="objects live on the thread of their loop",
        next_step="let the thread return the value and store it after `await asyncio.to_thread(...)`",
    ),
    Mistake(
        "a value of another type",
        in_object("kv.put('a', 'text')\nkv.get_as(int, 'a')  # here"),
        what="the value is not of the type asked for",
        where='get_as("a")',
        why="Expected `int`, got `str`",
        next_step="read it without a type",
    ),
]

TRANSACTIONS = [
    Mistake(
        "a transaction used after its end",
        in_object("async with storage.transaction() as txn: pass\ntxn.put('a', 1)  # here"),
        what="put() on a transaction that has committed",
        where="Counter/a",
        why="a transaction object is good inside its block only",
        next_step="use `ctx.storage`, or start another transaction",
    ),
    Mistake(
        "a transaction without async",
        in_object("with storage.transaction() as txn: pass  # here"),
        what="a transaction was entered with `with`",
        where="Counter/a",
        why="it spans awaits",
        next_step="write `async with storage.transaction() as txn:`",
    ),
    Mistake(
        "a synchronous transaction with async",
        in_object("async with storage.transaction_sync(): pass  # here"),
        what="transaction_sync() was entered with `async with`",
        where="Counter/a",
        why="it lives within one step",
        next_step="write `with storage.transaction_sync():`",
    ),
    Mistake(
        "an await in a synchronous transaction",
        in_object("with storage.transaction_sync():\n    await asyncio.sleep(1)  # here"),
        what="an await inside transaction_sync() would have waited",
        where="Counter/a",
        why="a savepoint lives within one step",
        next_step="use `async with storage.transaction()`",
    ),
    Mistake(
        "an async body of a synchronous transaction",
        in_object("async def body(): ...\nstorage.transaction_sync(body)  # here"),
        what="transaction_sync() was given an async function",
        where="Counter/a",
        why="nothing of the function was run",
        next_step="use `async with storage.transaction()`",
    ),
    Mistake(
        "everything deleted in a transaction",
        in_object("async with storage.transaction():\n    storage.delete_all()  # here"),
        what="delete_all() was called inside a transaction",
        where="Counter/a",
        why="a rollback could not bring back in part",
        next_step="call it before or after the transaction",
    ),
]

HTTP = [
    Mistake(
        "a body read twice",
        in_worker(
            "posted = Request('http://a/', method='POST', body='x')\nawait posted.text()\nawait posted.text()  # here"
        ),
        what="the body of this Request cannot be",
        why="it was read or handed on before",
        next_step="call clone() before the first read",
    ),
    Mistake(
        "JSON that is none",
        in_worker("await Request('http://a/', method='POST', body='{').json()  # here"),
        what="the body is not JSON",
        why="Input data was truncated",
        next_step="catch ValueMismatch and answer with status 400",
    ),
    Mistake(
        "a relative URL",
        in_worker("Request('/rooms')  # here"),
        what="'/rooms' is not a URL of http or https",
        why="it must be absolute and valid",
        next_step="write https://host/rooms",
    ),
    Mistake(
        "a GET with a body",
        in_worker("Request('http://a/', body='x')  # here"),
        what="a GET request has no body",
        why="servers and caches on the way ignore or refuse one",
        next_step='say method="POST", or leave the body out',
    ),
    Mistake(
        "a line end in a header",
        in_worker("Response('x', headers={'a': 'b\\nc'})  # here"),
        what="the header 'a' cannot be 'b\\nc'",
        why="a value has no line ends",
        next_step="percent-encode it",
    ),
    Mistake(
        "a number as a header",
        in_worker("Response('x', headers={'retry-after': 3})  # here"),
        what="the header 'retry-after' cannot be int",
        why="a header's value is text",
        next_step="write str(3) if that is meant",
    ),
    Mistake(
        "headers as text",
        in_worker("Response('x', headers='a: b')  # here"),
        what="headers cannot be made of str",
        why="each has a name and a value",
        next_step='write {"content-type": "text/html"}',
    ),
    Mistake(
        "received headers changed",
        in_worker("Response.redirect('http://a/').headers['a'] = 'b'  # here"),
        what="these headers cannot be changed",
        why="they were received",
        next_step="copy them first: Headers(request.headers)",
    ),
    Mistake(
        "a status that there is not",
        in_worker("Response('x', 99)  # here"),
        what="a response cannot have the status 99",
        why="below 200 are steps on the way",
        next_step="use 200 to 599",
    ),
    Mistake(
        "text as a status",
        in_worker("Response('x', status='404')  # here"),
        what="a status is an int, not str",
        why="it is one of HTTP's numbers",
        next_step="write 404",
    ),
    Mistake(
        "a body where there is none",
        in_worker("Response('deleted', 204)  # here"),
        what="a response with status 204 has no body",
        why="HTTP has no place for one there",
        next_step="pass None, or use status 200",
    ),
    Mistake(
        "a redirect to a path",
        in_worker("Response.redirect('/login')  # here"),
        what="'/login' is not a URL of http or https",
        why="it must be absolute and valid",
        next_step="write https://host/login",
    ),
    Mistake(
        "a redirect that is none",
        in_worker("Response.redirect('http://a/', 200)  # here"),
        what="200 is no redirect",
        why="no client follows the location of another status",
        next_step="use 301, 302, 303, 307 or 308",
    ),
    Mistake(
        "a dict as a body",
        in_worker("Response({'a': 1})  # here"),
        what="a body cannot be dict",
        why="a body is str, bytes, FormData or an async iterable of these",
        next_step="use Response.from_json(...) for JSON",
    ),
]

COUNTER_WITH_ALARM = "async def alarm(self): pass"

SQL = [
    Mistake(
        "exec awaited",
        in_object("await storage.sql.exec('select 1')  # here"),
        what="object Cursor can't be used in 'await' expression",
        why="a statement has run when `sql.exec` returns",
        next_step="leave `await` out",
    ),
    Mistake(
        "values given as a tuple as in sqlite3",
        in_object("storage.sql.exec('select ?, ?', (1, 2))  # here"),
        what="the statement has 2 parameters and was given one value, a tuple",
        why="`select ?, ?`",
        next_step="exec(query, a, b) or exec(query, *values)",
    ),
    Mistake(
        "a datetime as a value",
        in_object("import datetime; storage.sql.exec('select ?', datetime.datetime.now())  # here"),
        what="value 1 is of type datetime",
        why="takes None, int, float, str, bool and bytes",
        next_step="value.isoformat()",
    ),
    Mistake(
        "too few values",
        in_object("storage.sql.exec('select ?, ?', 1)  # here"),
        what="the statement has 2 parameters and 1 values were given",
        why="`select ?, ?`",
        next_step="give one value for each `?`",
    ),
    Mistake(
        "a name that the statement does not have",
        in_object("storage.sql.exec('select :a', b=1)  # here"),
        what="the statement has a parameter :a and no such value was given",
        why="`select :a` was given b",
        next_step="add a=... to the call",
    ),
    Mistake(
        "a syntax error in SQL",
        in_object("storage.sql.exec('selec 1')  # here"),
        what='near "selec": syntax error: SQLITE_ERROR at offset 0',
        why="SQLITE_ERROR in `selec 1`",
        next_step="only this statement was undone",
    ),
    Mistake(
        "a transaction begun in SQL",
        in_object("storage.sql.exec('begin')  # here"),
        what="not authorized: SQLITE_AUTH",
        why="what a step writes is one unit",
        next_step="use `with storage.transaction_sync():`",
    ),
    Mistake(
        "another database attached",
        in_object("storage.sql.exec(\"attach 'a.db' as a\")  # here"),
        what="not authorized: SQLITE_AUTH",
        why="an object has one database",
        next_step="leave it out",
    ),
    Mistake(
        "an integer of more than 64 bits",
        in_object("storage.sql.exec('select ?', 2**64)  # here"),
        what="an int among the values has more than 64 bits",
        why="SQLite's integers have 64",
        next_step="store it as text",
    ),
    Mistake(
        "one row of none",
        in_object("storage.sql.exec('select 1 where 0').one()  # here"),
        what="one() found no row",
        where="Counter/a",
        why="",
        next_step="use first() for one or None",
    ),
    Mistake(
        "a row of another class",
        in_object("storage.sql.exec_as(int, \"select 'x'\").one()  # here"),
        what="the value is not of the type asked for",
        why="Expected `int`, got `str`",
        next_step="if it was stored in an older shape",
        where="exec_as(int)",
    ),
    Mistake(
        "a column that is not there",
        in_object("storage.sql.exec('select 1 as n').one().m  # here"),
        what="the row has no column 'm'",
        why="it has n",
        next_step="",
    ),
    Mistake(
        "SQL from a thread",
        in_object("await asyncio.to_thread(storage.sql.exec, 'select 1')  # here"),
        what="an object's storage was used from another thread",
        why="objects live on the thread of their loop",
        next_step="store it after `await asyncio.to_thread(...)`",
    ),
    Mistake(
        "a statement that never ends",
        in_object(
            "storage.sql.exec('with recursive n(i) as (select 1 union all select i + 1 from n) select max(i) from n')  # here"
        ),
        what="a statement ran too long and was interrupted: SQLITE_INTERRUPT",
        why="with recursive n(i)",
        next_step="await storage.sql.run(...)",
    ),
]

ALARMS = [
    Mistake(
        "an alarm in seconds",
        in_object("storage.set_alarm(60)  # here").replace("    colour", f"    {COUNTER_WITH_ALARM}\n    colour"),
        what="set_alarm() takes a datetime or a timedelta, not int",
        why="a number could be seconds or milliseconds",
        next_step="set_alarm(timedelta(seconds=60))",
    ),
    Mistake(
        "an alarm at a time without a zone",
        in_object("import datetime; storage.set_alarm(datetime.datetime(2030, 1, 1))  # here").replace(
            "    colour", f"    {COUNTER_WITH_ALARM}\n    colour"
        ),
        what="a datetime without a time zone: 2030-01-01T00:00:00",
        why="it is another moment on every machine",
        next_step="perdure.now() + timedelta(...)",
    ),
    Mistake(
        "an alarm without a handler",
        in_object("import datetime; storage.set_alarm(datetime.timedelta(1))  # here"),
        what="Counter has no alarm handler",
        why="there would be nothing to wake it with",
        next_step="define `async def alarm(self, info)` in the class",
    ),
]

MISTAKES = [*SQL, *ALARMS, *HANDLERS, *BINDINGS, *CALLS, *CONSTRUCTORS, *STORAGE, *TRANSACTIONS, *HTTP]


@pytest.mark.parametrize("mistake", MISTAKES, ids=str)
@pytest.mark.filterwarnings("ignore:coroutine .* was never awaited:RuntimeWarning")  # of a refused one
def test_a_mistake_in_code_is_answered_at_the_users_line(world: WorkersWorld, mistake: Mistake) -> None:
    check(said_by_a_request(world, mistake.program), mistake, world.folder / "hits-0" / "main.py")
