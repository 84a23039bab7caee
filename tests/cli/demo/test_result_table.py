"""The results of a chat: lost, duplicated, left open, or intact."""

from __future__ import annotations

from typing import Any

import pytest

from chatfsm._cli.demo import ScriptedCustomer
from chatfsm._cli.demo_report import ChatResult, report_lines


def result(**differences: Any) -> ChatResult:
    """The result of an intact chat, with these differences."""
    usual: dict[str, Any] = {
        "fault_count": 3,
        "customer_sent": ["a", "b"],
        "center_received": ["a", "b"],
        "center_sent": ["X", "Y"],
        "customer_received": ["X", "Y"],
        "typing": [],
        "forms": [],
        "late_polls": 0,
        "was_stopped": False,
    }
    return ChatResult(**usual | differences)


def answers(made: ChatResult) -> dict[str, tuple[str, str]]:
    return {line.label.strip(): line.values[0] for line in report_lines([made])}


def test_a_chat_without_losses_is_intact() -> None:
    """All texts arrived once, and nothing is left open."""
    intact = result()
    assert intact.is_intact
    assert (intact.lost, intact.duplicated) == ((), ())
    assert {tone for _, tone in answers(intact).values()} == {"plain", "good"}


@pytest.mark.parametrize(
    ("differences", "lost", "duplicated"),
    [
        ({"center_received": ["a"]}, ("b",), ()),
        ({"center_received": ["a", "b", "b"]}, (), ("b",)),
        ({"customer_received": ["X"]}, ("Y",), ()),
        ({"customer_received": ["X", "X", "X", "Y"]}, (), ("X", "X")),
        ({"customer_received": ["X", "X"], "center_received": []}, ("a", "b", "Y"), ("X",)),
        ({"customer_sent": ["a", "a"], "center_received": ["a", "a"]}, (), ()),
    ],
)
def test_texts_are_counted_on_both_sides(
    differences: dict[str, Any], lost: tuple[str, ...], duplicated: tuple[str, ...]
) -> None:
    """A text that did not arrive is lost; one that arrived more often is duplicated."""
    made = result(**differences)
    assert (made.lost, made.duplicated) == (lost, duplicated)
    assert made.is_intact == (not lost and not duplicated)
    assert answers(made)["lost"] == (str(len(lost)), "bad" if lost else "good")
    assert answers(made)["duplicated"] == (str(len(duplicated)), "bad" if duplicated else "good")


@pytest.mark.parametrize(
    ("differences", "question", "answer"),
    [
        ({"typing": ["Pilar", "Tove"]}, "still typing at the end", "Pilar, Tove"),
        ({"forms": ["survey"]}, "form still open at the end", "survey"),
        ({"late_polls": 2}, "polls after the end", "2"),
        ({"late_polls": 5, "was_stopped": True}, "polls after the end", "5, then stopped"),
    ],
)
def test_open_items_are_bad(differences: dict[str, Any], question: str, answer: str) -> None:
    """Typing that never stops, an open form and a poll after the end are not intact."""
    made = result(**differences)
    assert not made.is_intact
    assert answers(made)[question] == (answer, "bad")


def test_a_client_that_had_to_be_stopped_is_not_intact() -> None:
    """A client that had to be stopped did not notice the end of the chat."""
    assert not result(was_stopped=True).is_intact


def test_the_order_counts() -> None:
    """A chat whose texts arrive in another order is not intact."""
    made = result(customer_received=["Y", "X"])
    assert (made.lost, made.duplicated) == ((), ())
    assert not made.is_intact


def test_the_table_has_a_value_for_each_client() -> None:
    """A line has a value for each client, in their order."""
    table = {
        line.label: line.values
        for line in report_lines([result(customer_received=["X"]), result()])
    }
    assert table["lost"] == (("1", "bad"), ("0", "good"))
    assert table["sent by the customer"] == (("2", "plain"), ("2", "plain"))
    assert table["  received by the customer"] == (("1", "plain"), ("2", "plain"))


def test_the_customer_answers_once() -> None:
    """A repeated text is not answered again, and a text without an answer is ignored."""
    customer = ScriptedCustomer({"Who is there?": "Me."})
    read = [customer.answer_to(text) for text in ("Hello!", "Who is there?", "Who is there?")]
    assert read == [None, "Me.", None]
    assert customer.sent == ["Me."]
