"""A process of ours runs on the fastest loop there is, with room for connections."""

import importlib.util
import resource
import subprocess
import sys

import pytest

from perdure.host.loop import SWITCH_INTERVAL_S, new_loop, raise_open_files_limit, share_interpreter_often


@pytest.fixture
def limits_restored():
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[0], resource.getrlimit(resource.RLIMIT_NOFILE)[1]))


def test_the_loop_is_uvloops_where_uvloop_is_installed():
    loop = new_loop()

    try:
        assert type(loop).__module__.startswith("uvloop" if importlib.util.find_spec("uvloop") else "asyncio")
    finally:
        loop.close()


def test_a_thread_waits_for_the_interpreter_for_less_than_a_group_takes():
    before = sys.getswitchinterval()

    try:
        share_interpreter_often()

        assert sys.getswitchinterval() == pytest.approx(SWITCH_INTERVAL_S)
    finally:
        sys.setswitchinterval(before)


def test_without_uvloop_the_loop_is_asyncios():
    program = (
        "import sys; sys.modules['uvloop'] = None\n"
        "from perdure.host.loop import new_loop\n"
        "loop = new_loop(); print(type(loop).__module__); loop.close()"
    )

    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert said.stdout.startswith("asyncio.")


def test_the_limit_of_open_files_is_raised_to_what_is_wanted(limits_restored):
    _, hard = limits_restored
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))

    assert raise_open_files_limit(300) == 300
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (300, hard)


def test_the_limit_of_open_files_stops_at_the_hard_one(limits_restored):
    _, hard = limits_restored
    if hard == resource.RLIM_INFINITY:
        pytest.skip("this machine has no hard limit")
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, hard))

    assert raise_open_files_limit(hard + 1) == hard


def test_a_limit_that_is_higher_already_stays(limits_restored):
    _, hard = limits_restored
    resource.setrlimit(resource.RLIMIT_NOFILE, (512, hard))

    assert raise_open_files_limit(300) == 512
