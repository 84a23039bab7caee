"""The way to the center, watched: when a fault strikes, and who polls a chat that is over."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from chatfsm.conversation.exchange import HttpReply, HttpRequest
from chatfsm.simulator.faults import Faults, Subject
from chatfsm.simulator.network import Broken, Center, Network, subject_of

__all__ = ["Watched"]

_NO_SUCH_CHAT: Final = 404
_NAMES: Final[dict[Subject, str]] = {"poll": "poll", "post": "POST"}
_BROKEN: Final = {
    "refused": "no connection",
    "reset": "arrived, but the connection breaks before the reply",
    "truncated": "answered, but the connection breaks within the reply",
    "garbage": "arrived, but what comes back is no HTTP",
    "lost": "nobody answers",
}


class Watched(Network):
    """A network that tells of each fault in words, as it strikes, and of each late poll."""

    def __init__(
        self,
        center: Center,
        faults: Faults,
        struck: Callable[[str], object],
        *,
        seed: int = 0,
    ) -> None:
        super().__init__(center, faults, seed=seed)
        self.strikes = 0
        """How many faults have struck."""
        self.late_polls = 0
        """How many polls were answered that there is no such chat: it was over, and had told so."""
        self.late: Callable[[int], object] | None = None
        """Told each time how many late polls there are now."""
        self._struck = struck
        self._about: dict[int, tuple[Subject, str]] = {}
        self._counts: dict[Subject, int] = {}

    def send(self, request: HttpRequest, *, now: float) -> None:
        """Bring a request on its way; a cache strikes at once."""
        subject = subject_of(request)
        number = self._counts[subject] = self._counts.get(subject, 0) + 1
        name = f"{_NAMES.get(subject, subject)} {number}"
        self._about[request.id] = subject, name
        repeated = self.met["duplicate"]
        super().send(request, now=now)
        if self.met["duplicate"] > repeated:
            self._strike(f"{name}: a cache repeats the reply before")

    def collect(self, *, now: float) -> list[HttpReply | Broken]:
        """What arrives at the clients by now; what is broken strikes here."""
        arrived = super().collect(now=now)
        for arrival in arrived:
            subject, name = self._about.pop(arrival.id)
            if isinstance(arrival, Broken):
                self._strike(f"{name}: {_BROKEN[arrival.kind]}")
            elif subject == "poll" and arrival.status == _NO_SUCH_CHAT:
                self.late_polls += 1
                if self.late is not None:
                    self.late(self.late_polls)
        return arrived

    def _strike(self, words: str) -> None:
        self.strikes += 1
        self._struck(words)
