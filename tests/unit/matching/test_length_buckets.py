"""Batches: each text once, none too large, and no more padding than a batch is worth."""

from hypothesis import given
from hypothesis import strategies as st

from matching.encoders.length_buckets import length_buckets


@given(st.lists(st.integers(2, 2000), max_size=200))
def test_each_text_is_in_one_batch_and_no_batch_is_too_large(lengths: list[int]) -> None:
    made = list(length_buckets(lengths))
    assert sorted(position for batch in made for position in batch) == list(range(len(lengths)))
    for batch in made:
        longest = max(lengths[position] for position in batch)
        assert len(batch) == 1 or (len(batch) <= 32 and len(batch) * longest <= 1024)
        assert sum(longest - lengths[position] for position in batch) <= 24


def test_like_lengths_share_a_batch_and_unlike_ones_do_not() -> None:
    assert list(length_buckets([200, 7, 8, 7, 199])) == [[1, 3, 2], [4, 0]]
    assert list(length_buckets([])) == []
    assert [len(batch) for batch in length_buckets([7] * 70)] == [32, 32, 6]
    assert [len(batch) for batch in length_buckets([256] * 6)] == [4, 2]
