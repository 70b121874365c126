"""What tests of the commands without a database share."""

from pathlib import Path

import pytest

from tests.unit.matching.offline import write_files


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A folder with the plans and the judged query of `offline`."""
    return write_files(tmp_path)
