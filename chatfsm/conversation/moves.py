"""The law of the conversation: which moves exist, as tables of rows (law L2)."""

from __future__ import annotations

from typing import Final

from chatfsm.session.law import Law, Row, law_of

__all__ = ["HISTORY", "LINK", "POLL", "POST"]


def _from(trigger: str, sources: tuple[str, ...], destination: str) -> tuple[Row, ...]:
    return tuple((trigger, source, destination) for source in sources)


# The link, as the app is told of it.

_UP: Final = ("waiting", "live", "retrying")

LINK: Final[Law] = law_of(
    "link",
    ("waiting", "live", "retrying", "unauthorized", "over"),
    (
        *_from("heard", _UP, "live"),
        *_from("failed", _UP, "retrying"),
        *_from("busy", _UP, "waiting"),  # the server asks for patience
        *_from("refused", _UP, "unauthorized"),
        ("resume", "unauthorized", "retrying"),
        *_from("end", (*_UP, "unauthorized"), "over"),
    ),
)

# The one poll: it waits for its time, or is asked. Whatever becomes of it, the next waits.

POLL: Final[Law] = law_of(
    "poll",
    ("closed", "due", "asked"),
    (
        ("open", "closed", "due"),
        ("ask", "due", "asked"),
        ("answer", "asked", "due"),
        ("fail", "asked", "due"),
    ),
)

# What the server kept: up to date, or to be asked for. A doubt that comes up while it is asked for
# makes the answer stale before it is here.

HISTORY: Final[Law] = law_of(
    "history",
    ("fresh", "due", "asked", "stale"),
    (
        ("doubt", "fresh", "due"),
        ("doubt", "due", "due"),
        ("doubt", "asked", "stale"),
        ("doubt", "stale", "stale"),
        ("ask", "due", "asked"),
        ("answer", "asked", "fresh"),
        ("answer", "stale", "due"),
        ("fail", "asked", "due"),
        ("fail", "stale", "due"),
        ("give_up", "asked", "fresh"),
        ("give_up", "stale", "fresh"),
    ),
)

# The one POST of what was said: none, on its way, or of doubtful fate until a history tells.

POST: Final[Law] = law_of(
    "post",
    ("idle", "asked", "doubtful"),
    (
        ("ask", "idle", "asked"),
        ("answer", "asked", "idle"),
        ("put_back", "asked", "idle"),  # nothing of it was taken: the same again, later
        ("doubt", "asked", "doubtful"),
        ("resolve", "doubtful", "idle"),
    ),
)
