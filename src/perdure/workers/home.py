"""Where the objects of one class are and how they may be called: what every stub of the class has in common.

Stubs and namespaces know nothing else of the place where objects live, so that it can be another process later. See
tests/workers/test_namespace.py.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from perdure.model.object_id import IdKey
from perdure.objects.residents import Residents
from perdure.workers.class_spec import ClassSpec
from perdure.workers.remote_error import Modules


@dataclass(frozen=True, slots=True)
class Home:
    """Where the objects of a namespace are, and how they may be called."""

    spec: ClassSpec
    residents: Residents
    id_key: IdKey
    modules: Modules
    """How the calling Worker's code knows exceptions' classes."""
    random_bytes: Callable[[int], bytes]
    results: Mapping[str, Any]
    """What results are built as, by member: as `ClassSpec.results` of the class that the caller's stubs are typed as."""
