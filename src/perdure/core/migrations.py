"""Migrations: what a list of them amounts to, and what it changes in a data folder.

Must stay true: the data of a class follows its renames, however many entries are applied at a time; a tag is never applied
twice, and an unknown one never leads to a replay; no data goes except by `deleted_classes`. See
tests/core/test_migrations.py.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Generic, TypeVar

from perdure.model.errors import ConfigError

T = TypeVar("T")


class StorageKind(Enum):
    """What a class was declared with. Every class can do everything whichever it is (MIG-8); it is recorded and shown."""

    SQLITE = "sqlite"
    KEY_VALUE = "key-value"


@dataclass(frozen=True, slots=True)
class Rename:
    """Objects of `source` become objects of `target`: same ids, same data."""

    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Transfer:
    """Objects of another Worker's class become objects of `target` here."""

    source_script: str
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class Migration:
    """One entry of the list, applied as one step: deletes first, then renames all at once, then transfers and creates."""

    tag: str
    new_classes: tuple[str, ...] = ()
    new_sqlite_classes: tuple[str, ...] = ()
    renamed_classes: tuple[Rename, ...] = ()
    deleted_classes: tuple[str, ...] = ()
    transferred_classes: tuple[Transfer, ...] = ()


class Irregular(Enum):
    """What may be odd about a directive, given the classes that it meets."""

    CREATES_EXISTING = auto()
    RENAMES_UNKNOWN = auto()
    RENAMES_ONTO_EXISTING = auto()
    DELETES_UNKNOWN = auto()
    TRANSFERS = auto()


@dataclass(frozen=True, slots=True)
class Remark:
    """Something irregular: `entry` and `item` are positions in the list and in the directive `key`."""

    irregular: Irregular
    entry: int
    key: str
    item: int
    class_name: str
    """The class that is there already, or is not there."""


@dataclass(frozen=True, slots=True)
class Departure:
    """How a class left the list."""

    entry: int
    renamed_to: str | None
    """None: deleted."""


@dataclass(frozen=True, slots=True)
class Folded:
    """What a whole list amounts to."""

    classes: Mapping[str, StorageKind]
    """The classes that exist after it."""
    departed: Mapping[str, Departure]
    """Those that an entry deleted or renamed, and that do not exist after the list."""
    remarks: tuple[Remark, ...]


@dataclass(frozen=True, slots=True)
class MigrationPlan:
    """What the pending entries change in a data folder, to be done at once: deletes, then renames, then creates."""

    creates: Sequence[str] = ()
    """Classes that get a new namespace."""
    renames: Sequence[tuple[str, str]] = ()
    """(from, to): the namespace stays, under another class. All at once: two may swap."""
    deletes: Sequence[str] = ()
    """Classes whose namespace goes, with everything in it."""
    new_tag: str | None = None
    """Up to where the Worker has migrated then; None: no change."""


def fold(entries: Sequence[Migration]) -> Folded:
    """Which classes a list leads to, from nothing (MIG-39). What is odd about it is in `remarks`; it never raises."""
    classes: dict[str, StorageKind] = {}
    departed: dict[str, Departure] = {}
    remarks: list[Remark] = []
    for position, entry in enumerate(entries):
        remarks += _Step(classes, lambda kind: kind, entry, position).apply()
        departed.update({name: Departure(position, None) for name in entry.deleted_classes})
        departed.update({each.source: Departure(position, each.target) for each in entry.renamed_classes})
        departed = {name: departure for name, departure in departed.items() if name not in classes}
    return Folded(classes, departed, tuple(remarks))


def pending(entries: Sequence[Migration], applied_tag: str | None, *, where: str = "") -> Sequence[Migration]:
    """The entries after `applied_tag`; all, if nothing was applied yet.

    where: the configuration, for the message. Raises ConfigError if the list does not have that tag (MIG-9, MIG-11): what
    was applied before cannot be known then, and applying the list from its start would harm the data.
    """
    if applied_tag is None:
        return entries
    tags = [entry.tag for entry in entries]
    if applied_tag in tags:
        return entries[tags.index(applied_tag) + 1 :]
    raise ConfigError(
        what=f'the data is at the migration "{applied_tag}", which the configuration does not have',
        where=where,
        why=f"its tags are: {', '.join(tags) or 'none'}",
        next_step=(
            f'put the [[migrations]] entry with tag = "{applied_tag}" back, '
            "or start with other data: perdure dev --persist-to FOLDER"
        ),
    )


def plan(
    existing: Iterable[str],
    entries: Sequence[Migration],
    applied_tag: str | None,
    classes: Iterable[str] = (),
    *,
    where: str = "",
) -> MigrationPlan:
    """What to change where the classes `existing` have namespaces and `applied_tag` was the last entry applied.

    classes: must exist afterwards whatever the list says (MIG-40: a bound class that no entry mentions). A class that an
    entry creates and that is there already is taken as it is: it was made that way before the entry was written.
    Raises ConfigError if the tag is unknown, or if a rename would put two classes' objects into one.
    """
    remaining = pending(entries, applied_tag, where=where)
    origins: dict[str, str | None] = {name: name for name in existing}
    before = tuple(origins)
    problems: list[str] = []
    for entry in remaining:
        for remark in _Step(origins, _from_nothing, entry, 0).apply():
            if remark.irregular is Irregular.RENAMES_ONTO_EXISTING:
                problems.append(_two_in_one(entry, entry.renamed_classes[remark.item]))
    if problems:
        raise ConfigError(
            what="the migrations cannot be applied to the data that is there", where=where, problems=problems
        )
    for name in classes:
        origins.setdefault(name, None)
    kept = set(origins.values())
    return MigrationPlan(
        creates=tuple(name for name, origin in origins.items() if origin is None),
        renames=tuple((origin, name) for name, origin in origins.items() if origin is not None and origin != name),
        deletes=tuple(name for name in before if name not in kept),
        new_tag=remaining[-1].tag if remaining else None,
    )


def _from_nothing(kind: StorageKind) -> None:
    return None


def _two_in_one(entry: Migration, rename: Rename) -> str:
    return (
        f'the migration "{entry.tag}" renames {rename.source} to {rename.target}, but both have objects here; '
        f"to keep those of {rename.source} and lose those of {rename.target}, add to that entry: "
        f'deleted_classes = ["{rename.target}"]'
    )


@dataclass(slots=True)
class _Step(Generic[T]):
    """One entry, applied to `classes`, whatever is known of each. It goes on after anything irregular, as if it were meant."""

    classes: dict[str, T]
    created: Callable[[StorageKind], T]
    entry: Migration
    position: int
    remarks: list[Remark] = field(default_factory=list)

    def apply(self) -> list[Remark]:
        for item, name in enumerate(self.entry.deleted_classes):
            if name in self.classes:
                del self.classes[name]
            else:
                self._remark(Irregular.DELETES_UNKNOWN, "deleted_classes", item, name)
        self._rename()
        for item, transfer in enumerate(self.entry.transferred_classes):
            self._remark(Irregular.TRANSFERS, "transferred_classes", item, transfer.target)
            self._create(transfer.target, StorageKind.SQLITE, "transferred_classes", item)
        for item, name in enumerate(self.entry.new_classes):
            self._create(name, StorageKind.KEY_VALUE, "new_classes", item)
        for item, name in enumerate(self.entry.new_sqlite_classes):
            self._create(name, StorageKind.SQLITE, "new_sqlite_classes", item)
        return self.remarks

    def _rename(self) -> None:
        # Every source leaves before any target is taken: the order inside an entry says nothing, and two may swap.
        moving: dict[int, T] = {}
        for item, rename in enumerate(self.entry.renamed_classes):
            if rename.source in self.classes:
                moving[item] = self.classes.pop(rename.source)
            else:
                self._remark(Irregular.RENAMES_UNKNOWN, "renamed_classes", item, rename.source)
        for item, rename in enumerate(self.entry.renamed_classes):
            if item not in moving:
                self.classes.setdefault(rename.target, self.created(StorageKind.SQLITE))
                continue
            if rename.target in self.classes:
                self._remark(Irregular.RENAMES_ONTO_EXISTING, "renamed_classes", item, rename.target)
            self.classes[rename.target] = moving[item]

    def _create(self, name: str, kind: StorageKind, key: str, item: int) -> None:
        if name in self.classes:
            self._remark(Irregular.CREATES_EXISTING, key, item, name)
        else:
            self.classes[name] = self.created(kind)

    def _remark(self, irregular: Irregular, key: str, item: int, class_name: str) -> None:
        self.remarks.append(Remark(irregular, self.position, key, item, class_name))
