"""What is made beside its place harms nothing that is there, whoever makes the same at the same time."""

import errno
import os
from pathlib import Path

import pytest

from perdure.model.errors import WrongValue
from perdure.store.new_file import new_file


def make(file: Path, text: str, *, replace: bool = False) -> None:
    with new_file(file, replace=replace) as made:
        made.write_text(text)


def test_of_two_that_make_one_file_the_second_is_told_and_the_first_is_whole(tmp_path):
    file = tmp_path / "one"
    with pytest.raises(WrongValue, match="one is there already.*--force"), new_file(file, replace=False) as late:
        late.write_text("the se")
        make(file, "the first")
        late.write_text("the second")

    assert file.read_text() == "the first"
    assert list(tmp_path.iterdir()) == [file]


def test_of_two_that_may_replace_it_the_last_one_is_there_whole(tmp_path):
    file = tmp_path / "one"
    with new_file(file, replace=True) as late:
        late.write_text("the se")
        make(file, "the first", replace=True)
        assert file.read_text() == "the first"
        late.write_text("the second")

    assert file.read_text() == "the second"
    assert list(tmp_path.iterdir()) == [file]


def test_names_that_look_like_ours_are_left_alone(tmp_path):
    (tmp_path / "one.part").symlink_to(tmp_path / "mine")
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "one.page").write_text("mine, too")

    make(tmp_path / "one", "made")

    assert (tmp_path / "mine").read_text() == "mine"
    assert (tmp_path / "one.page").read_text() == "mine, too"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mine", "one", "one.page", "one.part"]


@pytest.mark.parametrize("replace", [False, True])
def test_a_folder_of_that_name_is_said_before_the_work(tmp_path, replace):
    (tmp_path / "folder").mkdir()

    with pytest.raises(WrongValue, match="folder is a folder"):
        make(tmp_path / "folder", "made", replace=replace)


def test_a_link_is_no_name_that_is_free_and_is_replaced_itself(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "nowhere")

    with pytest.raises(WrongValue, match="link is there already"):
        make(tmp_path / "link", "made")
    make(tmp_path / "link", "made", replace=True)

    assert (tmp_path / "link").read_text() == "made"
    assert not (tmp_path / "nowhere").exists()


def test_where_there_are_no_links_the_file_is_made_all_the_same(tmp_path, monkeypatch):
    def no_links(*_: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    make(tmp_path / "one", "made")

    assert (tmp_path / "one").read_text() == "made"
    with pytest.raises(WrongValue, match="is there already"):
        make(tmp_path / "one", "again")


def test_a_name_as_long_as_a_disk_takes_is_made(tmp_path):
    for name in ("x" * 255, "😀" * 63):
        make(tmp_path / name, "made")

        assert (tmp_path / name).read_text() == "made"


def test_what_a_killed_one_left_goes_and_what_is_another_s_stays(tmp_path):
    left, mine = tmp_path / "one.abcd1234.part", tmp_path / "one.87654321.part"
    left.mkdir()
    (left / ".perdure").touch()
    (left / "made").write_text("hal")
    mine.mkdir()
    (mine / "diary.txt").write_text("mine")

    with new_file(tmp_path / "one", replace=False) as early:
        early.write_text("made")
        assert not left.exists()
        make(tmp_path / "one", "sooner")
        assert early.exists()
        os.unlink(tmp_path / "one")

    assert {path.name for path in tmp_path.iterdir()} == {mine.name, "one"}
    assert (mine / "diary.txt").read_text() == "mine"
