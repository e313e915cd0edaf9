"""`[[migrations]]`: from tables to entries, and what their fold says about the classes that are bound.

Must stay true: an entry means what it says or is reported; a bound class exists, or the way to make it exist is shown
(DOB-7). The decisions are those of core/migrations.py. See tests/config/test_migration_list.py.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from perdure.config.bindings import BoundClass
from perdure.config.key_path import KeyPath
from perdure.config.known_keys import MIGRATION_KEYS
from perdure.config.problem import Findings
from perdure.config.project import ClassDecl
from perdure.config.shape import class_name_at, required_text, tables_at, wrong_shape
from perdure.config.snippet import Entry, Line, Section
from perdure.core.migrations import Departure, Folded, Irregular, Migration, Remark, Rename, StorageKind, Transfer, fold

_EXAMPLE = Section("migrations", [{"tag": "v1", "new_sqlite_classes": ["Room"]}])
_RENAME_EXAMPLE = Line("renamed_classes", [{"from": "OldName", "to": "NewName"}])
_TRANSFER_EXAMPLE = Line("transferred_classes", [{"from": "Room", "from_script": "other-worker", "to": "Room"}])


def read_migrations(data: Mapping[str, Any], findings: Findings) -> tuple[Migration, ...]:
    """The entries; what is wrong with one is reported, and the rest of it is read."""
    if "migrations" not in data:
        return ()
    entries = tables_at(("migrations",), data["migrations"], _EXAMPLE, findings)
    tags: dict[str, KeyPath] = {}
    migrations: list[Migration] = []
    for path, table in entries:
        tag = required_text(path, table, "tag", _next_tag(data), findings, near=tuple(MIGRATION_KEYS))
        if tag is not None and tag in tags:
            findings.error(
                (*path, "tag"),
                f'is "{tag}" again, as on line {findings.document.line_of(tags[tag])}: a tag is applied once',
                "give this entry a tag of its own",
                Line("tag", _next_tag(data)),
            )
        tags.setdefault(tag or "", (*path, "tag"))
        migrations.append(
            Migration(
                tag or "",
                new_classes=_classes(path, table, "new_classes", findings),
                new_sqlite_classes=_classes(path, table, "new_sqlite_classes", findings),
                renamed_classes=_renames(path, table, findings),
                deleted_classes=_classes(path, table, "deleted_classes", findings),
                transferred_classes=_transfers(path, table, findings),
            )
        )
    return tuple(migrations)


def read_classes(
    data: Mapping[str, Any], migrations: Sequence[Migration], bound: Sequence[BoundClass], findings: Findings
) -> dict[str, ClassDecl]:
    """Every class that exists: by the fold of the entries, or because it is bound (MIG-40). What is odd is reported."""
    folded = fold(migrations)
    for remark in folded.remarks:
        _report(remark, migrations, findings)
    classes = {name: ClassDecl(name, kind) for name, kind in folded.classes.items()}
    unmentioned: dict[str, BoundClass] = {}
    for each in bound:
        name = each.binding.class_name
        if name in folded.departed:
            _report_departed(each, folded.departed[name], migrations, findings)
        elif name not in classes:
            unmentioned.setdefault(name, each)
    exported = data.get("exports")
    for name in unmentioned:
        classes[name] = ClassDecl(name, StorageKind.SQLITE)
    undeclared = [
        each for name, each in unmentioned.items() if not (isinstance(exported, Mapping) and name in exported)
    ]
    if undeclared:
        _warn_undeclared(data, undeclared, folded, bound, findings)
    return classes


# Shapes


def _classes(path: KeyPath, table: Mapping[str, Any], key: str, findings: Findings) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list):
        better = [value] if isinstance(value, str) else ["Room"]
        wrong_shape((*path, key), value, "a list of class names", Line(key, better), findings)
        return ()
    names: list[str] = []
    for position, each in enumerate(value):
        name = class_name_at((*path, key, position), each, findings)
        if name in names:
            findings.error((*path, key, position), f"names {name} a second time", "remove it")
        elif name is not None:
            names.append(name)
    return tuple(names)


def _renames(path: KeyPath, table: Mapping[str, Any], findings: Findings) -> tuple[Rename, ...]:
    path = (*path, "renamed_classes")
    found: list[Rename] = []
    for place, each in tables_at(path, table.get("renamed_classes", []), _RENAME_EXAMPLE, findings):
        source = _directive_class(place, each, "from", "OldName", findings)
        target = _directive_class(place, each, "to", "NewName", findings)
        if source is None or target is None:
            continue
        if source == target:
            findings.error(place, f"renames {source} to itself", "remove it")
        elif source in [other.source for other in found]:
            findings.error(place, f"renames {source} a second time", "keep the one that is right")
        elif target in [other.target for other in found]:
            findings.error(place, f"renames a second class to {target}", "each class needs a name of its own")
        else:
            found.append(Rename(source, target))
    return tuple(found)


def _transfers(path: KeyPath, table: Mapping[str, Any], findings: Findings) -> tuple[Transfer, ...]:
    path = (*path, "transferred_classes")
    found: list[Transfer] = []
    for place, each in tables_at(path, table.get("transferred_classes", []), _TRANSFER_EXAMPLE, findings):
        script = required_text(place, each, "from_script", "other-worker", findings)
        source = _directive_class(place, each, "from", "Room", findings)
        target = _directive_class(place, each, "to", "Room", findings)
        if script is not None and source is not None and target is not None:
            found.append(Transfer(script, source, target))
    return tuple(found)


def _directive_class(path: KeyPath, table: Mapping[str, Any], key: str, example: str, findings: Findings) -> str | None:
    text = required_text(path, table, key, example, findings)
    return None if text is None else class_name_at((*path, key), text, findings)


# What the fold says


def _report(remark: Remark, migrations: Sequence[Migration], findings: Findings) -> None:
    path: KeyPath = ("migrations", remark.entry, remark.key, remark.item)
    name = remark.class_name
    entry = migrations[remark.entry]
    match remark.irregular:
        case Irregular.CREATES_EXISTING:
            findings.error(path, f"creates {name}, which exists already", "remove it from this entry")
        case Irregular.RENAMES_UNKNOWN:
            rename = entry.renamed_classes[remark.item]
            findings.error(
                path,
                f"renames {name}, which no earlier entry creates",
                f"correct `from`, or if {rename.target} is a new class, write",
                Line("new_sqlite_classes", [rename.target]),
            )
        case Irregular.RENAMES_ONTO_EXISTING:
            rename = entry.renamed_classes[remark.item]
            findings.error(
                path,
                f"renames {rename.source} to {name}, which exists already, and objects of two classes cannot be one",
                f"remove {name} from the new classes; or, to lose what {name} has stored, add to this entry",
                Line("deleted_classes", [name]),
            )
        case Irregular.DELETES_UNKNOWN:
            findings.warning(path, f"deletes {name}, which no earlier entry creates, so nothing is deleted")
        case Irregular.TRANSFERS:
            script = entry.transferred_classes[remark.item].source_script
            what = f"takes over objects of {script}: other Workers come later, so {name} begins without them"
            findings.warning(path, what)


def _report_departed(
    bound: BoundClass, departure: Departure, migrations: Sequence[Migration], findings: Findings
) -> None:
    name, tag = bound.binding.class_name, migrations[departure.entry].tag
    path = (*bound.path, "class_name")
    if departure.renamed_to is not None:
        findings.error(
            path,
            f'is {name}, which the migration "{tag}" renames to {departure.renamed_to}',
            "write",
            Line("class_name", departure.renamed_to),
        )
    else:
        findings.error(
            path, f'is {name}, which the migration "{tag}" deletes', "remove the binding, or the class from that entry"
        )


def _warn_undeclared(
    data: Mapping[str, Any],
    undeclared: Sequence[BoundClass],
    folded: Folded,
    bound: Sequence[BoundClass],
    findings: Findings,
) -> None:
    names = [each.binding.class_name for each in undeclared]
    what = f"is {names[0]}, which no migration creates: here it works all the same, on a server it would not"
    if len(names) > 1:
        listed = f"{', '.join(names[:-1])} and {names[-1]}"
        what = (
            f"is {names[0]}, and no migration creates {listed}: here they work all the same, on a server they would not"
        )
    is_first = not data.get("migrations")
    used = {each.binding.class_name for each in bound}
    idle = [name for name in folded.classes if name not in used]
    renamed = ""
    if len(names) == 1 and len(idle) == 1:
        (rename,) = findings.document.format.lines(Line("renamed_classes", [{"from": idle[0], "to": names[0]}]))
        renamed = f" (if {names[0]} is the new name of {idle[0]}: with {rename} as the last line)"
    findings.warning(
        (*undeclared[0].path, "class_name"),
        what,
        f"add {findings.document.format.entry_place('migrations', is_first=is_first)}{renamed}",
        Entry("migrations", {"tag": _next_tag(data), "new_sqlite_classes": names}, is_first=is_first),
    )


def _next_tag(data: Mapping[str, Any]) -> str:
    entries = data.get("migrations")
    tags = [each.get("tag") for each in entries if isinstance(each, Mapping)] if isinstance(entries, list) else []
    number = len(tags) + 1
    while f"v{number}" in tags:
        number += 1
    return f"v{number}"
