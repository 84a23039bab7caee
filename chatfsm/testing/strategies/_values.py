"""Values of single fields: ids, texts, times, and JSON that no field expects."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, Final, TypeVar, cast

from hypothesis import strategies as st

__all__ = [
    "PARTIES",
    "hostile_json",
    "made_once",
    "message_ids",
    "odd_json",
    "party_ids",
    "pauses",
    "texts",
    "timestamps",
]

Maker = TypeVar("Maker", bound=Callable[..., Any])


def made_once(maker: Maker) -> Maker:
    """Make a strategy once for the same arguments.

    Making a strategy for each example takes longer than drawing from it.
    """
    return cast("Maker", cache(maker))


# Few of each, so that ids repeat. The last two are the customer's, in a chat "chat-1".
PARTIES: Final = ("A", "B", "C", "CHAT-1", "chat-1")
_PARTY_IDS: Final = st.sampled_from(PARTIES)
_MESSAGE_IDS: Final = st.sampled_from(("1", "2", "3", "4", "5", "6"))
# 65 characters are more than the session keeps of a text.
_TEXTS: Final = st.sampled_from(
    ("", "hello", "<b>hello</b>", "x" * 65, "y" * 65, "\0", "~", "\ud800")
)
_TIMESTAMPS: Final = st.one_of(st.integers(0, 200), st.integers(0, 200).map(str), st.none())
_PAUSES: Final = st.integers(0, 64 * 50).map(lambda ticks: ticks / 64)

_ODD: Final[st.SearchStrategy[Any]] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=5),
        st.just(10**400),
        st.just("9" * 5_000),
        st.just("z" * 2_000),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)


def _nested(levels: int) -> Any:
    """A list within a list, so many levels deep."""
    value: Any = []
    for _ in range(levels):
        value = [value]
    return value


_HOSTILE: Final[st.SearchStrategy[Any]] = st.one_of(
    st.sampled_from(
        (
            "\x1b[2J\x1b]0;title\x07",  # moves a terminal's cursor
            "\u202egnp.exe",  # reverses what follows it
            "<script>alert(1)</script>",
            "a\r\nb: c",  # another header, where it gets into one
            "\0",
            "\ud800",  # half a character
            "../../etc/passwd",
            "NaN",
            "1e999",
        )
    ),
    st.integers(1_000, 20_000).map(lambda length: "z" * length),
    st.integers(300, 6_000).map(lambda digits: "9" * digits),
    st.integers(300, 4_000).map(lambda digits: 10**digits),
    st.sampled_from((-1, -1e308, 1e308, 2**63, 2**53 + 1, True)),
    st.integers(20, 200).map(_nested),
    st.integers(1_001, 3_000).map(lambda size: [{}] * size),
    st.integers(100, 1_000).map(lambda size: {str(number): number for number in range(size)}),
)


def party_ids() -> st.SearchStrategy[str]:
    """Return a strategy for ids of parties.

    Five ids, two of which are the customer's in a chat "chat-1". Shrinks to "A".
    """
    return _PARTY_IDS


def message_ids() -> st.SearchStrategy[str]:
    """Return a strategy for ids of messages and forms.

    Six ids, so that they repeat. Shrinks to "1".
    """
    return _MESSAGE_IDS


def texts() -> st.SearchStrategy[str]:
    """Return a strategy for texts of messages: empty, short, long, HTML, and half a character.

    Shrinks to "".
    """
    return _TEXTS


def timestamps() -> st.SearchStrategy[int | str | None]:
    """Return a strategy for times on the wire: seconds as a number or as text, or None.

    Shrinks to 0.
    """
    return _TIMESTAMPS


def pauses() -> st.SearchStrategy[float]:
    """Return a strategy for seconds between two inputs, from 0 to 50.

    Multiples of a 64th of a second: their sums and differences are exact. Shrinks to 0.0.
    """
    return _PAUSES


def odd_json() -> st.SearchStrategy[Any]:
    """Return a strategy for JSON values that no field expects, among them very long ones.

    Shrinks to None.
    """
    return _ODD


def hostile_json() -> st.SearchStrategy[Any]:
    """Return a strategy for JSON values that are made to do harm.

    Escape sequences, huge numbers and texts, deep nesting, long lists. Shrinks to the escape
    sequence of a terminal.
    """
    return _HOSTILE
