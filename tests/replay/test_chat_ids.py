"""The chat_id of an event in a log: its own one, or else that of its envelope."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from chatfsm.replay.items import items_in

IDS = st.sampled_from((None, "a", "b", ""))


def with_id(chat_id: str | None, **fields: Any) -> dict[str, Any]:
    return fields if chat_id is None else {"chat_id": chat_id, **fields}


@given(st.lists(IDS, max_size=5), IDS)
def test_an_event_without_a_chat_id_is_of_the_envelopes_chat(
    own_ids: list[str | None], chat_id: str | None
) -> None:
    """The chat_ids of other events do not matter; an empty one counts as missing."""
    events = [with_id(own, event="chat_session_ended") for own in own_ids]
    found = items_in(json.loads(json.dumps(with_id(chat_id, events=events))))
    assert found is not None
    assert [item[0] for item in found] == [own or chat_id or None for own in own_ids]
