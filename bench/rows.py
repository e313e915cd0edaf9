"""The rows of the table: what is asked of which sides, and which figure counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from bench import load

CONNECTIONS = 64
OBJECTS = 1_000


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table. `least` and `aim`: the design's targets for Perdure's figure over the other side's."""

    title: str
    figure: Callable[[load.Result], float]
    unit: str
    least: float | None = None
    aim: float | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One load, run on both sides. `stored`: objects that are counted up once before the measured time (reads). `prefix`: of
    their names."""

    key: str
    kind: str
    lines: tuple[Line, ...]
    connections: int = 1
    objects: int = 1
    other: str = "workerd"
    stored: bool = False
    prefix: str = "object-"
    writes: bool = True


def per_second(result: load.Result) -> float:
    return result.per_second


def median_us(result: load.Result) -> float:
    return result.median_us


def p99_us(result: load.Result) -> float:
    return result.p99_us


ROWS = (
    Row(
        "objects",
        "increment",
        (
            Line("durable increments, 1000 objects, 64 connections", per_second, "/s", 8, 20),
            Line("the same, 99th percentile", p99_us, "µs", 0.3, 0.1),
        ),
        connections=CONNECTIONS,
        objects=OBJECTS,
    ),
    Row(
        "hot",
        "increment",
        (
            Line("durable increments, one object, 64 connections", per_second, "/s", 8, 20),
            Line("the same, 99th percentile", p99_us, "µs"),
        ),
        connections=CONNECTIONS,
    ),
    Row(
        "one",
        "increment",
        (
            Line("durable increment, 1 connection, median", median_us, "µs", 0.5, 0.3),
            Line("the same, 99th percentile", p99_us, "µs"),
        ),
        objects=OBJECTS,
    ),
    Row(
        "reads",
        "read",
        (Line("reads, 1000 objects, 64 connections", per_second, "/s", 6, 12),),
        connections=CONNECTIONS,
        objects=OBJECTS,
        stored=True,
        writes=False,
    ),
    Row(
        "sql-objects",
        "increment",
        (
            Line("SQL upserts, 1000 objects, 64 connections", per_second, "/s", 6, 15),
            Line("the same, 99th percentile", p99_us, "µs"),
        ),
        connections=CONNECTIONS,
        objects=OBJECTS,
        prefix="sql/object-",
    ),
    Row(
        "sql-hot",
        "increment",
        (Line("SQL upserts, one object, 64 connections", per_second, "/s", 6, 15),),
        connections=CONNECTIONS,
        prefix="sql/object-",
    ),
    Row("new-name", "new-name", (Line("new objects by name, one after another", per_second, "/s", 3, 10),)),
    Row("new-id", "new-id", (Line("new objects by unique id, one after another", per_second, "/s", 3, 10),)),
    Row(
        "hello",
        "hello",
        (
            Line("hello, no object, 64 connections", per_second, "/s", 0.6, 1),
            Line("the same, 99th percentile", p99_us, "µs"),
        ),
        connections=CONNECTIONS,
        other="uvicorn",
        writes=False,
    ),
)
