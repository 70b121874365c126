"""The file of a private key."""

import resource
from pathlib import Path

import pytest
import typer

from events.jwk import new_key
from services.cli.keys import write_private_key


def test_half_a_key_is_not_left_in_the_way(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        with pytest.raises(typer.Exit):
            write_private_key(tmp_path / "key", new_key())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "can't be written: File too large" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
