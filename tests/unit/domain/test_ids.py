"""The ids of pairs and coalitions."""

from services.domain.ids import IdKey, group_coalition_id, opportunity_id

KEY, OTHER_KEY = IdKey(bytes(32)), IdKey(b"1" * 32)


def test_a_pair_has_one_id_in_either_order() -> None:
    assert opportunity_id(KEY, "E08000035:HR-1", "E08000032:HR-1") == opportunity_id(
        KEY, "E08000032:HR-1", "E08000035:HR-1"
    )


def test_an_id_depends_on_the_key_and_on_what_it_is_of() -> None:
    ids = [
        *(opportunity_id(key, "E08000035:HR-1", "1") for key in (KEY, OTHER_KEY)),
        *(group_coalition_id(key, "E08000035:HR-1", 1) for key in (KEY, OTHER_KEY)),
        group_coalition_id(KEY, "E08000035:HR-1", 0),
    ]
    assert len(set(ids)) == len(ids)


def test_the_text_of_a_key_shows_nothing_of_it() -> None:
    assert repr(IdKey(b"secret")) == "IdKey()"
