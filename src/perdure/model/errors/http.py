"""What can go wrong with requests and responses in code. See tests/model/test_errors.py."""

from perdure.model.errors.base import PerdureError


class BodyUsed(PerdureError, TypeError):
    """The body of this request or response was read before, or given away; a body is read once.

    Keep what the first read gave, or call `clone()` before it.
    """
