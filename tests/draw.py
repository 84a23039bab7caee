"""Drawings of the transition tables in Mermaid, made from their `transitions` machines.

`python -m tests.draw` rewrites diagrams/ and docs/pictures/; tests compare the files with the
tables.
"""

from __future__ import annotations

import re
from pathlib import Path

from chatfsm._client import state
from chatfsm._session import tables
from chatfsm._statemachine import TransitionTable
from tests import pictures

FOLDER = Path(__file__).parent.parent / "diagrams"

# Trigger → the name of its wire event (PROTOCOL.md §2 to §4).
LIFECYCLE = {
    **{state: f"status {state}" for state in tables.STATUS_STATES},
    "ended": "chat_session_ended",
    "inactivity_timeout": "chat_session_inactivity_timeout",
    "lost": "error 5005, or 404",
}
FORM = {
    "form_data": "chat_session_form_data",
    "message": "chat_session_message, own, to a text prompt",
    "form_cancel": "chat_form_data_cancel, chat_session_secure_form_cancel",
    "deadline": "form_timeout has passed",
    "form_show": "chat_session_form_show, same id, other content",
    "termination": "the session is over",
}
CALL = {
    **{trigger: trigger.upper() for trigger in tables.CALL.triggers},
    # The same signals, sent by the app.
    "answer": "ANSWER_CALL",
    "reject": "CALL_REJECTED",
    "hang_up": "END_CALL",
    "termination": "the session is over",
}
DELIVERY = {
    "sent": "Sent, or its echo",
    "refused": "SendFailed",
    "in_doubt": "SendFailed, retryable",
    "missing": "a complete History lacks it",
    "delivered": "chat_session_message_delivered",
    "read": "chat_session_message_read",
}
CALL_COMMANDS = {
    "RequestCall": "request_call",
    "AnswerCall": "answer",
    "RejectCall": "reject",
    "SendCandidate": "candidate",
    "EndCall": "hang_up",
}


# The tables of a client, each with its subject and the meaning of its triggers.
CLIENT = (
    (
        state.LINK_TABLE,
        "The link, as `LinkChanged` reports it.",
        {
            "succeeded": "a poll is answered",
            "failed": "no reply, or a passing error",
            "busy": "429, 5509: the server is busy",
            "refused": "401, 403: the credentials",
            "resume": "Resume",
            "end": "the chat is over",
        },
    ),
    (
        state.POLL_TABLE,
        "The poll: one at a time.",
        {
            "open": "the chat's id is known",
            "send": "the client sends it",
            "answer": "a reply",
            "fail": "no reply, or an error",
        },
    ),
    (
        state.HISTORY_TABLE,
        "The history, which is requested after every gap.",
        {
            "request": "something may have been lost, or have arrived",
            "send": "the client sends it",
            "answer": "a reply",
            "fail": "no reply, or a passing error",
            "give_up": "a permanent refusal",
        },
    ),
    (
        state.POST_TABLE,
        "The POST of the events to send: one at a time.",
        {
            "send": "the client sends queued events",
            "answer": "a reply",
            "put_back": "the server accepted none",
            "fail": "they may have arrived",
            "resolve": "the history shows it",
        },
    ),
)


def arrows(drawn: TransitionTable) -> dict[tuple[str, str], list[str]]:
    """Return the transitions of a table: (source, destination) → triggers."""
    found: dict[tuple[str, str], list[str]] = {}
    for trigger, event in drawn.machine.events.items():
        for source, transitions in event.transitions.items():
            for transition in transitions:
                if transition.dest == source:
                    continue  # an allowed command
                found.setdefault((source, transition.dest), []).append(trigger)
    return found


def mermaid(drawn: TransitionTable, labels: dict[str, str]) -> str:
    """Return a table as a Mermaid state diagram; transitions of all live states are drawn once."""
    live = [state for state in drawn.states if state not in drawn.finals]
    found = arrows(drawn)
    shared = {
        destination: found[live[0], destination]
        for destination in drawn.finals
        if len(live) > 1
        and all(found.get((s, destination)) == found.get((live[0], destination)) for s in live)
    }
    if len(shared) == 1:
        shared = {}  # one arrow more is simpler than a box
    indent = "        " if shared else "    "
    lines = ["stateDiagram-v2"]
    if shared:
        lines += ["    [*] --> live", "    state live {"]
    lines.append(f"{indent}[*] --> {drawn.initial}")
    for (source, destination), triggers in found.items():
        if destination in shared:
            continue
        unexpected = (triggers[0], source, destination) in tables.UNEXPECTED
        label = " / ".join(dict.fromkeys(labels[trigger] for trigger in triggers))
        lines.append(f"{indent}{source} --> {destination} : {label}{' (unexpected)' * unexpected}")
    if shared:
        lines.append("    }")
        for state in drawn.states:
            if state in shared:
                label = " / ".join(labels[trigger] for trigger in shared[state])
                lines.append(f"    live --> {state} : {label}")
    lines += [f"    {state} --> [*]" for state in drawn.states if state in drawn.finals]
    return "\n".join(lines) + "\n"


def drawings() -> dict[str, str]:
    """Return every diagram by its file name."""
    return {
        "lifecycle.mmd": mermaid(tables.LIFECYCLE, LIFECYCLE),
        "form.mmd": mermaid(tables.FORM, FORM),
        "call.mmd": mermaid(tables.CALL, CALL),
        "delivery.mmd": mermaid(tables.DELIVERY, DELIVERY),
        "commands.md": commands(),
        "client.md": client(),
        "transitions.md": transitions(),
    }


def client() -> str:
    """Return the tables of a client, one diagram each."""
    parts = ["# The state machines of a client", "", "Drawn from the tables in `chatfsm._client`."]
    for drawn, about, labels in CLIENT:
        parts += ["", about, "", f"```mermaid\n{mermaid(drawn, labels)}```"]
    return "\n".join(parts) + "\n"


def transitions() -> str:
    """Return all machines as lists of their states, with the transitions into each."""
    session = (
        (tables.LIFECYCLE, "The session, as `StateChanged` reports it.", LIFECYCLE),
        (tables.FORM, "A form. The final states are the reasons of `FormClosed`.", FORM),
        (tables.CALL, "A call, as far as signaling describes it.", CALL),
        (tables.DELIVERY, "A message of the customer, as in `outbox`.", DELIVERY),
    )
    parts = ["# The state machines", "", "Drawn from the tables of the code."]
    for drawn, about, labels in (*session, *CLIENT):
        parts += ["", f"## {re.split('[,.:]', about)[0]}", "", about, "", *ways_in(drawn, labels)]
    return "\n".join(parts) + "\n"


def ways_in(drawn: TransitionTable, labels: dict[str, str]) -> list[str]:
    """Return a Markdown table with a row for each state and its triggers and sources."""
    sources: dict[tuple[str, str], list[str]] = {}
    for (source, destination), triggers in arrows(drawn).items():
        label = " / ".join(dict.fromkeys(labels[trigger] for trigger in triggers))
        unexpected = (triggers[0], source, destination) in tables.UNEXPECTED
        key = destination, label + " (unexpected)" * unexpected
        sources.setdefault(key, []).append(source)
    order = list(drawn.states)
    live = [name for name in order if name not in drawn.finals]
    lines = ["| state | entered by | from |", "|---|---|---|"]
    lines.append(f"| {drawn.initial} | (at first) | |")
    for (to, label), found in sorted(sources.items(), key=lambda row: order.index(row[0][0])):
        places = ", ".join(found)
        if len(found) > 1 and {*found, to} == {*live, to}:
            places = f"every {'' if to in drawn.finals else 'other '}state that is not final"
        lines.append(f"| {to}{', final' * (to in drawn.finals)} | {label} | {places} |")
    return lines


def commands() -> str:
    """Return the commands that are allowed in each state, and the reasons for refusals."""
    names = {
        "".join(part.title() for part in trigger.split("_")): trigger
        for trigger in tables.ALLOWED_COMMANDS.triggers
    }
    replies = {trigger: trigger for trigger in tables.COBROWSING.triggers}
    refusing = [
        state
        for state in tables.ALLOWED_COMMANDS.states
        if set(tables.ALLOWED_COMMANDS.moves[state]) != set(tables.ALLOWED_COMMANDS.triggers)
    ]
    return "\n".join(
        [
            "# Commands that are allowed in each state",
            "",
            "Drawn from `ALLOWED_COMMANDS`. A refused command raises `LocalProtocolError` with the",
            "reason, and changes nothing.",
            "",
            *table("the session is", tables.ALLOWED_COMMANDS, names),
            "",
            "The reasons for a no:",
            "",
            *(f"- {state.replace('_', ' ')}: {tables.refusal_reason(state)}" for state in refusing),
            "",
            "These depend on the state of the call, too, which is the reason for a no:",
            "",
            *table("the call is", tables.CALL, CALL_COMMANDS),
            "",
            "`CobrowsingReply` depends on the state of co-browsing, by the state that it replies:",
            "",
            *table("co-browsing is", tables.COBROWSING, replies),
            "",
            "`SubmitForm` and `CancelForm` need an open form; the reason is how, and how long ago,",
            "the form was closed, or that the server has not shown it. At most",
            "`Settings.max_unsent` messages may wait to be sent.",
            "",
        ]
    )


def table(heading: str, drawn: TransitionTable, rows: dict[str, str]) -> list[str]:
    """Return a Markdown table with a row for each command and a column for each state."""
    states = drawn.states
    return [
        f"| {heading} | {' | '.join(state.replace('_', ' ') for state in states)} |",
        "|---" * (len(states) + 1) + "|",
        *(
            f"| `{name}` | "
            + " | ".join("yes" if trigger in drawn.moves[state] else "no" for state in states)
            + " |"
            for name, trigger in rows.items()
        ),
    ]


if __name__ == "__main__":
    for name, text in drawings().items():
        (FOLDER / name).write_text(text)
        print(f"diagrams/{name}: {len(text.splitlines())} lines")
    for name, draw in pictures.PICTURES.items():
        (pictures.FOLDER / name).write_text(draw(), "utf-8")
        print(f"docs/pictures/{name}")
