"""Property: a scrubbed journal has the same effects as the journal."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatfsm import ChatSession, Settings
from chatfsm.errors import ChatError
from chatfsm.replay.journal import Recorded, verify
from chatfsm.replay.scrub import Pseudonyms, scrubbed_lines
from chatfsm.replay.sources import Source
from chatfsm.testing.strategies import inputs as any_inputs
from chatfsm.testing.strategies import pauses

settings = st.sampled_from((Settings(), Settings(max_ids=8, max_parties=2, max_forms=2)))
KEPT = ("effect", "replayed", "seconds", "kind", "reason", "outcome", "msg_ids")


def kept_parts(line: str) -> Any:
    """The parts of an entry that scrubbing keeps."""
    entry = json.loads(line)
    out = [{key: effect.get(key) for key in KEPT} for effect in entry.get("out", ())]
    return entry.get("seq"), entry["at"], "refused" in entry, out


@given(script=st.lists(st.tuples(any_inputs(), pauses()), max_size=10), chosen=settings)
def test_any_journal_keeps_its_effects(
    tmp_path_factory: pytest.TempPathFactory, script: list[Any], chosen: Settings
) -> None:
    """Entries, times and effects are the same, and the scrubbed journal verifies."""
    path = tmp_path_factory.mktemp("journals") / "a.jsonl"
    with path.open("w", encoding="ascii") as out:
        recorded, now = Recorded(ChatSession("chat-1", settings=chosen), out.write), 0.0
        for item, pause in script:
            now += pause
            with suppress(ChatError):
                recorded.receive(item, now=now)
    lines = list(scrubbed_lines(Source(str(path)), Pseudonyms(b"a key")))
    original = path.read_text(encoding="ascii").splitlines()
    assert [kept_parts(line) for line in lines] == [kept_parts(line) for line in original]
    assert verify(lines) == len(script)
