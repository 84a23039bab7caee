"""Whole sessions: what a real server sends from the first status to the end, poll by poll."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Literal

from hypothesis import strategies as st

from chatfsm._protocol import names as wire
from chatfsm._session.tables import LIFECYCLE, OUTCOMES, STATUS_STATES
from chatfsm.testing.strategies._values import made_once

__all__ = ["Poll", "server_sessions"]

Poll = tuple[float, list[dict[str, Any]]]
"""Seconds since the poll before, and the events of the reply as JSON objects."""

_Ending = Literal["none", "ended", "inactivity", "failed", "completed"]
_FIRST_SECOND: Final = 1_700_000_000
_PEOPLE: Final = (
    ("scenario-1", "scenario", "Welcome"),
    ("agent-ada", "internal", "Ada"),
    ("agent-bo", "internal", "Bo"),
    ("guest-cy", "external", "Cy"),
)
_WORDS: Final = (
    "Hello",
    "One moment, please",
    "<b>Order</b> 17<br>is on its way",
    "\u00e9\u4e2d\U0001f600",
)


class _Server:
    """A server that says one thing after another, each possible after what it said before."""

    def __init__(self) -> None:
        self.now = 0.0
        self.state = "establishing"
        self.present: list[int] = []
        self.messages: list[tuple[str, str]] = []
        """Party and id of each message."""
        self.secure_forms: list[str] = []
        self.call = "idle"
        self.polls: list[Poll] = [(0.0, [])]
        self._number = 0

    def next_id(self) -> str:
        """Return an id: servers number by even numbers (PROTOCOL.md §2)."""
        self._number += 2
        return str(self._number)

    def say(self, name: str, *, stamped: bool = True, **fields: Any) -> None:
        """Add an event to the reply of this poll."""
        time = {"timestamp": str(_FIRST_SECOND + int(self.now))} if stamped else {}
        self.polls[-1][1].append({"event": name, **fields, **time})

    def wait(self, seconds: float) -> None:
        """Begin another poll."""
        if seconds:
            self.now += seconds
            self.polls.append((seconds, []))

    def change_state(self, choice: int) -> None:
        """Go to another state of a session that is not over."""
        known = [
            state
            for state in LIFECYCLE.moves[self.state]
            if state in STATUS_STATES and state not in {"establishing", *OUTCOMES}
        ]
        self.state = known[choice % len(known)]
        wait = ("", "0", "10")[choice % 3]
        self.say(wire.STATUS, stamped=False, state=self.state, ewt=wait)

    def join(self, choice: int) -> None:
        """Let a party join that is not in the chat."""
        absent = [number for number in range(len(_PEOPLE)) if number not in self.present]
        if absent:
            number = absent[choice % len(absent)]
            self.present.append(number)
            party_id, kind, name = _PEOPLE[number]
            names: dict[str, Any] = {"display_name": name, "first_name": name, "last_name": ""}
            self.say(wire.PARTY_JOINED, party_id=party_id, type=kind, **names)

    def leave(self, choice: int) -> None:
        """Let a party leave that is in the chat."""
        if self.present:
            number = self.present.pop(choice % len(self.present))
            self.say(wire.PARTY_LEFT, party_id=_PEOPLE[number][0])

    def party(self, choice: int) -> str:
        """Return the id of a party; the scenario speaks without having joined."""
        here = self.present or [0]
        return _PEOPLE[here[choice % len(here)]][0]

    def write(self, choice: int) -> None:
        """Send a message."""
        party_id, msg_id = self.party(choice), self.next_id()
        self.messages.append((party_id, msg_id))
        msg = _WORDS[choice % len(_WORDS)]
        self.say(wire.MESSAGE, party_id=party_id, msg_id=msg_id, msg=msg, channel="web")

    def edit(self, choice: int) -> None:
        """Edit or delete a message."""
        if self.messages:
            party_id, msg_id = self.messages[choice % len(self.messages)]
            if choice % 2:
                self.say(wire.MESSAGE_DELETE, ref_msg_id=msg_id, party_id=party_id)
            else:
                msg = f"{_WORDS[choice % len(_WORDS)]}, edited"
                self.say(wire.MESSAGE_EDIT, ref_msg_id=msg_id, party_id=party_id, msg=msg)

    def type(self, choice: int) -> None:
        """Start or stop typing; some start and never stop."""
        name = wire.NOT_TYPING if choice % 3 == 0 else wire.TYPING
        self.say(name, stamped=False, party_id=self.party(choice))

    def share(self, choice: int) -> None:
        """Share a file, its URL, or a place."""
        shared: dict[str, Any] = {"party_id": self.party(choice), "msg_id": self.next_id()}
        if choice % 3 == 0:
            kind = ("image", "attachment")[choice % 2]
            self.say(wire.FILE, file_id=f"file-{shared['msg_id']}", file_type=kind, **shared)
        elif choice % 3 == 1:
            url = f"https://files.example.com/{shared['msg_id']}"
            self.say(wire.FILE_URL, file_url=url, file_type="image", **shared)
        else:
            self.say(wire.LOCATION, latitude="52.5", longitude="13.25", **shared)

    def show_form(self, choice: int) -> None:
        """Show a form, a text prompt or a secure form, or cancel a secure form."""
        form, is_prompt = self.next_id(), choice % 2 == 0
        match choice % 4:
            case 3 if self.secure_forms:
                self.say(wire.SECURE_FORM_CANCEL, form_request_id=self.secure_forms.pop())
            case 2:
                self.secure_forms.append(form)
                self.say(wire.SECURE_FORM_SHOW, form_request_id=form, form_id="card")
            case _:
                limit = (0, "20", 3_600)[choice % 3]
                shown: dict[str, Any] = {
                    "form_name": "" if is_prompt else "survey",
                    "form_timeout": limit,
                }
                self.say(wire.FORM_SHOW, form_request_id=form, channel="web", **shown)

    def signal(self, choice: int) -> None:
        """Offer a call, send a candidate of its network, or end it."""
        data: dict[str, Any] = {"type": wire.OFFER_CALL, "sdp": "v=0", "offerVideo": "false"}
        if self.call == "offered":
            data = {"type": wire.ICE_CANDIDATE, "candidate": f"candidate:{choice}", "sdpMid": "0"}
            if choice % 3 == 0:
                data = {"type": wire.END_CALL}
        self.call = "idle" if data["type"] == wire.END_CALL else "offered"
        self.say(wire.SIGNALING, party_id=self.party(choice), msg_id=self.next_id(), data=data)

    def inform(self, choice: int) -> None:
        """Say something about the service, the case, co-browsing or the customer's silence."""
        match choice % 4:
            case 0:
                self.say(wire.TIMEOUT_WARNING, msg="Are you still there?")
            case 1:
                self.say(wire.CASE_SET, case_id=("", "case-1", "case-2")[choice % 3])
            case 2:
                self.say(wire.INFO, stamped=False, service_name="Parcels")
            case _:
                self.say(wire.COBROWSING_REQUESTED, stamped=False, msg_id=self.next_id())

    def repeat(self, _choice: int) -> None:
        """Give the last poll with events again, as a cache does."""
        for _, events in reversed(self.polls[:-1]):
            if events:
                self.polls[-1][1].extend(dict(event) for event in events)
                return

    def end(self, ending: _Ending) -> None:
        """End the session, in one reply with what follows (PROTOCOL.md §5)."""
        if ending == "inactivity":
            self.say(wire.INACTIVITY_TIMEOUT, msg="Closed for inactivity")
        elif ending != "ended":
            self.say(wire.STATUS, stamped=False, state=ending, ewt="")
        self.say(wire.ENDED, stamped=False)
        for number in self.present:
            self.say(wire.PARTY_LEFT, party_id=_PEOPLE[number][0])


_ACTIONS: Final[dict[str, Callable[[_Server, int], None]]] = {
    "write": _Server.write,
    "join": _Server.join,
    "leave": _Server.leave,
    "type": _Server.type,
    "state": _Server.change_state,
    "form": _Server.show_form,
    "share": _Server.share,
    "edit": _Server.edit,
    "signal": _Server.signal,
    "inform": _Server.inform,
}
_PAUSES: Final = st.sampled_from((0.0, 0.0, 0.5, 5.0, 45.0))
_CHOICES: Final = st.integers(0, 11)
_ENDINGS: Final[tuple[_Ending, ...]] = ("ended", "inactivity", "failed", "completed", "none")


@made_once
def server_sessions(
    *, ending: bool = True, repeats: bool = False, max_size: int = 20
) -> st.SearchStrategy[list[Poll]]:
    """Return a strategy for whole sessions that a real server could send.

    A session is a list of polls: the seconds since the poll before, and the events of the reply as
    JSON objects, which `chatfsm.decode` takes. Each is possible after those before: who leaves was
    there, and edited messages were sent. A session of chatfsm reports no `Anomaly`.

    `ending`: whether sessions may end; then most do. `repeats`: whether a poll may be given again,
    as from a cache. `max_size`: the most actions of the server, 0 or more. Shrinks to a session
    that is connected and ends at once, or goes on if `ending` is false.
    """
    actions = {**_ACTIONS, "repeat": _Server.repeat} if repeats else _ACTIONS
    acts = st.tuples(st.sampled_from(tuple(actions.values())), _CHOICES, _PAUSES)
    endings = st.sampled_from(_ENDINGS if ending else ("none",))
    first = st.sampled_from(("connected", "queued", "ivr"))
    return st.builds(_session, first, st.lists(acts, max_size=max_size), endings)


def _session(
    first: str,
    acts: Sequence[tuple[Callable[[_Server, int], None], int, float]],
    ending: _Ending,
) -> list[Poll]:
    server = _Server()
    server.state = first
    server.say(wire.STATUS, stamped=False, state=first, ewt="")
    for act, choice, pause in acts:
        server.wait(pause)
        act(server, choice)
    if ending != "none":
        server.end(ending)
    return server.polls
