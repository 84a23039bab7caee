"""Paths: the shortest sequence of inputs to every state and through every transition of a session.

As `getShortestPaths` and `getSimplePaths` of XState do for one of its machines, these functions
read the transition tables of a session; and they give typed events and commands, which really take
a `ChatSession` there:

>>> from chatfsm import ChatSession
>>> from chatfsm.testing.paths import drive, shortest_paths, transition_paths
>>> path = shortest_paths("call")["active"]
>>> for step in path.steps:
...     print(type(step.item).__name__, step.row)
Signaling ('request_call', 'idle', 'requested')
Signaling ('answer_call', 'requested', 'active')
>>> session = ChatSession("chat-1")
>>> [type(effect).__name__ for effect in drive(session, path)]
['SignalReceived', 'CallChanged', 'SignalReceived', 'CallChanged']
>>> session.call
'active'

A test of an app, or of a session of another make, can so visit all there is to visit:

>>> for row, path in transition_paths("lifecycle").items():
...     session = ChatSession("chat-1")
...     effects = drive(session, path)
...     assert session.state == path.state, row

The machines are `lifecycle`, `form`, `call`, `delivery`, `cobrowsing` and `commands`: diagrams/
shows them. The last has a transition for each command and each state that allows it, which leads
back to the state; the lifecycle takes the session there.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from typing import Final, Literal, get_args

from attrs import frozen

from chatfsm import commands, events, signaling
from chatfsm._session import tables
from chatfsm._session.session import ChatSession
from chatfsm._statemachine import Row, TransitionTable
from chatfsm.effects import Effect
from chatfsm.inputs import History, Input, Lost, SendFailed, Sent, Tick

__all__ = [
    "MACHINES",
    "Machine",
    "Path",
    "Step",
    "drive",
    "shortest_paths",
    "simple_paths",
    "transition_paths",
]

Machine = Literal["lifecycle", "form", "call", "delivery", "cobrowsing", "commands"]
"""A state machine of a session."""

MACHINES: Final[tuple[Machine, ...]] = get_args(Machine)
"""All state machines of a session."""

FORM_ID: Final = "form-1"
"""The form of the paths of `form`."""
MSG_ID: Final = "path:1"
"""The message of the paths of `delivery`."""
_AGENT: Final = "agent-1"
_FORM_TIMEOUT: Final = 60.0


@frozen
class Step:
    """One input of a path."""

    item: Input
    """The input that the session receives."""
    row: Row | None = None
    """The transition that the input makes: its trigger, source and destination. None if the input
    only prepares the next ones, as a form must be shown before it can be answered."""
    after: float = 0.0
    """Seconds since the step before."""


@frozen
class Path:
    """A sequence of inputs for a new session, and the state that it leads to."""

    machine: Machine
    """The name of the transition table whose transitions the path makes."""
    state: str
    """The state of the machine after the last step."""
    steps: tuple[Step, ...] = ()
    """The inputs, in order; (): the new session is in that state already."""

    @property
    def rows(self) -> tuple[Row, ...]:
        """The transitions of the machine, in order."""
        return tuple(step.row for step in self.steps if step.row is not None)


_TABLES: Final[Mapping[Machine, TransitionTable]] = {
    "lifecycle": tables.LIFECYCLE,
    "form": tables.FORM,
    "call": tables.CALL,
    "delivery": tables.DELIVERY,
    "cobrowsing": tables.COBROWSING,
    "commands": tables.ALLOWED_COMMANDS,
}


def _signal(signal: signaling.Signal) -> events.Signaling:
    return events.Signaling(signal, party_id=_AGENT)


_OFFER: Final = Step(_signal(signaling.CallOffer("v=0")))
_PROMPT: Final = Step(events.FormShow(FORM_ID, "", _FORM_TIMEOUT))
_COBROWSING: Final = Step(events.Cobrowsing("requested", party_id=_AGENT))

# Where a machine is after these steps, for the first transition to start from.
_START: Final[Mapping[Machine, tuple[str, tuple[Step, ...]]]] = {
    "lifecycle": (tables.LIFECYCLE.initial, ()),
    "form": (tables.FORM.initial, (_PROMPT,)),
    "call": (tables.CALL.initial, ()),
    "delivery": (tables.DELIVERY.initial, (Step(commands.SendText("Hello", msg_id=MSG_ID)),)),
    # Only the server requests it; the table has the app's replies.
    "cobrowsing": ("requested", (_COBROWSING,)),
}

# What fires a trigger: an event of the server, unless only a command of the app can.
_LIFECYCLE: Final[Mapping[str, Input]] = {
    **{state: events.Status(state) for state in tables.STATUS_STATES},
    "ended": events.Ended(),
    "inactivity_timeout": events.InactivityTimeout("You were away for too long."),
    "lost": Lost("no such session"),
}
_INPUTS: Final[Mapping[Machine, Mapping[str, Input]]] = {
    "lifecycle": _LIFECYCLE,
    "form": {
        "form_data": events.FormData(FORM_ID),
        "message": events.Message(msg="17"),  # without a party_id: the customer's
        "form_cancel": events.FormDataCancel(FORM_ID),
        "deadline": Tick(),
        "form_show": events.FormShow(FORM_ID, "survey", _FORM_TIMEOUT),
        "termination": events.Ended(),
    },
    "call": {
        "request_call": _signal(signaling.CallRequest()),
        "offer_call": _OFFER.item,
        "answer_call": _signal(signaling.CallAnswer("v=0")),
        "call_rejected": _signal(signaling.CallRejection()),
        "end_call": _signal(signaling.CallEnd()),
        "answer": commands.AnswerCall("v=0"),
        "reject": commands.RejectCall(),
        "candidate": commands.SendCandidate("candidate:1"),
        "hang_up": commands.EndCall(),
        "termination": events.Ended(),
    },
    "delivery": {
        "sent": Sent((MSG_ID,)),
        "refused": SendFailed((MSG_ID,), "refused", retryable=False),
        "in_doubt": SendFailed((MSG_ID,), "no reply", retryable=True),
        "missing": History((), complete=True),
        "delivered": events.MessageDelivered(MSG_ID, party_id=_AGENT),
        "read": events.MessageRead(MSG_ID, party_id=_AGENT),
    },
    "cobrowsing": {
        "rejected": commands.CobrowsingReply("rejected"),
        "started": commands.CobrowsingReply("started"),
        "ended": commands.CobrowsingReply("ended"),
    },
    "commands": {
        "send_text": commands.SendText("Hello"),
        "send_file": commands.SendFile("file-1", "image"),
        "send_location": commands.SendLocation(48.1, 11.6),
        "send_navigation": commands.SendNavigation("https://shop.example/cart"),
        "start_typing": commands.StartTyping(),
        "stop_typing": commands.StopTyping(),
        "submit_form": commands.SubmitForm(FORM_ID, {"order": "17"}),
        "cancel_form": commands.CancelForm(FORM_ID),
        "mark_delivered": commands.MarkDelivered("2"),
        "mark_read": commands.MarkRead("2"),
        "disconnect": commands.Disconnect(),
        "end": commands.End(),
        "request_call": commands.RequestCall(),
        "answer_call": commands.AnswerCall("v=0"),
        "reject_call": commands.RejectCall(),
        "send_candidate": commands.SendCandidate("candidate:1"),
        "end_call": commands.EndCall(),
        "request_phone_call": commands.RequestPhoneCall("+1 555 0100"),
        "request_sms": commands.RequestSms("+1 555 0100"),
        "cobrowsing_reply": commands.CobrowsingReply("started"),
    },
}
# What must be there before a command is allowed, besides the state.
_NEEDS: Final[Mapping[str, Step]] = {
    **dict.fromkeys(("submit_form", "cancel_form"), _PROMPT),
    **dict.fromkeys(("answer_call", "reject_call", "send_candidate", "end_call"), _OFFER),
    "cobrowsing_reply": _COBROWSING,
}


def shortest_paths(machine: Machine) -> dict[str, Path]:
    """Return a shortest path to each state of a machine, the initial state first.

    Raises ValueError if `machine` is not one of `MACHINES`.
    """
    table = _table(machine)
    if machine == "commands":  # only the lifecycle leaves a state
        found = shortest_paths("lifecycle")
        return {state: Path(machine, state, _prepared(path)) for state, path in found.items()}
    start, before = _START[machine]
    paths = {table.initial: Path(machine, table.initial)}
    paths[start] = Path(machine, start, before)
    queue = deque([paths[start]])
    while queue:
        path = queue.popleft()
        for longer in _extended(path):
            if longer.state not in paths:
                paths[longer.state] = longer
                queue.append(longer)
    return paths


def transition_paths(machine: Machine) -> dict[Row, Path]:
    """Return a shortest path through each transition of a machine, by its row.

    A row is (trigger, source, destination), and the last step of its path. An unexpected transition
    is an anomaly, and a violation in a strict session. Raises ValueError as `shortest_paths` does.
    """
    return {
        path.rows[-1]: path
        for before in shortest_paths(machine).values()
        for path in _extended(before)
    }


def simple_paths(machine: Machine) -> Iterator[Path]:
    """Yield all paths of a machine that are in no state twice, shorter ones before their longer.

    The lifecycle has 1,630. Raises ValueError as `shortest_paths` does.
    """
    if machine == "commands":
        yield from shortest_paths(machine).values()
        return
    _table(machine)
    start, before = _START[machine]
    queue = deque([Path(machine, start, before)])
    while queue:
        path = queue.popleft()
        yield path
        states = {start, *(destination for _, _, destination in path.rows)}
        queue += (longer for longer in _extended(path) if longer.state not in states)


def drive(session: ChatSession, path: Path, *, now: float = 0.0) -> list[Effect]:
    """Feed the inputs of a path to a new session, and return all effects.

    `now`: seconds on the clock of the session at the first step. The session raises what
    `ChatSession.receive` raises.
    """
    effects: list[Effect] = []
    for step in path.steps:
        now += step.after
        effects += session.receive(step.item, now=now)
    return effects


def _table(machine: Machine) -> TransitionTable:
    if machine not in _TABLES:
        raise ValueError(f"machine must be one of {', '.join(MACHINES)}, not {machine!r}")
    return _TABLES[machine]


def _prepared(path: Path) -> tuple[Step, ...]:
    """Return the steps of another machine's path, which only prepare."""
    return tuple(Step(step.item, None, step.after) for step in path.steps)


def _extended(path: Path) -> Iterator[Path]:
    """Yield the path with one transition more, for each that its state has."""
    machine, inputs = path.machine, _INPUTS[path.machine]
    if path.rows and path.rows[-1][0] == "termination":
        return  # the end of the session, which the table of the machine does not show
    for trigger, destination in _TABLES[machine].moves[path.state].items():
        needed = (_NEEDS[trigger],) if machine == "commands" and trigger in _NEEDS else ()
        after = _FORM_TIMEOUT if trigger == "deadline" else 0.0
        step = Step(inputs[trigger], (trigger, path.state, destination), after)
        yield Path(machine, destination, (*path.steps, *needed, step))
