"""A code that nobody has is refused: it must not look like an authority for which nothing is stored."""

import pytest

from tests.support.command_line import CommandLine

NOBODY = "E09999999"
COMMANDS = (
    ("opportunities", "--authority"),
    ("plans", "stale", "--authority"),
    ("programme", "--authority"),
    ("extensions", "list", "--authority"),
    ("extensions", "asked", "--authority"),
    ("contracts", "list", "--authority"),
    ("coalition", "list", "--authority"),
    ("parties", "delegations", "--authority"),
    ("audit", "export", "--authority"),
    ("benchmark", "48450000", "--authority"),
    ("api-token", "list"),
    ("keys", "list"),
)


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_a_command_about_one_authority_refuses_a_code_of_nobody(words: tuple[str, ...], jointly: CommandLine) -> None:
    code, _, said = jointly(*words, NOBODY)
    assert (code, f"no authority has the code {NOBODY}" in said) == (1, True), said


def test_a_listed_council_is_known_before_it_sends_anything(jointly: CommandLine) -> None:
    for words in COMMANDS:
        assert jointly(*words, "E09000015")[0] == 0, words


@pytest.mark.parametrize(
    ("subject", "says"), [("--partner", "no authority has the code"), ("--opportunity", "There is no opportunity")]
)
def test_a_mute_of_nobody_is_refused(
    subject: str, says: str, jointly: CommandLine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    register = tmp_path_factory.mktemp("register") / "register.csv"
    register.write_text("authority,mailbox\nE09000015,procurement@harrow.example\n", "utf-8")
    assert jointly("authorities", "import", str(register))[0] == 0
    code, _, said = jointly("authorities", "mute", "E09000015", subject, NOBODY)
    assert (code, says in said) == (1, True), said
