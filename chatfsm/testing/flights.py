"""The requests of a client that are on their way, as far as whoever watches can tell."""

from __future__ import annotations

from urllib.parse import urlsplit

from chatfsm.conversation.exchange import HttpRequest

__all__ = ["Flights"]


class Flights:
    """Which requests were told and not answered; over all lives of a client."""

    def __init__(self) -> None:
        self.last_id = 0
        self._lanes: dict[int, tuple[str, float]] = {}
        """By id: what it is for, and when the client gives it up by itself."""

    def started(self, request: HttpRequest, given_up_at: float) -> None:
        """A request was told. Raises AssertionError where it should not have been."""
        if request.id <= self.last_id:
            raise AssertionError(f"request {request.id} comes after {self.last_id}: not unique")
        self.last_id = request.id
        lane = _lane(request)
        if lane and any(lane == other for other, _ in self._lanes.values()):
            raise AssertionError(f"a second {lane} while one is on its way")
        self._lanes[request.id] = lane, given_up_at

    def landed(self, request_id: int) -> None:
        """A request was answered, or has failed."""
        self._lanes.pop(request_id, None)

    def expired(self, now: float) -> None:
        """The client has given up what took too long."""
        if any(given_up_at <= now for _, given_up_at in self._lanes.values()):
            self._lanes = {
                number: flight for number, flight in self._lanes.items() if flight[1] > now
            }

    def broke(self) -> None:
        """All connections have broken with the process."""
        self._lanes.clear()


def _lane(request: HttpRequest) -> str:
    """What only one of may be on its way; "" for the calls of an app."""
    path = urlsplit(request.url).path
    if path.endswith("/events"):
        return {"GET": "poll", "POST": "POST"}[request.method]
    return "history" if path.endswith("/history") else ""
