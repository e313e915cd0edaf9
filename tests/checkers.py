"""One cache for every run of mypy over programs in folders of their own: what it knows of the package costs 20 s to find out."""

from pathlib import Path

MYPY_CACHE = str(Path(__file__).parents[1] / ".mypy_cache" / "programs")
