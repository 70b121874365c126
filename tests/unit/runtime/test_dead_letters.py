"""Whatever came, its dead letter fits into one message."""

from events.dead_letters import KEPT_BYTES, DeadLetter, Origin, Reason
from events.topics import DEAD_PLANS, PLANS
from services.runtime import dead_letters

ORIGIN = Origin(topic=PLANS.name, partition=0, offset=7)


def test_the_largest_dead_letter_fits_into_one_message() -> None:
    made = dead_letters.compose(
        Reason.NOT_JSON,
        "\x01" * 5000,
        ORIGIN,
        key=b"\x01" * 1_000_000,
        value=b"\xff" * 1_000_000,
        headers=[("\x01" * 10_000, b"\xff" * 1_000_000)] * 1000,
    )
    sent = len(made.key) + len(made.value) + sum(len(name) + len(value) for name, value in made.headers)
    assert 2 * KEPT_BYTES < sent < int(DEAD_PLANS.config["max.message.bytes"]) / 2


def test_headers_as_long_as_any_that_is_read_are_whole() -> None:
    headers = [("jws-signature", b"s" * 8192), *((f"ce_{number}", b"a" * 4096) for number in range(8)), ("x", b"")]
    made = dead_letters.compose(Reason.UNSIGNED, "", ORIGIN, key=None, value=b"v", headers=headers)
    written = DeadLetter.model_validate_json(made.value)
    assert written.complete
    assert [(header.name, header.value) for header in written.headers] == headers
