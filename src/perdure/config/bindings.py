"""`durable_objects.bindings`: under which names of `env` a Worker reaches which classes.

Must stay true: a name stands for one thing only, whatever kinds of bindings there are (DOB-5). See
tests/config/test_bindings.py.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from perdure.config.key_check import nearest
from perdure.config.key_path import KeyPath
from perdure.config.known_keys import BINDING_KEYS
from perdure.config.problem import Findings
from perdure.config.project import ObjectBinding
from perdure.config.shape import class_name_at, is_identifier, required_text, table_at, tables_at, text_at
from perdure.config.snippet import Section

_EXAMPLE = Section("durable_objects", {"bindings": [{"name": "ROOM", "class_name": "Room"}]})
# Of the kinds that are not supported yet: their names are taken all the same, so that no file breaks once they are.
_LISTED_KINDS = {
    "kv_namespaces": "a KV namespace",
    "services": "a service",
    "r2_buckets": "a bucket",
    "d1_databases": "a database",
}


@dataclass(frozen=True, slots=True)
class BoundClass:
    """A binding to a class of this Worker, and where it stands."""

    binding: ObjectBinding
    path: KeyPath


@dataclass(frozen=True, slots=True)
class _Named:
    path: KeyPath
    kind: str


def read_bindings(data: Mapping[str, Any], worker: str | None, findings: Findings) -> list[BoundClass]:
    """The object bindings; what cannot be one is reported and left out."""
    if "durable_objects" not in data:
        return []
    section = table_at(("durable_objects",), data["durable_objects"], _EXAMPLE, findings)
    if section is None:
        return []
    path: KeyPath = ("durable_objects", "bindings")
    if "bindings" not in section:
        slip = next((key for key in section if nearest(key, ("bindings",))), None)
        what = f"is missing: it is written `{slip}` here" if slip else "is missing"
        findings.error(path, what, "write", _EXAMPLE)
        return []
    bound: list[BoundClass] = []
    for place, table in tables_at(path, section["bindings"], _EXAMPLE, findings):
        binding = _read_binding(place, table, worker, findings)
        if binding is not None:
            bound.append(BoundClass(binding, place))
    return bound


def _read_binding(
    path: KeyPath, table: Mapping[str, Any], worker: str | None, findings: Findings
) -> ObjectBinding | None:
    name = required_text(path, table, "name", "ROOM", findings, near=tuple(BINDING_KEYS))
    class_name = required_text(path, table, "class_name", "Room", findings, near=tuple(BINDING_KEYS))
    if class_name is not None:
        class_name = class_name_at((*path, "class_name"), class_name, findings)
    is_elsewhere = _names_another_worker(path, table, worker, findings)
    if name is None or class_name is None or is_elsewhere:
        return None
    return ObjectBinding(name, class_name)


def _names_another_worker(path: KeyPath, table: Mapping[str, Any], worker: str | None, findings: Findings) -> bool:
    """Whether the binding is for another Worker's class (or cannot be read), which is reported (DOB-1 to DOB-4, ENV-8)."""
    environment = None
    if "environment" in table:
        environment = text_at((*path, "environment"), table["environment"], "staging", findings)
        if "script_name" not in table:
            findings.error(
                (*path, "environment"), "says nothing without `script_name`", "remove it, or add the Worker's name"
            )
    if "script_name" not in table:
        return "environment" in table
    script = text_at((*path, "script_name"), table["script_name"], worker or "my-worker", findings)
    if script is None:
        return True
    if environment is not None:
        script = f"{script}-{environment}"
    # Without a name of its own the Worker cannot be told from others; that the name is missing is said already.
    if worker is None or script == worker:
        return False
    findings.error(
        (*path, "script_name"),
        f'is "{script}", another Worker than this one, "{worker}": bindings to classes of other Workers come later',
        "for a class of this Worker remove `script_name`",
    )
    return True


def check_names(
    data: Mapping[str, Any],
    variables: Mapping[str, Any],
    required: Sequence[str],
    bound: Sequence[BoundClass],
    findings: Findings,
) -> None:
    """Report names that stand for two things, and warn of those that cannot be written after `env.`."""
    first: dict[str, _Named] = {}
    for name, named in _names(data, variables, required, bound):
        if name not in first:
            first[name] = named
            if not is_identifier(name) or name.startswith("__"):
                findings.warning(
                    named.path,
                    f'is "{name}", which cannot be written after `env.`',
                    f"the code has to say env[{json.dumps(name)}]; a name like {_attribute_name(name)} reads better",
                )
            continue
        other = first[name]
        line = findings.document.line_of(other.path)
        place = f" of line {line}" if line else ""
        what = f'is the second {named.kind} called "{name}" (the first: line {line})'
        if other.kind != named.kind:
            what = f'is {_an(named.kind)} called "{name}", and so is {_an(other.kind)}{place}'
        findings.error(named.path, what, "give one of them another name: each is one attribute of env")


def _names(
    data: Mapping[str, Any], variables: Mapping[str, Any], required: Sequence[str], bound: Sequence[BoundClass]
) -> Iterator[tuple[str, _Named]]:
    for name in variables:
        yield name, _Named(("vars", name), "variable")
    for position, name in enumerate(required):
        yield name, _Named(("secrets", "required", position), "secret")
    for each in bound:
        yield each.binding.name, _Named((*each.path, "name"), "object binding")
    for section, kind in _LISTED_KINDS.items():
        items = data.get(section)
        for position, item in enumerate(items if isinstance(items, list) else ()):
            taken = item.get("binding") if isinstance(item, Mapping) else None
            if isinstance(taken, str):
                yield taken, _Named((section, position, "binding"), kind.removeprefix("a "))


def _an(kind: str) -> str:
    return f"an {kind}" if kind[0] in "aeio" else f"a {kind}"


def _attribute_name(name: str) -> str:
    plain = "".join(each if each.isascii() and each.isalnum() else "_" for each in name).strip("_")
    return (plain if is_identifier(plain) else f"VAR_{plain}").upper()
