"""Scores and orders."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.backends.embeddings import Vector
from app.services.calibration import calibrate
from app.services.calibration_pairs import PAIRS
from app.services.ranking import Candidate, Ranked, Ranker, rank, relevance

SIGNS = st.none() | st.floats(-1, 2)


def candidate(number: int, nearness: float | None, words: float | None) -> Candidate:
    return Candidate(number, "file-1", number, nearness, words)


@given(nearness=SIGNS, words=SIGNS)
def test_scores_are_from_0_to_1(nearness: float | None, words: float | None) -> None:
    assert 0 <= relevance(nearness, words) <= 1


@pytest.mark.parametrize(
    ("nearness", "words", "likely"),
    [
        (1.0, 0.0, True),  # says it in other words
        (0.1, 1.4, True),  # an identifier, which says nothing to the model
        (0.7, 0.7, True),
        (0.0, 0.0, False),
        (0.3, 0.4, False),  # about something near
        (0.5, 0.2, False),
        (1.0, None, True),  # nothing but stop words was asked
        (None, 1.0, True),  # the model is gone
        (None, 0.2, False),
        (None, None, False),
    ],
)
def test_half_is_where_likely_begins(nearness: float | None, words: float | None, likely: bool) -> None:
    assert (relevance(nearness, words) > 0.5) is likely


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 20), SIGNS, st.none() | st.floats(0, 1.6)), max_size=10), max_size=3),
    st.sampled_from(["none", "auto", "default-2024-11-15"]),
)
def test_scores_fall_with_the_order_and_each_chunk_is_there_once(
    signs: list[list[tuple[int, float | None, float | None]]], ranker: Ranker
) -> None:
    by_query = [[candidate(*one) for one in {one[0]: one for one in of_query}.values()] for of_query in signs]
    ranked = rank(by_query, ranker)
    scores = [one.score for one in ranked]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    ids = [one.chunk_id for one in ranked]
    assert len(ids) == len(set(ids))
    if ranker != "none":
        assert set(ids) == {one.chunk_id for of_query in by_query for one in of_query}


def test_the_best_query_counts() -> None:
    ranked = rank([[candidate(1, 1.0, 1.0), candidate(2, 0.2, 0.1)], [candidate(1, 0.0, 0.0)]], "auto")
    assert ranked == [Ranked(1, relevance(1.0, 1.0)), Ranked(2, relevance(0.2, 0.1))]


def test_fusion_goes_by_places_alone() -> None:
    found = [candidate(1, 0.9, 0.1), candidate(2, 0.8, 1.5), candidate(3, 0.1, 0.0)]
    ranked = rank([found], "none")
    assert {one.chunk_id: one.score for one in ranked} == {
        1: pytest.approx((1 + 61 / 62) / 2),
        2: pytest.approx((61 / 62 + 1) / 2),
        3: pytest.approx(61 / 63 / 2),  # without words it has no place among them
    }


def test_the_same_piece_in_two_stores_is_one_result() -> None:
    twice = [
        Candidate(1, "file-1", 3, 0.5, 0.5),
        Candidate(2, "file-1", 3, 0.6, 0.5),
        Candidate(3, "file-2", 3, 0.1, 0),
    ]
    assert [one.chunk_id for one in rank([twice], "auto")] == [2, 3]


def turned(degrees: float, number: int) -> Vector:
    """A vector at an angle to the axis of `number`, away from all others."""
    vector = [0.0] * (2 * len(PAIRS))
    vector[number], vector[-1 - number] = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return vector


def test_a_model_is_measured_by_what_belongs_together() -> None:
    numbers = range(len(PAIRS))
    found = calibrate([turned(0, number) for number in numbers], [turned(60, number) for number in numbers])
    assert found.nearness(0.5) == pytest.approx(1)
    assert found.nearness(0.0) == pytest.approx(0)


def test_a_model_to_which_everything_is_alike_breaks_nothing() -> None:
    same = [turned(0, 0)] * len(PAIRS)
    assert calibrate(same, same).nearness(1.0) == pytest.approx(0)
