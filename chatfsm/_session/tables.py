"""Transition tables: which transitions the state machines of a session have.

Theory of operation
===================

A chat with a contact center looks like one state machine, but most of what happens in it is
independent: an agent types while a form is open and a call rings. One machine for all of it would
need a state for each combination. A session therefore runs several small machines side by side:

    LIFECYCLE    one per session: establishing, ivr, queued, connecting, connected, completed;
                 the final states ended, timed_out, failed and gone are the outcomes
    FORM         one per form that the server shows, from open to the reason why it is closed
    CALL         one per session: the voice or video call, as far as signaling tells
    DELIVERY     one per message that the app sends, from pending to read or failed
    COBROWSING   one per session, only to check the replies of the app

The roster, the typing notifications, the inactivity warning, the case and the service's name are
not here. Each of them is a plain value that an event sets, so a table would say nothing.

What couples the machines
-------------------------

The machines do not know each other. They are coupled in two ways only:

1. A state of LIFECYCLE has consequences. `completed` stops all typing. A final state closes every
   open form (trigger "termination" of FORM), ends the call ("termination" of CALL), makes pending
   messages unconfirmed ("in_doubt" of DELIVERY), and adds `Terminated` as the last effect. Only
   `lifecycle` moves LIFECYCLE, and it applies these consequences.
2. One input may move several machines. A text of the customer may be the echo of a message that the
   app sent ("sent" of DELIVERY); if it is not, it answers the latest text prompt ("message" of
   FORM) and clears the inactivity warning. The handler of that input makes these changes, in order.

The topics (`forms`, `calls`, `messages`, …) do not import each other. What several of them change
(a form is closed, typing stops, the call moves, a message is confirmed) stands below them, in
`changes` and `outbox`.

Why commands are a table
------------------------

Whether the app may send something depends on the state of the session first, and that part is data:
ALLOWED_COMMANDS has a row (command, state, state) for each allowed pair. Commands never move
LIFECYCLE, because only the server does that: after `End` the session waits for the server's event.
A table has three advantages over conditions in the handlers: diagrams/commands.md is drawn from it,
a test compares it with the behavior of a session for every pair, and the reason for a refusal
(`refusal_reason`) follows from the state alone.

Further conditions depend on more than the state: the form must be open, the call must be offered,
the outbox must have room. They are guards, beside the handlers in `COMMANDS` of `dispatch`. A
refused command raises `LocalProtocolError` and changes nothing (law L3).

What "unexpected" means
-----------------------

The server decides which state a session is in. LIFECYCLE therefore has a row from every state that
is not final to every state that a status can name. The rows in UNEXPECTED are those that no server
is known to need: a session that has left `establishing` does not return to it. The session obeys
them, since a client with a state of its own would be wrong in any case, and adds the anomaly
"unexpected_transition" (a strict session raises `RemoteProtocolError`). A state name that is not in
STATUS_STATES is no trigger: it changes nothing and is the anomaly "unknown_state".

The other tables have fewer rows, and a trigger without a row does nothing: an answer to a call that
was not requested is reported as a signal, and the call stays idle. A final state of LIFECYCLE has
no rows at all, so nothing leaves it (law L4).

How a table becomes a dict
--------------------------

`transition_table(name, states, rows)` gives the rows to one `transitions.Machine`, without a model
and without automatic transitions, and compiles the machine at import to a plain dict:

    LIFECYCLE.moves["queued"]["connected"]  →  "connected"
    LIFECYCLE.moves["ended"]                →  {}

Sessions read only `moves`: a look-up takes 0.14 µs, `transitions` itself 8 µs. The machine stays
the authority: diagrams/ is drawn from it, and a test compares it with the dict for every pair of
state and trigger. There are no wildcards and no callbacks; what is in no row does not exist.

How dispatch reads the tables
-----------------------------

    HANDLERS[state of LIFECYCLE][class of the input]  →  the handler, and whether it counts

`dispatch` builds one such table for each state at import. A state that is not final has the
handlers of all events, of the other inputs, and of the commands that ALLOWED_COMMANDS has a row
for; any other command has a handler that refuses it. A final state refuses commands, counts events
as late and ignores the rest. `receive` therefore makes one look-up, which is the check of the state
at once. Events in a history have handlers of their own, which merge them.

A handler asks the table of its machine for the next state, changes the session's state, and then
appends the effects. `moves[state].get(trigger)` is None if there is no such transition.
"""

from __future__ import annotations

from typing import Final

from chatfsm._statemachine import Row, transition_table
from chatfsm.models import Outcome

__all__ = [
    "ALLOWED_COMMANDS",
    "CALL",
    "COBROWSING",
    "DELIVERY",
    "FORM",
    "LIFECYCLE",
    "OUTCOMES",
    "STATUS_STATES",
    "UNEXPECTED",
    "refusal_reason",
]

# LIFECYCLE. The triggers are the states that a chat_session_status names and the shortened names of
# the events that end a session; "lost" is a reply of the API: there is no such session.

_EXPECTED: Final = {
    "establishing": ("ivr", "queued", "connecting", "connected", "completed"),
    "ivr": ("queued", "connecting", "connected", "completed"),
    "queued": ("ivr", "connecting", "connected", "completed"),
    "connecting": ("ivr", "queued", "connected", "completed"),
    # Back to a queue: a transfer, or the scenario looks for another agent.
    "connected": ("ivr", "queued", "connecting", "completed"),
    "completed": ("ivr", "queued", "connecting", "connected"),
}

_FINAL_TRIGGERS: Final[dict[str, Outcome]] = {
    "failed": "failed",
    "ended": "ended",
    "inactivity_timeout": "timed_out",
    "lost": "gone",
}

OUTCOMES: Final[dict[str, Outcome]] = {outcome: outcome for outcome in _FINAL_TRIGGERS.values()}
"""Final state → the outcome of the session, which has the same name."""

UNEXPECTED: Final[tuple[Row, ...]] = tuple(
    ("establishing", source, "establishing") for source in _EXPECTED if source != "establishing"
)
"""Transitions that no server is known to need: obeyed, and reported as an anomaly."""

STATUS_STATES: Final = frozenset({*_EXPECTED, "failed"})
"""The states that a chat_session_status can name (PROTOCOL.md §1 and §2)."""

LIFECYCLE: Final = transition_table(
    "lifecycle",
    (*_EXPECTED, *OUTCOMES),
    (
        *((state, source, state) for source, states in _EXPECTED.items() for state in states),
        *UNEXPECTED,
        *(
            (trigger, source, final)
            for source in _EXPECTED
            for trigger, final in _FINAL_TRIGGERS.items()
        ),
    ),
)

# FORM. The final states are the reasons of `FormClosed`.

FORM: Final = transition_table(
    "form",
    ("open", "submitted", "cancelled", "expired", "replaced", "terminated"),
    (
        ("form_data", "open", "submitted"),
        ("message", "open", "submitted"),  # the next own text answers a text prompt
        ("form_cancel", "open", "cancelled"),
        ("deadline", "open", "expired"),
        ("form_show", "open", "replaced"),  # the same request id with other content
        ("termination", "open", "terminated"),
    ),
)

# CALL. The triggers are the types of signals (PROTOCOL.md §4), then the commands of the app.

CALL: Final = transition_table(
    "call",
    ("idle", "requested", "offered", "active", "ended", "rejected"),
    (
        ("request_call", "idle", "requested"),
        ("request_call", "ended", "requested"),
        ("request_call", "rejected", "requested"),
        ("offer_call", "idle", "offered"),
        ("offer_call", "requested", "offered"),
        ("offer_call", "active", "offered"),  # other media or another agent: needs a new answer
        ("offer_call", "ended", "offered"),
        ("offer_call", "rejected", "offered"),
        ("answer_call", "requested", "active"),
        ("answer_call", "offered", "active"),
        ("call_rejected", "requested", "rejected"),
        ("call_rejected", "offered", "rejected"),
        ("end_call", "requested", "ended"),
        ("end_call", "offered", "ended"),
        ("end_call", "active", "ended"),
        # Commands of the app. Answer and rejection need an offer of the other side.
        ("answer", "offered", "active"),
        ("reject", "offered", "rejected"),
        ("candidate", "requested", "requested"),
        ("candidate", "offered", "offered"),
        ("candidate", "active", "active"),
        ("hang_up", "requested", "ended"),
        ("hang_up", "offered", "ended"),
        ("hang_up", "active", "ended"),
        ("termination", "requested", "ended"),
        ("termination", "offered", "ended"),
        ("termination", "active", "ended"),
    ),
)

# DELIVERY. The transport reports "sent", "refused", or "in_doubt" if the reply was lost. An echo is
# "sent", too; "delivered" and "read" are events of the server.

DELIVERY: Final = transition_table(
    "delivery",
    ("pending", "unconfirmed", "sent", "delivered", "read", "failed"),
    (
        *(("sent", source, "sent") for source in ("pending", "unconfirmed")),
        *(("refused", source, "failed") for source in ("pending", "unconfirmed")),
        ("in_doubt", "pending", "unconfirmed"),
        ("missing", "unconfirmed", "pending"),  # not in a complete history: sent again
        *(("delivered", source, "delivered") for source in ("pending", "unconfirmed", "sent")),
        *(("read", source, "read") for source in ("pending", "unconfirmed", "sent", "delivered")),
    ),
)

# COBROWSING. The triggers are the replies that the app may send.

COBROWSING: Final = transition_table(
    "cobrowsing",
    ("none", "requested", "rejected", "started", "ended"),
    (
        ("rejected", "requested", "rejected"),
        ("started", "requested", "started"),
        ("ended", "requested", "ended"),
        ("ended", "started", "ended"),
    ),
)

# ALLOWED_COMMANDS. The triggers are the commands; every row leads back to its own state.

_ALWAYS: Final = (
    *("send_text", "send_file", "send_location", "send_navigation"),
    *("start_typing", "stop_typing", "submit_form", "cancel_form"),
    *("mark_delivered", "mark_read", "cobrowsing_reply", "end"),
    *("answer_call", "reject_call", "send_candidate", "end_call"),
)
_UNTIL_COMPLETED: Final = ("disconnect", "request_phone_call", "request_sms")
_CONNECTED_ONLY: Final = ("request_call",)

ALLOWED_COMMANDS: Final = transition_table(
    "commands",
    LIFECYCLE.states,
    (
        *((command, state, state) for command in _ALWAYS for state in _EXPECTED),
        *(
            (command, state, state)
            for command in _UNTIL_COMPLETED
            for state in _EXPECTED
            if state != "completed"
        ),
        *((command, "connected", "connected") for command in _CONNECTED_ONLY),
    ),
)


def refusal_reason(state: str) -> str:
    """Return why a command is not allowed in this state, as a text for people."""
    if state in OUTCOMES:
        return f"the session is over: {state.replace('_', ' ')}"
    if state == "completed":
        return "the conversation is completed"
    return f"no agent is connected yet: the session is {state}"
