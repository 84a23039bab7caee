"""What is said of a chat that was had: lost, doubled, left standing, or whole."""

from __future__ import annotations

from typing import Any

import pytest

from chatfsm._cli.demo import Customer
from chatfsm._cli.demo_report import Outcome, lines


def outcome(**differences: Any) -> Outcome:
    """A chat that came through whole, but for what is said."""
    usual: dict[str, Any] = {
        "faults": 3,
        "said": ["a", "b"],
        "arrived": ["a", "b"],
        "sent": ["X", "Y"],
        "told": ["X", "Y"],
        "typing": [],
        "forms": [],
        "late_polls": 0,
        "was_stopped": False,
    }
    return Outcome(**usual | differences)


def answers(made: Outcome) -> dict[str, tuple[str, str]]:
    return {line.question.strip(): line.answers[0] for line in lines([made])}


def test_a_chat_that_came_through_is_whole() -> None:
    """Both sides have heard each other, and nothing is left standing."""
    whole = outcome()
    assert whole.is_whole
    assert (whole.lost, whole.doubled) == ((), ())
    assert {tone for _, tone in answers(whole).values()} == {"plain", "good"}


@pytest.mark.parametrize(
    ("differences", "lost", "doubled"),
    [
        ({"arrived": ["a"]}, ("b",), ()),
        ({"arrived": ["a", "b", "b"]}, (), ("b",)),
        ({"told": ["X"]}, ("Y",), ()),
        ({"told": ["X", "X", "X", "Y"]}, (), ("X", "X")),
        ({"told": ["X", "X"], "arrived": []}, ("a", "b", "Y"), ("X",)),
        ({"said": ["a", "a"], "arrived": ["a", "a"]}, (), ()),
    ],
)
def test_texts_are_counted_on_both_sides(
    differences: dict[str, Any], lost: tuple[str, ...], doubled: tuple[str, ...]
) -> None:
    """What was said and did not get through is lost, what did more often is doubled."""
    made = outcome(**differences)
    assert (made.lost, made.doubled) == (lost, doubled)
    assert made.is_whole == (not lost and not doubled)
    assert answers(made)["lost"] == (str(len(lost)), "bad" if lost else "good")
    assert answers(made)["doubled"] == (str(len(doubled)), "bad" if doubled else "good")


@pytest.mark.parametrize(
    ("differences", "question", "answer"),
    [
        ({"typing": ["Pilar", "Tove"]}, "still typing at the end", "Pilar, Tove"),
        ({"forms": ["survey"]}, "form still open at the end", "survey"),
        ({"late_polls": 2}, "polls after the end", "2"),
        ({"late_polls": 5, "was_stopped": True}, "polls after the end", "5, then stopped"),
    ],
)
def test_what_is_left_standing_is_bad(
    differences: dict[str, Any], question: str, answer: str
) -> None:
    """Somebody who types for ever, an open form, a poll of what is over: none of it is whole."""
    made = outcome(**differences)
    assert not made.is_whole
    assert answers(made)[question] == (answer, "bad")


def test_a_client_that_had_to_be_stopped_is_not_whole() -> None:
    """It had not understood that the chat was over, though it may not have polled any more."""
    assert not outcome(was_stopped=True).is_whole


def test_the_order_counts() -> None:
    """What was told in another order than it was said has not come through whole."""
    made = outcome(told=["Y", "X"])
    assert (made.lost, made.doubled) == ((), ())
    assert not made.is_whole


def test_the_clients_stand_side_by_side() -> None:
    """A line has an answer of each client, in their order."""
    table = {line.question: line.answers for line in lines([outcome(told=["X"]), outcome()])}
    assert table["lost"] == (("1", "bad"), ("0", "good"))
    assert table["said by the customer"] == (("2", "plain"), ("2", "plain"))
    assert table["  told to the customer"] == (("1", "plain"), ("2", "plain"))


def test_the_customer_answers_once() -> None:
    """A text that is read again is not answered again, and others are not at all."""
    customer = Customer({"Who is there?": "Me."})
    read = [customer.reads(text) for text in ("Hello!", "Who is there?", "Who is there?")]
    assert read == [None, "Me.", None]
    assert customer.said == ["Me."]
