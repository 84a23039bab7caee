"""How a chat's way is doing, for whoever watches many."""

from __future__ import annotations

from attrs import frozen

from chatfsm.conversation.state import State

__all__ = ["Health", "health_of"]


@frozen
class Health:
    """A moment of a client; seconds are counted from the `now` that it was asked at."""

    link: str
    """One of the states of the link's law."""
    silent_for: float | None
    """Seconds since a poll was last answered; None: none ever was."""
    next_in: float | None
    """Seconds until the client's deadline; None: it has none."""
    failures: int
    """Failures in a row: of polls, histories or POSTs, whichever has more."""
    owed: int
    """Requests without an answer."""
    waiting: int
    """Things said that are not known to have arrived, whether posted or not."""
    ignored: int
    """Replies that nobody waited for: late, repeated, or unknown."""


def health_of(state: State, deadline: float | None, now: float) -> Health:
    """What there is to say of a client's state."""
    paces = (state.poll_pace, state.history_pace, state.post_pace)
    return Health(
        link=state.link,
        silent_for=None if state.heard_at is None else now - state.heard_at,
        next_in=None if deadline is None else max(0.0, deadline - now),
        failures=max(pace.failures for pace in paces),
        owed=len(state.owed),
        waiting=len(state.queue) + len(state.batch),
        ignored=state.ignored,
    )
