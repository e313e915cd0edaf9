"""The version of this Perdure, as `pyproject.toml` says it: asking the package's metadata would cost a tenth of the start.

See tests/host/test_version.py.
"""

VERSION = "0.1.0"
