"""What commands print into a pipe."""

import pytest

from services.cli.terminal import print_count, print_rows


def test_a_pipe_gets_one_line_a_row_whatever_a_cell_holds(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(("plans", "score"), [("Leeds: HR\tand\npayroll\x1b[31m", "81")], ids=["f00d"])
    print_count(1, "opportunity", "opportunities", limit=50)
    printed = capsys.readouterr()
    assert printed.out == "id\tplans\tscore\nf00d\tLeeds: HR and; payroll[31m\t81\n"
    assert printed.err == "1 opportunity\n"


def test_no_cell_of_a_pipe_is_a_formula(capsys: pytest.CaptureFixture[str]) -> None:
    print_rows(("supplier", "n"), [(' =HYPERLINK("https://evil.example")', "81")], ids=["@f00d"])
    assert capsys.readouterr().out == "id\tsupplier\tn\n'@f00d\t'=HYPERLINK(\"https://evil.example\")\t81\n"
