"""Calls that do something other than they seem to: storage in tasks, what blocks the loop, stub calls nobody awaits.

Must stay true: code that does what it says is not reported; where reading is not enough to be sure, nothing is. See
tests/cli/test_check_rules.py.
"""

import ast
from collections.abc import Iterator, Set
from dataclasses import dataclass

from perdure.cli.check_finding import Finding, Rule
from perdure.cli.check_names import BLOCKS, Function, Values, dotted, imported_names, own_nodes

# Storage operations that can be awaited; `transaction` and `sync` are left out: they end a unit by themselves.
STORAGE_OPERATIONS = frozenset(
    {"get", "get_as", "put", "delete", "list", "list_as", "delete_all", "deleteAll"}
    | {"get_alarm", "set_alarm", "delete_alarm", "getAlarm", "setAlarm", "deleteAlarm"}
)
# Each runs what it is given in a task of its own, and waits for the loop in between.
TASK_MAKERS = {
    "asyncio.gather": "asyncio.gather",
    "asyncio.wait": "asyncio.wait",
    "asyncio.create_task": "asyncio.create_task",
    "asyncio.ensure_future": "asyncio.ensure_future",
    "asyncio.as_completed": "asyncio.as_completed",
    "asyncio.shield": "asyncio.shield",
}
WAIT_FOR = "asyncio.wait_for"
# From here on it awaits in place, without a task (API-27).
WAIT_FOR_KEEPS_THE_UNIT_FROM = (3, 12)
MANY_KEYS = "use the form for many keys, as in get([...]) and put({...}), or a transaction"

ON_A_THREAD = "await asyncio.to_thread(...)"
# `open()` is not here: a small local file is read sooner than a thread is found for it, and the watchdog of
# `perdure dev` names the line if it is not.
BLOCKING = {
    "time.sleep": "await asyncio.sleep(...)",
    "os.system": ON_A_THREAD,
    "os.popen": ON_A_THREAD,
    "input": ON_A_THREAD,
    "urllib.request.urlopen": ON_A_THREAD,
    "urllib.request.urlretrieve": ON_A_THREAD,
    "socket.create_connection": "await asyncio.open_connection(...)",
    "socket.getaddrinfo": ON_A_THREAD,
    "socket.gethostbyname": ON_A_THREAD,
    "smtplib.SMTP": ON_A_THREAD,
    "smtplib.SMTP_SSL": ON_A_THREAD,
    **{
        f"subprocess.{name}": "await asyncio.create_subprocess_exec(...)"
        for name in ("run", "call", "check_call", "check_output", "getoutput", "getstatusoutput")
    },
    **{
        f"requests.{name}": ON_A_THREAD
        for name in ("get", "post", "put", "patch", "delete", "head", "options", "request")
    },
    **{
        f"httpx.{name}": "httpx.AsyncClient"
        for name in ("get", "post", "put", "patch", "delete", "head", "options", "request", "stream")
    },
}


@dataclass(frozen=True, slots=True)
class Source:
    """One file of the project."""

    file: str
    """As it is shown."""
    tree: ast.Module
    bindings: Set[str]
    """The names of `env` that are namespaces."""
    on_loop: Set[str]
    """Qualified names of functions that are no `async def` and run on the loop nevertheless: methods, handlers."""
    python: tuple[int, int]


def check_calls(source: Source) -> Iterator[Finding]:
    """The findings of one file, in the order of its text."""
    names = imported_names(source.tree)
    for qualified, function in functions_of(source.tree):
        values = Values(function, source.bindings)
        checker = _Checker(source, names, values)
        runs_on_loop = isinstance(function, ast.AsyncFunctionDef) or qualified in source.on_loop
        yield from checker.check(function, runs_on_loop=runs_on_loop)


def functions_of(tree: ast.AST, prefix: str = "") -> Iterator[tuple[str, Function]]:
    """Every function with its qualified name, as Python writes it."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{prefix}{node.name}", node
            yield from functions_of(node, f"{prefix}{node.name}.<locals>.")
        elif isinstance(node, ast.ClassDef):
            yield from functions_of(node, f"{prefix}{node.name}.")
        elif isinstance(node, BLOCKS):  # not in expressions: they have none, and are sometimes very deep
            yield from functions_of(node, prefix)


class _Checker:
    """Looks at the calls of one function."""

    def __init__(self, source: Source, names: dict[str, str], values: Values) -> None:
        self._source = source
        self._names = names
        self._values = values
        self._task_groups: set[str] = set()
        self._in_transaction: set[ast.AST] = set()

    def check(self, function: Function, *, runs_on_loop: bool) -> Iterator[Finding]:
        for node in own_nodes(function):
            if isinstance(node, ast.AsyncWith):
                self._learn(node)
            elif isinstance(node, ast.Expr) and self._values.is_stub_call(node.value):
                yield self._dropped(node.value)
            elif isinstance(node, ast.FormattedValue | ast.BinOp | ast.Compare):
                yield from self._unawaited(node)
            elif isinstance(node, ast.Call):
                if runs_on_loop:
                    yield from self._blocking(node)
                if node not in self._in_transaction:
                    yield from self._storage_in_task(node)

    def _learn(self, node: ast.AsyncWith) -> None:
        for item in node.items:
            call = item.context_expr
            if isinstance(call, ast.Call) and dotted(call.func, self._names) == "asyncio.TaskGroup":
                if isinstance(item.optional_vars, ast.Name):
                    self._task_groups.add(item.optional_vars.id)
            elif self._values.is_transaction(call):
                self._in_transaction.update(child for each in node.body for child in ast.walk(each))

    def _blocking(self, node: ast.Call) -> Iterator[Finding]:
        called = dotted(node.func, self._names)
        if isinstance(node.func, ast.Name) and node.func.id == "input" and "input" not in self._names:
            called = "input"
        instead = BLOCKING.get(called)
        if instead is not None:
            what = f"{called} holds the loop, and with it every other object and request"
            yield self._finding(Rule.BLOCKING_CALL, node, what, f"write {instead}")

    def _storage_in_task(self, node: ast.Call) -> Iterator[Finding]:
        maker = self._task_maker(node)
        if maker is None:
            return
        for argument in (*node.args, *(each.value for each in node.keywords)):
            for each in _operations_in(argument):
                if isinstance(each.func, ast.Attribute) and (
                    each.func.attr in STORAGE_OPERATIONS and self._values.is_storage(each.func.value)
                ):
                    what = f"{maker} over storage.{each.func.attr}() ends the unit: what was written before it is committed apart"
                    yield self._finding(Rule.STORAGE_IN_TASK, node, what, MANY_KEYS)
                    return

    def _task_maker(self, node: ast.Call) -> str | None:
        called = dotted(node.func, self._names)
        if called == WAIT_FOR:
            return WAIT_FOR if self._source.python < WAIT_FOR_KEEPS_THE_UNIT_FROM else None
        if called in TASK_MAKERS:
            return TASK_MAKERS[called]
        function = node.func
        if isinstance(function, ast.Attribute) and function.attr == "create_task":
            owner = function.value
            if isinstance(owner, ast.Name) and owner.id in self._task_groups:
                return "TaskGroup.create_task"
        return None

    def _dropped(self, node: ast.AST) -> Finding:
        what = f"nobody waits for {_shown(node)}: its result and its error are dropped"
        return self._finding(Rule.DROPPED_CALL, node, what, "await it, or hand it to ctx.wait_until(...)")

    def _unawaited(self, node: ast.FormattedValue | ast.BinOp | ast.Compare) -> Iterator[Finding]:
        if isinstance(node, ast.FormattedValue):
            used = [node.value]
        elif isinstance(node, ast.BinOp):
            used = [node.left, node.right]
        else:
            used = [node.left, *node.comparators]
        for each in used:
            if self._values.is_stub_call(each):
                what = f"{_shown(each)} is used as if it were the result, which comes later"
                yield self._finding(Rule.UNAWAITED_CALL, each, what, "await it")

    def _finding(self, rule: Rule, node: ast.AST, what: str, fix: str) -> Finding:
        return Finding(rule, False, what, fix, self._source.file, getattr(node, "lineno", 0))


def _operations_in(node: ast.AST) -> Iterator[ast.Call]:
    """Calls whose results are handed on as they are: in lists, starred, in comprehensions; not what other calls are given."""
    if isinstance(node, ast.Call):
        yield node
    elif isinstance(node, ast.ListComp | ast.GeneratorExp | ast.SetComp):
        yield from _operations_in(node.elt)
    elif isinstance(node, ast.Starred):
        yield from _operations_in(node.value)
    elif isinstance(node, ast.List | ast.Tuple | ast.Set):
        for each in node.elts:
            yield from _operations_in(each)
    elif isinstance(node, ast.IfExp):
        yield from _operations_in(node.body)
        yield from _operations_in(node.orelse)


def _shown(node: ast.AST) -> str:
    text = ast.unparse(node.func) if isinstance(node, ast.Call) else ast.unparse(node)
    return f"{text}(...)"
