"""What the objects of a schedule do, drawn from a seed: programs, as plain data.

A program is a list of instructions, each a tuple of its name and arguments; programs nest, in sections, transactions, tasks
and calls to other objects. Drawn before anything runs, so that they don't depend on the order in which it runs.
"""

from collections.abc import Callable
from itertools import accumulate
from random import Random
from typing import Any

Instruction = tuple[Any, ...]
Program = list[Instruction]

KEYS = ("a", "b", "é", "z")
OBJECTS = 4

DEPTH_MAX = 3
"""Of programs inside programs: A calls B, which calls A again in a task of a section."""


def keys(rng: Random) -> tuple[str, ...]:
    return tuple(rng.sample(KEYS, rng.randint(1, 3)))


def delay(rng: Random) -> float:
    return rng.choice((0.0, 0.0, 0.0, 0.001, 0.01, 0.06, 0.7))


# Within one step


def _reads(rng: Random) -> Instruction:
    kind = rng.randrange(4)
    if kind == 0:
        return ("get", rng.choice(KEYS))
    if kind == 1:
        return ("get many", keys(rng))
    if kind == 2:
        return ("all",)
    bounds: dict[str, Any] = {"reverse": rng.random() < 0.5}
    if rng.random() < 0.5:
        bounds["limit"] = rng.randint(1, 3)
    if rng.random() < 0.5:
        bounds[rng.choice(("start", "start_after"))] = rng.choice(KEYS)
    if rng.random() < 0.3:
        bounds["end"] = rng.choice(KEYS)
    if rng.random() < 0.2:
        bounds["prefix"] = rng.choice(KEYS)
    return ("list", bounds)


def _writes(rng: Random) -> Instruction:
    kind = rng.randrange(10)
    if kind < 3:
        return ("put", rng.choice(KEYS))
    if kind < 7:
        return ("put many", keys(rng))
    if kind == 7:
        return ("put unconfirmed", rng.choice(KEYS))
    return ("delete", rng.choice(KEYS)) if kind == 8 else ("delete many", keys(rng))


def _sql(rng: Random) -> Instruction:
    kind = rng.randrange(8)
    if kind < 4:
        return ("sql set", keys(rng), rng.random() < 0.1)
    if kind == 4:
        return ("sql delete", rng.choice(KEYS))
    return ("sql fails", rng.choice(KEYS)) if kind == 5 else ("sql all",)


def _alarm(rng: Random) -> Instruction:
    kind = rng.randrange(4)
    if kind < 2:
        return ("set alarm", rng.randint(1, 9))
    return ("delete alarm",) if kind == 2 else ("get alarm",)


def _drop(rng: Random) -> Instruction:
    return ("delete all",)


def _savepoint(rng: Random) -> Instruction:
    return ("transaction sync", at_once(rng, 3), rng.random() < 0.4, rng.random() < 0.5)


def _callback(rng: Random) -> Instruction:
    return ("callback", delay(rng), rng.choice(KEYS))


def at_once(rng: Random, length_max: int) -> Program:
    """Reads and writes that do not end the step."""
    chosen = rng.choices((_writes, _reads, _sql, _alarm), (10, 6, 2, 1), k=rng.randint(1, length_max))
    return [make(rng) for make in chosen]


# Over several steps


def _sleep(rng: Random, depth: int) -> Instruction:
    return ("sleep", delay(rng))


def _call(rng: Random, depth: int) -> Instruction:
    how = rng.choice(("await", "await", "later", "never"))
    return ("call", rng.randrange(OBJECTS), rng.random() < 0.3, program(rng, depth + 1), how)


def _calls(rng: Random, depth: int) -> Instruction:
    calls = [(rng.randrange(OBJECTS), rng.random() < 0.3, program(rng, depth + 1)) for _ in range(2)]
    return ("gather calls", calls)


def _tasks(rng: Random, depth: int) -> Instruction:
    return ("tasks", [program(rng, depth + 1) for _ in range(rng.randint(1, 3))], rng.random() < 0.5)


def _cancelled(rng: Random, depth: int) -> Instruction:
    return ("cancel", delay(rng), program(rng, depth + 1))


def _in_time(rng: Random, depth: int) -> Instruction:
    return ("timeout", delay(rng), program(rng, depth + 1))


def _transaction(rng: Random, depth: int) -> Instruction:
    end = rng.choice(("commit", "commit", "raise", "roll back"))
    return ("transaction", program(rng, depth + 1), end, rng.random() < 0.5)


def _section(rng: Random, depth: int) -> Instruction:
    return ("section", program(rng, depth + 1))


def _blocking(rng: Random, depth: int) -> Instruction:
    return ("blocking", program(rng, depth + 1), rng.random() < 0.08, rng.random() < 0.7)


def _background(rng: Random, depth: int) -> Instruction:
    return ("background", program(rng, depth + 1))


def _sync(rng: Random, depth: int) -> Instruction:
    return ("sync",)


def _raise(rng: Random, depth: int) -> Instruction:
    return ("raise",)


def _abort(rng: Random, depth: int) -> Instruction:
    return ("abort", rng.random() < 0.3)


_STEP: list[tuple[int, Callable[[Random], Instruction]]] = [
    (40, _writes),
    (20, _reads),
    (8, _sql),
    (3, _alarm),
    (3, _drop),
    (5, _savepoint),
    (2, _callback),
]
_FLAT: list[tuple[int, Callable[[Random, int], Instruction]]] = [(16, _sleep), (4, _sync), (2, _raise), (2, _abort)]
_NESTED: list[tuple[int, Callable[[Random, int], Instruction]]] = [
    (14, _call),
    (2, _calls),
    (4, _tasks),
    (4, _cancelled),
    (4, _in_time),
    (7, _transaction),
    (6, _section),
    (2, _blocking),
    (2, _background),
]


def _weights(choices: list[tuple[int, Any]]) -> list[int]:
    return list(accumulate(weight for weight, _ in choices))


_FLAT_ALL = [(weight, (make, False)) for weight, make in _STEP] + [(weight, (make, True)) for weight, make in _FLAT]
_ALL = _FLAT_ALL + [(weight, (make, True)) for weight, make in _NESTED]
_FLAT_MAKERS, _FLAT_WEIGHTS = [make for _, make in _FLAT_ALL], _weights(_FLAT_ALL)
_MAKERS, _WEIGHTS = [make for _, make in _ALL], _weights(_ALL)


def program(rng: Random, depth: int = 0) -> Program:
    """A program for one event, task or section."""
    length = rng.randint(1, 4 if depth == 0 else 3)
    deepest = depth >= DEPTH_MAX
    chosen = rng.choices(
        _FLAT_MAKERS if deepest else _MAKERS, cum_weights=_FLAT_WEIGHTS if deepest else _WEIGHTS, k=length
    )
    return [make(rng, depth) if nests else make(rng) for make, nests in chosen]
