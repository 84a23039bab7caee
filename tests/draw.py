"""Draws the laws as Mermaid, from the Machines that the sessions obey.

`python -m tests.draw` writes diagrams/ anew; a test compares them with what is drawn.
"""

from __future__ import annotations

from pathlib import Path

from chatfsm.session import law

FOLDER = Path(__file__).parent.parent / "diagrams"

# The wire's word for each trigger (PROTOCOL.md §2 to §4); a status is the wire's word itself.
LIFECYCLE = {
    **{word: f"status {word}" for word in law.STATUS_WORDS},
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
CALL = {trigger: trigger.upper() for trigger in law.CALL.triggers if trigger != "termination"} | {
    "termination": "the session is over"
}


def arrows(drawn: law.Law) -> dict[tuple[str, str], list[str]]:
    """The Machine's transitions, as (source, destination) → triggers."""
    found: dict[tuple[str, str], list[str]] = {}
    for trigger, event in drawn.machine.events.items():
        for source, transitions in event.transitions.items():
            for transition in transitions:
                found.setdefault((source, transition.dest), []).append(trigger)
    return found


def mermaid(drawn: law.Law, words: dict[str, str]) -> str:
    """One law as a Mermaid state diagram; what all live states share is drawn once."""
    live = [state for state in drawn.states if state not in drawn.finals]
    found = arrows(drawn)
    shared = {
        destination: found[live[0], destination]
        for destination in drawn.finals
        if len(live) > 1
        and all(found.get((s, destination)) == found.get((live[0], destination)) for s in live)
    }
    indent = "        " if shared else "    "
    lines = ["stateDiagram-v2"]
    if shared:
        lines += ["    [*] --> live", "    state live {"]
    lines.append(f"{indent}[*] --> {drawn.initial}")
    for (source, destination), triggers in found.items():
        if destination in shared:
            continue
        unexpected = (triggers[0], source, destination) in law.UNEXPECTED
        label = " / ".join(words[trigger] for trigger in triggers)
        lines.append(f"{indent}{source} --> {destination} : {label}{' (unexpected)' * unexpected}")
    if shared:
        lines.append("    }")
        for state in drawn.states:
            if state in shared:
                label = " / ".join(words[trigger] for trigger in shared[state])
                lines.append(f"    live --> {state} : {label}")
    lines += [f"    {state} --> [*]" for state in drawn.states if state in drawn.finals]
    return "\n".join(lines) + "\n"


def drawings() -> dict[str, str]:
    """Every diagram, by the name of its file."""
    return {
        "lifecycle.mmd": mermaid(law.LIFECYCLE, LIFECYCLE),
        "form.mmd": mermaid(law.FORM, FORM),
        "call.mmd": mermaid(law.CALL, CALL),
    }


if __name__ == "__main__":
    for name, text in drawings().items():
        (FOLDER / name).write_text(text)
        print(f"diagrams/{name}: {len(text.splitlines())} lines")
