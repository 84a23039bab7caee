"""The law: which moves exist, as tables of rows (trigger, source, destination).

Each table is given once to a shared `transitions.Machine` without a model, and compiled from that
Machine to a plain dict, which is what a session reads. A move that is in no row does not exist.
The diagrams are drawn from the same Machines.
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
    "STATUS_WORDS",
    "UNEXPECTED",
    "refusal_reason",
]

# The lifecycle of a session. The triggers are the words of chat_session_status, and for the rest
# the names of their events, shortened; "lost" is no event: the server says that it
# knows no such session.

_EXPECTED: Final = {
    "establishing": ("ivr", "queued", "connecting", "connected", "completed"),
    "ivr": ("queued", "connecting", "connected", "completed"),
    "queued": ("ivr", "connecting", "connected", "completed"),
    "connecting": ("ivr", "queued", "connected", "completed"),
    # Back again: a transfer, or the scenario looks for another agent.
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
"""The final states, each as the outcome that it is."""

UNEXPECTED: Final[tuple[Row, ...]] = tuple(
    ("establishing", source, "establishing") for source in _EXPECTED if source != "establishing"
)
"""Moves that the wire may order though no server is known to: obeyed, and reported."""

STATUS_WORDS: Final = frozenset({*_EXPECTED, "failed"})
"""The states that a chat_session_status may hold (PROTOCOL.md §1 and §2)."""

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

# A form, from being shown; the final states are the reasons of `FormClosed`.

FORM: Final = transition_table(
    "form",
    ("open", "submitted", "cancelled", "expired", "replaced", "terminated"),
    (
        ("form_data", "open", "submitted"),
        ("message", "open", "submitted"),  # a text prompt is answered by the next text
        ("form_cancel", "open", "cancelled"),
        ("deadline", "open", "expired"),
        ("form_show", "open", "replaced"),  # the same request id with other content
        ("termination", "open", "terminated"),
    ),
)

# A call; the triggers are the types of signals, in lower case (PROTOCOL.md §4).

CALL: Final = transition_table(
    "call",
    ("idle", "requested", "offered", "active", "ended", "rejected"),
    (
        ("request_call", "idle", "requested"),
        ("request_call", "ended", "requested"),
        ("request_call", "rejected", "requested"),
        ("offer_call", "idle", "offered"),
        ("offer_call", "requested", "offered"),
        ("offer_call", "active", "offered"),  # other media, or another agent: answered anew
        ("offer_call", "ended", "offered"),
        ("offer_call", "rejected", "offered"),
        ("answer_call", "requested", "active"),
        ("answer_call", "offered", "active"),
        ("call_rejected", "requested", "rejected"),
        ("call_rejected", "offered", "rejected"),
        ("end_call", "requested", "ended"),
        ("end_call", "offered", "ended"),
        ("end_call", "active", "ended"),
        # What the app orders; an answer, a rejection or candidates need an offer of theirs.
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

# A message of the customer's, from being said to being read. Whoever carries it says "sent",
# "refused", or "in_doubt" where the reply was lost; the rest is what the server says of it.

DELIVERY: Final = transition_table(
    "delivery",
    ("pending", "unconfirmed", "sent", "delivered", "read", "failed"),
    (
        *(("sent", source, "sent") for source in ("pending", "unconfirmed")),
        *(("refused", source, "failed") for source in ("pending", "unconfirmed")),
        ("in_doubt", "pending", "unconfirmed"),
        ("missing", "unconfirmed", "pending"),  # a complete history lacks it: it is sent again
        *(("delivered", source, "delivered") for source in ("pending", "unconfirmed", "sent")),
        *(("read", source, "read") for source in ("pending", "unconfirmed", "sent", "delivered")),
    ),
)

# Co-browsing, as far as the app may answer.

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

# What the app may order in which state of the session; no order moves the session by itself. A
# final state has no row: nothing is sent any more.

_ALWAYS: Final = (
    *("send_text", "send_file", "send_location", "send_navigation"),
    *("start_typing", "stop_typing", "submit_form", "cancel_form"),
    *("mark_delivered", "mark_read", "cobrowsing_reply", "end"),
    *("answer_call", "reject_call", "send_candidate", "end_call"),
)
_UNTIL_COMPLETED: Final = ("disconnect", "request_phone_call", "request_sms")
_CONNECTED_ONLY: Final = ("request_call",)

ALLOWED_COMMANDS: Final = transition_table(
    "orders",
    LIFECYCLE.states,
    (
        *((order, state, state) for order in _ALWAYS for state in _EXPECTED),
        *(
            (order, state, state)
            for order in _UNTIL_COMPLETED
            for state in _EXPECTED
            if state != "completed"
        ),
        *((order, "connected", "connected") for order in _CONNECTED_ONLY),
    ),
)


def refusal_reason(state: str) -> str:
    """Why a state of the session has no row for an order, in words for people."""
    if state in OUTCOMES:
        return f"the session is over: {state.replace('_', ' ')}"
    if state == "completed":
        return "the conversation is completed"
    return f"nobody is connected yet: the session is {state}"
