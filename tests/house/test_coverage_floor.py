"""The judgement about coverage: by folder, with branches, each against its own floor."""

from scripts.coverage_floor import shortfalls


def file(*, lines: tuple[int, int], branches: tuple[int, int] = (0, 0)) -> dict[str, dict[str, int]]:
    (covered_lines, num_statements), (covered_branches, num_branches) = lines, branches
    return {
        "summary": {
            "covered_lines": covered_lines,
            "num_statements": num_statements,
            "covered_branches": covered_branches,
            "num_branches": num_branches,
        }
    }


def test_a_folder_at_its_floor_passes() -> None:
    report = {
        "files": {"src/perdure/core/gate.py": file(lines=(95, 100)), "src/perdure/cli/main.py": file(lines=(85, 100))}
    }

    assert shortfalls(report) == []


def test_what_data_depends_on_is_held_to_more_than_the_rest() -> None:
    report = {
        "files": {
            "src/perdure/store/log.py": file(lines=(94, 100)),
            "src/perdure/edge/server.py": file(lines=(94, 100)),
        }
    }

    assert shortfalls(report) == ["store: 94.0 % of lines and branches are covered, floor 95 %"]


def test_a_branch_that_no_test_took_counts_like_a_line() -> None:
    report = {"files": {"src/perdure/model/codec.py": file(lines=(100, 100), branches=(8, 20))}}

    assert shortfalls(report) == ["model: 90.0 % of lines and branches are covered, floor 95 %"]


def test_a_folder_is_judged_as_a_whole() -> None:
    report = {
        "files": {
            "src/perdure/objects/driver.py": file(lines=(190, 190)),
            "src/perdure/objects/storage/kv.py": file(lines=(5, 10)),
        }
    }

    assert shortfalls(report) == []


def test_the_worst_folder_is_named_first() -> None:
    report = {
        "files": {"src/perdure/web/body.py": file(lines=(80, 100)), "src/perdure/host/clock.py": file(lines=(10, 100))}
    }

    assert [sentence.split(":")[0] for sentence in shortfalls(report)] == ["host", "web"]


def test_an_empty_folder_is_not_below_its_floor() -> None:
    assert shortfalls({"files": {"src/perdure/core/__init__.py": file(lines=(0, 0))}}) == []
