"""The bounds fit each other. That each of them is kept is tested where it acts: test_contract, test_log, test_upkeep."""

from perdure.store import bounds


def test_the_page_caches_of_all_open_stores_fit_in_256_mib():
    per_store = bounds.READER_CACHE_KIB + bounds.WRITER_CACHE_KIB + bounds.BACKGROUND_CACHE_KIB

    assert per_store * 1024 * bounds.OPEN_STORES_MAX <= 256 * bounds.MIB


def test_a_unit_fits_in_a_group_and_two_groups_in_the_layers():
    assert bounds.UNIT_BYTES_MAX <= bounds.GATHERING_BYTES_MAX
    assert 2 * bounds.GATHERING_BYTES_MAX <= bounds.LAYERS_BYTES_MAX


def test_a_log_row_is_far_below_what_sqlite_can_hold():
    assert bounds.LOG_ROW_BYTES_MAX * 1.1 < 1_000_000_000


def test_the_writer_is_never_held_longer_than_5_ms():
    assert bounds.SLICE_S <= 0.005
