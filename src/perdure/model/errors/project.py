"""What is wrong with a project: its files, its main module, its environment. All problems at once, not the first alone.

See tests/model/test_errors.py.
"""

from collections.abc import Sequence

from perdure.model.errors.base import PerdureError


class ConfigError(PerdureError):
    """The configuration cannot be used. `problems`, like `str()`, has all that is wrong, with file, line and fix."""

    problems: tuple[str, ...]

    def __init__(
        self, *, what: str, where: str = "", why: str = "", next_step: str = "", problems: Sequence[str] = ()
    ) -> None:
        self.problems = tuple(problems)
        super().__init__(what=what, where=where, why=why, next_step=next_step)

    def __str__(self) -> str:
        return "\n".join([super().__str__(), *(f"- {problem}" for problem in self.problems)])


class EnvMismatch(ConfigError):
    """The `Env` class of the code asks for bindings that the configuration lacks or has of another kind.

    `problems` names each. Add the binding to the configuration, or correct the annotation.
    """


class LoadFailed(PerdureError):
    """The project's main module could not be loaded; `__cause__` is what it raised, if it did.

    The message names the module and the line to look at.
    """


class BindingNotFound(PerdureError, AttributeError, KeyError):
    """`env` has no binding of this name. The message lists the known ones and the nearest spelling.

    Correct the name, or add the binding to the configuration.
    """
