"""The command line of `perdure dev` crosses from one process to the other unchanged."""

import logging
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perdure.cli.dev_options import LOG_LEVELS, DevOptions

paths = st.text(min_size=1).map(Path)
texts = st.text()


@given(
    st.builds(
        DevOptions,
        config=st.none() | paths,
        port=st.none() | st.integers(0, 65_535),
        ip=st.none() | texts,
        persist_to=st.none() | paths,
        cert=st.none() | paths,
        key=st.none() | paths,
        name=st.none() | texts,
        variables=st.lists(st.tuples(texts, texts)).map(tuple),
        env_files=st.lists(paths).map(tuple),
        strict_config=st.booleans(),
        log_level=st.sampled_from(LOG_LEVELS),
        log_format=st.sampled_from(["text", "json"]),
    )
)
def test_what_one_process_writes_the_other_reads_back_equal(options):
    assert DevOptions.from_json(options.to_json()) == options


@pytest.mark.parametrize("level", LOG_LEVELS)
def test_every_level_is_one_of_logging_and_none_is_above_all(level):
    threshold = DevOptions(log_level=level).log_threshold

    assert logging.DEBUG <= threshold <= logging.CRITICAL + 1
    assert (threshold > logging.CRITICAL) == (level == "none")
