"""Hypothesis strategies of what a server may send: valid, odd and hostile items."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from chatfsm.protocol import codec

# Few of each, so that ids meet again.
PARTIES = ("A", "B", "C", "CHAT-1", "chat-1")
IDS = ("1", "2", "3", "4", "5", "6")
TEXTS = ("", "hello", "<b>hello</b>", "x" * 65, "y" * 65, "\0", "~", "\ud800")

party_ids = st.sampled_from(PARTIES)
msg_ids = st.sampled_from(IDS)
texts = st.sampled_from(TEXTS)
stamps = st.one_of(st.integers(0, 200), st.integers(0, 200).map(str), st.none())
states = st.sampled_from(
    ("establishing", "ivr", "queued", "connecting", "connected", "completed", "parked")
)
signal_types = st.sampled_from(tuple(name for name in codec.SIGNALS if name))

odd_values: st.SearchStrategy[Any] = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(),
        st.text(max_size=5),
        st.just(10**400),
        st.just("9" * 5_000),
        st.just("z" * 2_000),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)

FIELDS: dict[str, st.SearchStrategy[Any]] = {
    "party_id": party_ids,
    "session_id": party_ids,
    "msg_id": msg_ids,
    "ref_msg_id": msg_ids,
    "form_request_id": msg_ids,
    "file_id": msg_ids,
    "form_timeout": st.integers(0, 60),
    "form_name": st.sampled_from(("", "survey")),
    "msg": texts,
    "msg_text": texts,
    "timestamp": stamps,
    "ewt": st.sampled_from(("", "0", "10", 5)),
    "type": st.sampled_from(("scenario", "internal", "external", "msteams", "new")),
    "display_name": st.sampled_from(("Ann", "Ben", "")),
    "data": st.one_of(
        st.fixed_dictionaries({"type": signal_types}),
        st.fixed_dictionaries({"type": st.just("ICE_CANDIDATE"), "candidate": texts}),
    ),
}


def names_of(cls: type) -> tuple[str, ...]:
    """The wire's names of the fields of an event."""
    return tuple(name for read in codec.SHAPES[cls] for name in read.names if name != "event")


@st.composite
def valid_items(draw: st.DrawFn, *, ending: bool = True) -> dict[str, Any]:
    """An event as a server means it; `ending`: it may be one that ends the session."""
    name = draw(
        st.sampled_from(
            [
                name
                for name, cls in codec.EVENTS.items()
                if cls in codec.SHAPES
                and (ending or cls.__name__ not in {"Ended", "InactivityTimeout"})
            ]
        )
    )
    item: dict[str, Any] = {"event": name}
    for field in names_of(codec.EVENTS[name]):
        if field == "state":
            item[field] = draw(st.one_of(states, st.just("failed")) if ending else states)
        else:
            item[field] = draw(FIELDS.get(field, texts))
    return item


@st.composite
def odd_items(draw: st.DrawFn) -> Any:
    """An event of which some fields are missing, of another type, or unknown; or no event."""
    if draw(st.integers(0, 9)) == 0:
        return draw(odd_values)
    item = draw(valid_items(ending=False))
    for field in draw(st.lists(st.sampled_from(sorted(item)), max_size=2, unique=True)):
        if draw(st.booleans()):
            del item[field]
        else:
            item[field] = draw(odd_values)
    item |= draw(st.dictionaries(st.text(max_size=3), odd_values, max_size=2))
    return item
