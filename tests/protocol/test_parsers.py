"""The parsers of single wire values."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from chatfsm._protocol import structuring

NOT_TEXT = [True, False, [], {}, b"x", object()]
NOT_FINITE = [float("nan"), float("inf"), float("-inf")]

PARSED: list[tuple[Callable[[object], Any], object, object]] = [
    (structuring.text, None, None),
    (structuring.text, "", ""),
    (structuring.text, " a ", " a "),
    (structuring.text, 0, "0"),
    (structuring.text, -7, "-7"),
    (structuring.text, 7.0, "7"),
    (structuring.text, 7.25, "7.25"),
    (structuring.text, 1e22, "1" + "0" * 22),
    (structuring.identifier, None, None),
    (structuring.identifier, "", None),
    (structuring.identifier, 0, "0"),
    (structuring.identifier, "x" * 1_024, "x" * 1_024),
    (structuring.name, None, None),
    (structuring.name, "", ""),
    (structuring.name, 5, "5"),
    (structuring.name, "x" * 4_096, "x" * 4_096),
    (structuring.number, None, None),
    (structuring.number, "", None),
    (structuring.number, 0, 0.0),
    (structuring.number, "-1.5", -1.5),
    (structuring.number, "1e3", 1000.0),
    (structuring.seconds, None, None),
    (structuring.seconds, "", None),
    (structuring.seconds, "0", 0.0),
    (structuring.seconds, 1.5, 1.5),
    (structuring.timestamp, None, None),
    (structuring.timestamp, "", None),
    (structuring.timestamp, 99_999_999_999, 99_999_999_999.0),
    (structuring.timestamp, 100_000_000_000, 100_000_000.0),
    (structuring.timestamp, "1614718748123", 1614718748.123),
    (structuring.integer, None, None),
    (structuring.integer, "", None),
    (structuring.integer, 0, 0),
    (structuring.integer, "3", 3),
    (structuring.integer, 2.0, 2),
    (structuring.boolean, None, None),
    (structuring.boolean, "", None),
    (structuring.boolean, True, True),
    (structuring.boolean, False, False),
    (structuring.boolean, "true", True),
    (structuring.boolean, "False", False),
    (structuring.boolean, "TRUE", True),
    (structuring.discard, {"pin": 1}, None),
    (structuring.json_object, {"a": 1}, {"a": 1}),
    (structuring.json_object, '{"a": 1}', {"a": 1}),
    (structuring.json_object, "{}", {}),
]


@pytest.mark.parametrize(("parser", "wire_value", "found"), PARSED)
def test_parsed(parser: Callable[[object], Any], wire_value: object, found: object) -> None:
    """A parser gives the meaning of the value, in its documented type."""
    result = parser(wire_value)

    assert result == found
    assert type(result) is type(found)


REFUSED: list[tuple[Callable[[object], Any], list[object], str]] = [
    (structuring.text, NOT_TEXT, "is not text"),
    (structuring.text, NOT_FINITE, "is not a finite number"),
    (structuring.text, [10**5_000], "."),
    (structuring.identifier, NOT_TEXT, "is not text"),
    (structuring.identifier, ["x" * 1_025], "is longer than 1024 characters"),
    (structuring.name, NOT_TEXT, "is not text"),
    (structuring.name, ["x" * 4_097], "is longer than 4096 characters"),
    (structuring.number, [*NOT_TEXT, "x", " ", 10**400, Decimal(1)], "is not a number"),
    (
        structuring.number,
        [*NOT_FINITE, "nan", "-inf", "1e999", "9" * 5_000],
        "is not a finite number",
    ),
    (structuring.seconds, [-1, "-0.5"], "is negative"),
    (structuring.timestamp, [-1], "is negative"),
    (structuring.timestamp, [1e14, "100000000000000"], "is no time that a chat can have"),
    (structuring.integer, [1.5, "1.5"], "is not a whole number"),
    (structuring.integer, [True, "one"], "is not a number"),
    (structuring.boolean, [0, 1, "yes", "1", [], {}], "is neither true nor false"),
    (structuring.json_object, ["", "{", "x", "[" * 200_000], "is not the JSON text of an object"),
    (structuring.json_object, ["5", "[]", "null", '"{}"', None, 5, [], b"{}"], "is not an object"),
]


@pytest.mark.parametrize(
    ("parser", "value", "why"),
    [(parser, value, why) for parser, values, why in REFUSED for value in values],
    ids=lambda part: part.__name__ if callable(part) else type(part).__name__,
)
def test_refused(parser: Callable[[object], Any], value: object, why: str) -> None:
    """A parser refuses a value that it cannot use; the error does not quote it."""
    with pytest.raises(ValueError, match=f"^{why}") as caught:
        parser(value)

    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("value", "depth"),
    [([], 1), ({}, 1), ([[], {}], 2), ({"a": {"b": []}}, 3), (([],), 2), ([1, [2, ["x"]]], 3)],
)
def test_depth(value: object, depth: int) -> None:
    """Each list, tuple or object inside another is one more level."""
    assert structuring.deeper_than(depth - 1, value)
    assert not structuring.deeper_than(depth, value)


@pytest.mark.parametrize("value", [None, 5, "[[[[", True, 1.5])
def test_depth_of_scalars(value: object) -> None:
    """A value that is not a container has no depth."""
    assert not structuring.deeper_than(0, value)


def test_depth_of_a_cycle() -> None:
    """A value that contains itself counts as too deep."""
    cycle: list[Any] = []
    cycle.append(cycle)

    assert structuring.deeper_than(structuring.MAX_DEPTH, cycle)
