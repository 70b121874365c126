"""Files are replaced as a whole and never written through a link."""

import os
from pathlib import Path

import pytest

from services.platform.files import SHARED, check_writable, write_atomically


def test_a_link_is_replaced_and_what_it_pointed_at_stays(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    link = tmp_path / "state"
    link.symlink_to(victim)
    write_atomically(link, "new")
    assert victim.read_text() == "untouched"
    assert (link.is_symlink(), link.read_text()) == (False, "new")


def test_links_beside_the_file_are_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("untouched")
    for name in ("state.new", ".state.new", "state.tmp"):
        (tmp_path / name).symlink_to(victim)
    write_atomically(tmp_path / "state", "new")
    assert victim.read_text() == "untouched"


def test_an_existing_file_keeps_its_permissions(tmp_path: Path) -> None:
    file = tmp_path / "state"
    write_atomically(file, "one")
    assert file.stat().st_mode & 0o777 == 0o600
    file.chmod(0o640)
    write_atomically(file, "two")
    assert (file.stat().st_mode & 0o777, file.read_text()) == (0o640, "two")


def test_what_can_not_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    with pytest.raises(IsADirectoryError):
        write_atomically(tmp_path / "state", "new")
    assert [file.name for file in tmp_path.iterdir()] == ["state"]


def test_a_shared_file_is_for_whoever_the_umask_lets(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        write_atomically(tmp_path / "page", "one", SHARED)
    finally:
        os.umask(before)
    assert (tmp_path / "page").stat().st_mode & 0o777 == 0o640


def test_a_check_touches_no_file_and_names_the_one_that_was_asked_for(tmp_path: Path) -> None:
    check_writable(tmp_path / "new")
    assert list(tmp_path.iterdir()) == []
    missing = tmp_path / "missing" / "new"
    for write in (check_writable, lambda file: write_atomically(file, "one")):
        with pytest.raises(FileNotFoundError) as raised:
            write(missing)
        assert raised.value.filename == str(missing)


def test_a_pipe_takes_the_text_and_stays_a_pipe(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    check_writable(pipe)
    write_atomically(pipe, "one")
    assert os.read(reader, 10) == b"one"
    os.close(reader)
    assert (pipe.is_fifo(), len(list(tmp_path.iterdir()))) == (True, 1)
