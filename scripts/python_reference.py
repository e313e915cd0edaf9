"""Writes docs/reference/python.md: every public name as it is declared, with what its docstring says.

    python scripts/python_reference.py

Signatures are those of tests/surface/declared.pyi, which the package is held to; what is declared for later is left out.
tests/docs/test_python_reference.py fails while the page is stale, or a name is missing or has nothing to say for itself.
"""

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import perdure

PAGE = Path("docs/reference/python.md")
SURFACE = Path(__file__).parents[1] / "tests" / "surface"
DECLARED = (SURFACE / "declared.pyi").read_text()
HEAD = """\
# Public names

<!-- Made by scripts/python_reference.py from the docstrings; change those, not this page. -->

All of this is imported from `perdure`. What is not here may move on any day. API-1 and its like are the numbers of the rules by
which tests hold it.
"""
_TREE = ast.parse(DECLARED)
_LATER = frozenset((SURFACE / "later.txt").read_text().splitlines())
_ALIASES = frozenset((SURFACE / "aliases.txt").read_text().splitlines())
GROUPS = {
    "Objects": ["DurableObject", "State", "Limits", "ObjectId", "ObjectInfo"],
    "Workers": ["WorkerEntrypoint", "ExecutionContext", "Env", "Secret"],
    "Reaching objects": ["Namespace", "Stub", "stub_of", "Remote", "Op"],
    "Storage": ["Storage", "SyncKv", "Transaction", "Keys", "Value"],
    "SQL": ["SqlStorage", "Cursor", "Row", "SqlValue", "SchemaStep"],
    "Alarms": ["AlarmInfo", "When"],
    "Requests and responses": ["Request", "Response", "Headers", "HeadersInit", "Query", "FormData", "File", "Body"],
    "In your own program": ["open", "Opening", "Runtime", "Objects", "asgi", "ASGIApp", "LogContext"],
    "Time": ["now", "monotonic"],
    "Values of JavaScript": ["Map", "Undefined", "UNDEFINED"],
}
# Hooks that are declared, and that nothing calls yet.
LATER_HOOKS = {"scheduled", "websocket_message", "websocket_close", "websocket_error"}
# Parameters likewise.
LATER_PARAMETERS = {("Response", "web_socket")}
# What Python keeps no docstring of: aliases of types, attributes and hooks that are only annotated; and a few plain properties.
ABOUT = {
    "ASGIApp": "An application as an ASGI server calls it.",
    "Body": "What may be the body of a request or a response: text, bytes, a form, an asynchronous iterable, or None.",
    "DurableObject.alarm": (
        "Yours to define, `async` or not, with `info`, an AlarmInfo: runs when the object's alarm is due. Alias: `on_alarm`."
    ),
    "DurableObject.schema": (
        "Yours to set: the steps that make the object's tables, as SQL or as functions that take `sql`, or a folder of `*.sql`"
        " files (API-43)."
    ),
    "DurableObject.ctx": "The object's state: its id, its storage, its critical sections.",
    "DurableObject.env": "The Worker's bindings and variables.",
    "DurableObject.fetch": "Yours to define, `async` or not, with `request`: answers a request that the object was sent.",
    "DurableObject.pre_shutdown": (
        'Yours to define, with `reason`, which is "stop", "inactive" or "update": is to run before the instance goes, for at '
        "most 10 s (API-7). Nothing calls it yet. Alias: `preShutdown`."
    ),
    "File.content": "All of it.",
    "File.content_type": "Its media type.",
    "File.name": "As the sender calls it.",
    "HeadersInit": "What headers are made from: a mapping, or pairs.",
    "Keys": "Many keys: a list, a tuple or a set. Not a text, whose characters would each be one.",
    "ObjectInfo.class_name": "The class of the object.",
    "ObjectInfo.id": "Its id.",
    "ObjectInfo.last_written": "When it last stored something.",
    "Objects": "Object classes, or a mapping from the name of a binding to its class.",
    "Op.done": "Whether there is a result or an error.",
    "Request.body_used": "Whether the body was read, or given away.",
    "Request.headers": "Its headers; immutable if it was received.",
    "Request.redirect": "Whether redirects are to be followed.",
    "Response.body_used": "Whether the body was read, or given away.",
    "Response.headers": "Its headers; immutable if it was received.",
    "Response.redirected": "Whether a redirect led to it.",
    "Response.status": "The status code.",
    "Response.status_text": "The words behind the status code.",
    "SchemaStep": "One step of a schema: text of SQL, or a function that takes `sql`.",
    "SqlValue": "What SQL stores: None, int, float, str, bytes; bool as 0 and 1.",
    "When": "An aware datetime, or a timedelta from now.",
    "State.storage": "What the object keeps.",
    "Stub.id": "The id of the object.",
    "UNDEFINED": "JavaScript's `undefined`, in data that came from there.",
    "Value": "What can be stored and sent: see [values](../values.md). Checked when the program runs.",
    "WorkerEntrypoint.ctx": "The invocation's own.",
    "WorkerEntrypoint.env": "The Worker's bindings and variables.",
    "WorkerEntrypoint.fetch": "Yours to define, `async` or not, with `request`: answers a request.",
}
# Where a docstring names its source in papers that readers do not have.
SOURCE = re.compile(r"\s*(?:\(runtime [\d.]+\)|Source: [^.]*(?:\.\d+)?\.(?=\s|$))")
ALIAS = re.compile(r"^Alias: `\w+`\.$")


def page() -> str:
    """The whole text."""
    parts = [HEAD]
    for title, names in GROUPS.items():
        parts.append(f"## {title}\n")
        parts += [_entry(name) for name in names]
    parts.append("## Errors\n")
    parts += [_error(name) for name in errors()]
    return "\n".join(parts) + "\n"


def errors() -> list[str]:
    """The public exceptions, by name."""
    return sorted(name for name in perdure.__all__ if _is_error(getattr(perdure, name)))


def undocumented() -> list[str]:
    """Public names and their members that have nothing to say for themselves."""
    names = [name for group in GROUPS.values() for name in group]
    empty = [name for name in [*names, *errors()] if not _about(name)]
    return empty + [
        f"{name}.{member}" for name in names for member, _, about in _members(name) if not ALIAS.sub("", about)
    ]


def _is_error(value: object) -> bool:
    return inspect.isclass(value) and issubclass(value, BaseException)


def _about(name: str) -> str:
    return ABOUT.get(name) or _doc(getattr(perdure, name))


def _doc(value: object) -> str:
    text = vars(value).get("__doc__") if inspect.isclass(value) else getattr(value, "__doc__", None)
    return SOURCE.sub("", inspect.cleandoc(text or ""))


def _entry(name: str) -> str:
    shown = [f"### `{name}`", ""]
    signatures = _made_by(name)
    if signatures:
        shown += ["```text", *signatures, "```", ""]
    shown += [_about(name), ""]
    rows = [_row(forms, about) for _, forms, about in _members(name)]
    if rows:
        shown += ["| member | meaning |", "| --- | --- |", *rows, ""]
    return "\n".join(shown)


def _error(name: str) -> str:
    kind = getattr(perdure, name)
    code = getattr(kind, "code", None)  # ObjectAborted has none
    link = f", [{code}](../errors/{code}.md)" if code else ""
    first, _, _ = _doc(kind).partition("\n\n")
    return f"- `{name}`{link}: {_line(first)}"


def _row(signatures: list[str], about: str) -> str:
    shown = "<br>".join(f"`{each}`" for each in signatures).replace("|", "\\|")
    return f"| {shown} | {_line(about)} |"


def _line(text: str) -> str:
    return " ".join(text.split()).replace("|", "\\|")


def _made_by(name: str) -> list[str]:
    """How a function is called, or an instance of a class is made, if programs make any."""
    found = [node for node in _TREE.body if getattr(node, "name", "") == name]
    functions = [node for node in found if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for node in found:
        if isinstance(node, ast.ClassDef):
            functions += [each for each in _functions(node) if each.name == "__init__"]
    return [_signature(name, each) for each in functions]


def _functions(node: ast.ClassDef) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for each in node.body:
        if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef):
            yield each


def _members(name: str) -> Iterator[tuple[str, list[str], str]]:
    """Name, signatures and text of each member that is there, those of private bases included."""
    signatures: dict[str, list[str]] = {}
    comments: dict[str, str] = {}
    for node in _declared_in(name):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            member, shown = node.target.id, f"{node.target.id}: {ast.unparse(node.annotation)}"
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            member = node.name
            is_property = any(isinstance(each, ast.Name) and each.id == "property" for each in node.decorator_list)
            returned = f": {ast.unparse(node.returns)}" if node.returns else ""
            shown = _plain(member + returned) if is_property else _signature(member, node)
        else:
            continue
        if member.startswith("_") or f"{name}.{member}" in _LATER or member in LATER_HOOKS:
            continue
        signatures.setdefault(member, []).append(shown)
        comments[member] = comments.get(member) or _comment(node)
    for member, forms in signatures.items():
        about = ABOUT.get(f"{name}.{member}") or _member_doc(name, member) or comments[member]
        yield member, forms, " ".join(filter(None, [about, _aliases(name, member)]))


def _declared_in(name: str) -> Iterator[ast.stmt]:
    for node in _TREE.body:
        if isinstance(node, ast.ClassDef) and node.name == name:
            yield from node.body
            for base in node.bases:
                if isinstance(base, ast.Name) and (base.id.startswith("_") or base.id in GROUPS["Reaching objects"]):
                    yield from _declared_in(base.id)


def _member_doc(name: str, member: str) -> str:
    cls = getattr(perdure, name)
    value = inspect.getattr_static(cls, member, None)
    if isinstance(value, property):
        return _doc(value.fget)
    if isinstance(value, staticmethod | classmethod) or inspect.isfunction(value):
        return _doc(getattr(value, "__func__", value))
    return next((text for owner in cls.__mro__ if (text := _below_field(owner, member))), "")


def _below_field(owner: type[Any], member: str) -> str:
    """The text below an annotated attribute, which Python does not keep."""
    if not owner.__module__.startswith("perdure"):
        return ""
    (node,) = ast.parse(inspect.getsource(owner)).body
    assert isinstance(node, ast.ClassDef)
    for statement, following in zip(node.body, node.body[1:], strict=False):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            text = following.value if isinstance(following, ast.Expr) else None
            if statement.target.id == member and isinstance(text, ast.Constant):
                return inspect.cleandoc(str(text.value))
    return ""


def _comment(node: ast.stmt) -> str:
    """What the declaration says behind its last line."""
    line = DECLARED.splitlines()[(node.end_lineno or 1) - 1]
    text = line.partition("  # ")[2].strip()
    return f"{text[:1].upper()}{text[1:]}." if text else ""


def _aliases(name: str, member: str) -> str:
    """Cloudflare's spelling, where it is the same word in other letters."""
    alias = re.sub("_([a-z])", lambda found: found[1].upper(), member)
    return f"Alias: `{alias}`." if alias != member and f"{name}.{alias}" in _ALIASES else ""


def _signature(name: str, node: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    named = zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True)
    kept = [(each, default) for each, default in named if (name, each.arg) not in LATER_PARAMETERS]
    shown = ast.arguments(
        posonlyargs=[each for each in node.args.posonlyargs if each.arg != "self"],
        args=[each for each in node.args.args if each.arg != "self"],
        vararg=node.args.vararg,
        kwonlyargs=[each for each, _ in kept],
        kw_defaults=[default for _, default in kept],
        kwarg=node.args.kwarg,
        defaults=node.args.defaults,
    )
    arguments = re.sub(r"(?<=[\w\])])=(?=\S)", " = ", ast.unparse(shown))
    returned = ast.unparse(node.returns) if node.returns else "None"
    waits = "await " if isinstance(node, ast.AsyncFunctionDef) else ""
    return _plain(f"{waits}{name}({arguments})" + ("" if returned == "None" else f" -> {returned}"))


def _plain(text: str) -> str:
    """The declaration calls the type so, where `bytes` is a method."""
    return re.sub(r"\b_bytes\b", "bytes", text)


if __name__ == "__main__":
    PAGE.write_text(page())
