"""The readers: what one value of the wire means, alone."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from chatfsm.protocol import readers

NOT_TEXT = [True, False, [], {}, b"x", object()]
NOT_FINITE = [float("nan"), float("inf"), float("-inf")]

READ: list[tuple[Callable[[object], Any], object, object]] = [
    (readers.text, None, None),
    (readers.text, "", ""),
    (readers.text, " a ", " a "),
    (readers.text, 0, "0"),
    (readers.text, -7, "-7"),
    (readers.text, 7.0, "7"),
    (readers.text, 7.25, "7.25"),
    (readers.text, 1e22, "1" + "0" * 22),
    (readers.word, None, None),
    (readers.word, "", None),
    (readers.word, 0, "0"),
    (readers.word, "x" * 1_024, "x" * 1_024),
    (readers.name, None, None),
    (readers.name, "", ""),
    (readers.name, 5, "5"),
    (readers.name, "x" * 4_096, "x" * 4_096),
    (readers.number, None, None),
    (readers.number, "", None),
    (readers.number, 0, 0.0),
    (readers.number, "-1.5", -1.5),
    (readers.number, "1e3", 1000.0),
    (readers.seconds, None, None),
    (readers.seconds, "", None),
    (readers.seconds, "0", 0.0),
    (readers.seconds, 1.5, 1.5),
    (readers.timestamp, None, None),
    (readers.timestamp, "", None),
    (readers.timestamp, 99_999_999_999, 99_999_999_999.0),
    (readers.timestamp, 100_000_000_000, 100_000_000.0),
    (readers.timestamp, "1614718748123", 1614718748.123),
    (readers.whole, None, None),
    (readers.whole, "", None),
    (readers.whole, 0, 0),
    (readers.whole, "3", 3),
    (readers.whole, 2.0, 2),
    (readers.flag, None, None),
    (readers.flag, "", None),
    (readers.flag, True, True),
    (readers.flag, False, False),
    (readers.flag, "true", True),
    (readers.flag, "False", False),
    (readers.flag, "TRUE", True),
    (readers.dropped, {"pin": 1}, None),
    (readers.json_object, {"a": 1}, {"a": 1}),
    (readers.json_object, '{"a": 1}', {"a": 1}),
    (readers.json_object, "{}", {}),
]


@pytest.mark.parametrize(("reader", "came", "found"), READ)
def test_read(reader: Callable[[object], Any], came: object, found: object) -> None:
    """A reader gives what the value means, in the type that it promises."""
    result = reader(came)

    assert result == found
    assert type(result) is type(found)


REFUSED: list[tuple[Callable[[object], Any], list[object], str]] = [
    (readers.text, NOT_TEXT, "is not text"),
    (readers.text, NOT_FINITE, "is not a finite number"),
    (readers.text, [10**5_000], "."),
    (readers.word, NOT_TEXT, "is not text"),
    (readers.word, ["x" * 1_025], "is longer than 1024 characters"),
    (readers.name, NOT_TEXT, "is not text"),
    (readers.name, ["x" * 4_097], "is longer than 4096 characters"),
    (readers.number, [*NOT_TEXT, "x", " ", 10**400, Decimal(1)], "is not a number"),
    (readers.number, [*NOT_FINITE, "nan", "-inf", "1e999", "9" * 5_000], "is not a finite number"),
    (readers.seconds, [-1, "-0.5"], "is negative"),
    (readers.timestamp, [-1], "is negative"),
    (readers.timestamp, [1e14, "100000000000000"], "is no time that a chat can have"),
    (readers.whole, [1.5, "1.5"], "is not a whole number"),
    (readers.whole, [True, "one"], "is not a number"),
    (readers.flag, [0, 1, "yes", "1", [], {}], "is neither true nor false"),
    (readers.json_object, ["", "{", "x", "[" * 200_000], "is not the JSON text of an object"),
    (readers.json_object, ["5", "[]", "null", '"{}"', None, 5, [], b"{}"], "is not an object"),
]


@pytest.mark.parametrize(
    ("reader", "value", "why"),
    [(reader, value, why) for reader, values, why in REFUSED for value in values],
    ids=lambda part: part.__name__ if callable(part) else type(part).__name__,
)
def test_refused(reader: Callable[[object], Any], value: object, why: str) -> None:
    """A reader refuses what it cannot use, and says why without quoting it."""
    with pytest.raises(ValueError, match=f"^{why}") as caught:
        reader(value)

    assert len(str(caught.value)) < 200


@pytest.mark.parametrize(
    ("value", "depth"),
    [([], 1), ({}, 1), ([[], {}], 2), ({"a": {"b": []}}, 3), (([],), 2), ([1, [2, ["x"]]], 3)],
)
def test_depth(value: object, depth: int) -> None:
    """Every list, tuple or object inside another is one level more."""
    assert readers.deeper_than(depth - 1, value)
    assert not readers.deeper_than(depth, value)


@pytest.mark.parametrize("value", [None, 5, "[[[[", True, 1.5])
def test_depth_of_scalars(value: object) -> None:
    """What holds nothing has no depth."""
    assert not readers.deeper_than(0, value)


def test_depth_of_a_circle() -> None:
    """A value that holds itself is too deep, and found out."""
    circle: list[Any] = []
    circle.append(circle)

    assert readers.deeper_than(readers.DEEPEST, circle)
