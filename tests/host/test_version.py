"""The version is said in two places and is one."""

from importlib.metadata import version

from perdure.host.version import VERSION


def test_the_version_is_the_packages():
    assert version("perdure") == VERSION
