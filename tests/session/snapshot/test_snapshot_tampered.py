"""What is no snapshot, or was one: it is refused, whatever it is, and nothing else is raised."""

from __future__ import annotations

import json
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatfsm import ChatSession, SendFailed, SnapshotError, commands, decode
from chatfsm._session import snapshot
from chatfsm.testing.strategies import odd_json


def in_mid_conversation() -> ChatSession:
    """A session that remembers something of every kind."""
    session = ChatSession("chat-1")
    said = [
        {"event": "chat_session_status", "state": "connected", "ewt": 5},
        {"event": "chat_session_party_joined", "party_id": "ann", "timestamp": 10},
        {"event": "chat_session_party_joined", "party_id": "ben", "timestamp": 11},
        {"event": "chat_session_party_left", "party_id": "ben", "timestamp": 12},
        {"event": "chat_session_message", "party_id": "ann", "msg_id": "2", "msg": "hello"},
        {"event": "chat_session_typing", "party_id": "ann"},
        {"event": "chat_session_form_show", "form_request_id": "1", "form_timeout": 60},
        {"event": "chat_session_secure_form_show", "form_request_id": "2"},
        {"event": "chat_session_timeout_warning", "msg": "still there?"},
        {"event": "chat_session_case_set", "case_id": "case-1"},
        {"event": "chat_session_info", "service_name": "Bank"},
        {"event": "chat_session_cobrowsing_requested", "msg_id": "4"},
        {
            "event": "chat_session_signaling",
            "party_id": "ann",
            "msg_id": "6",
            "data": {"type": "OFFER_CALL", "sdp": "v=0"},
        },
    ]
    for event in decode(said):
        session.receive(event, now=1.0)
    for order in (commands.CancelForm("2"), commands.SendText("hello"), commands.StartTyping()):
        session.receive(order, now=2.0)
    session.receive(SendFailed(["1"], "lost", retryable=True), now=2.0)
    return session


KEPT = in_mid_conversation().snapshot(now=2.0)


def prove_refused(data: object) -> None:
    """It is a `SnapshotError`, and nothing else, for whatever clock."""
    with pytest.raises(SnapshotError):
        ChatSession.restore(data, now=0.0)


def test_what_nobody_touched_is_taken() -> None:
    """The snapshot that the others tamper with is one."""
    assert ChatSession.restore(deepcopy(KEPT), now=2.0) == in_mid_conversation()


@pytest.mark.parametrize(
    "data",
    [None, 1, 1.5, "", "chatfsm.session", b"{}", (), [], [KEPT], {}, {"format": "other"}, object()],
    ids=lambda data: type(data).__name__,
)
def test_what_is_not_ours_is_refused(data: object) -> None:
    """Other values, other JSON, other formats."""
    with pytest.raises(SnapshotError, match="not a snapshot"):
        ChatSession.restore(data, now=0.0)


def test_text_is_no_snapshot() -> None:
    """JSON is to be parsed before; nothing is ever unpickled."""
    prove_refused(json.dumps(KEPT))


def test_a_newer_version_is_refused_and_named() -> None:
    """Whoever reads the error knows which library is too old."""
    newer = {**KEPT, "version": snapshot.VERSION + 1}
    with pytest.raises(SnapshotError, match=rf"{snapshot.VERSION + 1} is newer than"):
        ChatSession.restore(newer, now=0.0)


@pytest.mark.parametrize("version", [None, "1", 0, -1, True, 1.0, float("nan"), [1]])
def test_a_version_that_is_none_is_refused(version: object) -> None:
    """A version is a whole number from 1."""
    with pytest.raises(SnapshotError, match="version of a snapshot must be"):
        ChatSession.restore({**KEPT, "version": version}, now=0.0)


@pytest.mark.parametrize("part", sorted(KEPT))
def test_no_part_may_be_missing(part: str) -> None:
    """Of the four parts of a snapshot."""
    prove_refused({name: value for name, value in KEPT.items() if name != part})


def test_no_part_may_be_added() -> None:
    """A fifth part was not written by us."""
    prove_refused({**KEPT, "more": None})


@pytest.mark.parametrize("memory", [None, [], "", 0, {}])
def test_a_memory_that_is_none_is_refused(memory: object) -> None:
    """In its place."""
    prove_refused({**KEPT, "memory": memory})


@pytest.mark.parametrize("digest", [None, "", "0" * 32, KEPT["digest"].upper(), 0, [], {}])
def test_another_digest_is_refused(digest: object) -> None:
    """It is that of the memory, and no other."""
    prove_refused({**KEPT, "digest": digest})


@pytest.mark.parametrize("digest", ["", None, KEPT["digest"]])
@pytest.mark.parametrize("odd", [float("nan"), float("inf"), {1}, b"", object()])
def test_what_is_no_json_is_refused_whatever_the_digest_says(odd: object, digest: object) -> None:
    """Numbers that are none, and what JSON cannot hold, get no session."""
    memory = {**KEPT["memory"], "ewt": odd}
    prove_refused({**KEPT, "memory": memory, "digest": digest})


@pytest.mark.parametrize("digest", ["", KEPT["digest"]])
def test_what_is_nested_deeply_is_refused(digest: str) -> None:
    """Deeper than anybody can read."""
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    prove_refused({**KEPT, "memory": {**KEPT["memory"], "seen_ids": deep}, "digest": digest})


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The ways to all values of a JSON value, itself included."""
    if not isinstance(value, (dict, list)):
        return [path]
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    return [path, *(place for key, held in inner for place in places(held, (*path, key)))]


def reached(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


PLACES = places(KEPT)
VALUES = [path for path in PLACES if path]
CONTAINERS = [path for path in PLACES if isinstance(reached(KEPT, path), (dict, list))]
json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner),
    max_leaves=6,
)


def text_of(value: object) -> str:
    return json.dumps(value, sort_keys=True)


@pytest.mark.parametrize("path", VALUES, ids=str)
def test_each_value_is_needed(path: tuple[Any, ...]) -> None:
    """Whatever is taken away, or put to null, is missed."""
    data = deepcopy(KEPT)
    holder = reached(data, path[:-1])
    if holder[path[-1]] is not None:
        without = deepcopy(KEPT)
        reached(without, path[:-1])[path[-1]] = None
        prove_refused(without)
    del holder[path[-1]]
    prove_refused(data)


@given(st.sampled_from(VALUES), st.one_of(json_values, odd_json()))
def test_any_changed_value_is_noticed(path: tuple[Any, ...], value: Any) -> None:
    """Wherever it stands, and whatever stands there now."""
    data = deepcopy(KEPT)
    holder = reached(data, path[:-1])
    if text_of(holder[path[-1]]) == text_of(value):
        return
    holder[path[-1]] = value
    prove_refused(data)


@given(st.sampled_from(VALUES), st.data())
def test_a_value_of_another_place_is_noticed(path: tuple[Any, ...], data: st.DataObject) -> None:
    """Nor may two values be exchanged, though both were written by us."""
    changed = deepcopy(KEPT)
    holder = reached(changed, path[:-1])
    value = deepcopy(reached(KEPT, data.draw(st.sampled_from(VALUES))))
    if text_of(holder[path[-1]]) == text_of(value):
        return
    holder[path[-1]] = value
    prove_refused(changed)


@given(st.sampled_from(CONTAINERS), st.text(max_size=5), json_values, st.integers(0, 9))
def test_any_added_value_is_noticed(
    path: tuple[Any, ...], key: str, value: Any, index: int
) -> None:
    """In every object and every list."""
    data = deepcopy(KEPT)
    holder = reached(data, path)
    if isinstance(holder, list):
        holder.insert(index, value)
    elif key in holder:
        return
    else:
        holder[key] = value
    prove_refused(data)


@given(odd_json())
def test_no_random_json_is_a_snapshot(data: Any) -> None:
    """Nor anything like JSON."""
    prove_refused(data)


@given(odd_json(), st.text(max_size=32))
def test_no_random_memory_is_a_snapshot(memory: Any, digest: str) -> None:
    """Though the frame is right."""
    prove_refused({**KEPT, "memory": memory, "digest": digest})


@given(st.sampled_from([path for path in VALUES if path[0] == "memory"]), json_values)
def test_a_forged_digest_does_no_worse_than_a_session(path: tuple[Any, ...], value: Any) -> None:
    """Where somebody wants to deceive, nothing but `SnapshotError` is raised all the same."""
    data = deepcopy(KEPT)
    reached(data, path[:-1])[path[-1]] = value
    if not isinstance(data["memory"], dict):
        prove_refused(data)
        return
    data["digest"] = snapshot._digest(data["memory"])
    try:
        restored = ChatSession.restore(data, now=0.0)
    except SnapshotError:
        return
    assert isinstance(restored, ChatSession)


@pytest.mark.parametrize("section", [None, "service", "call", "own_typing", "counts"])
def test_an_unknown_field_is_refused_even_with_its_digest(section: str | None) -> None:
    """A memory holds what this version knows, and nothing else, and so does each of its parts."""
    memory = {**KEPT["memory"]}
    if section is None:
        memory["new"] = 1
    else:
        memory[section] = {**memory[section], "new": 1}
    data = {**KEPT, "memory": memory, "digest": snapshot._digest(memory)}
    with pytest.raises(SnapshotError, match="not a session's memory"):
        ChatSession.restore(data, now=0.0)


def test_an_older_version_that_nothing_migrates_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A step that is missing is no reason for another error."""
    monkeypatch.setattr(snapshot, "VERSION", snapshot.VERSION + 1)
    monkeypatch.setattr(snapshot, "MIGRATIONS", {})
    prove_refused(KEPT)


@pytest.mark.parametrize("data", [{**KEPT, "digest": "MARK"}, {**KEPT, "MARK": "MARK"}])
def test_the_error_quotes_nothing_of_the_content(data: dict[str, Any]) -> None:
    """A snapshot holds what people wrote; its errors do not (law L10)."""
    with pytest.raises(SnapshotError) as error:
        ChatSession.restore(data, now=0.0)
    assert "MARK" not in str(error.value)
    assert "hello" not in str(error.value)


def test_texts_in_place_of_lists_are_noticed() -> None:
    """Of what was told the digest takes the texts; that they stood in lists is no less of it."""
    session = ChatSession("chat-1")
    (event,) = decode(
        {"event": "chat_session_message", "party_id": "ann", "msg_id": "2", "msg": "y"}
    )
    session.receive(event, now=0.0)
    kept = session.snapshot(now=0.0)
    (row,) = kept["memory"]["seen_ids"]
    assert row == ["ann", ["2"], ["y"]]
    row[1:] = ["2", "y"]
    prove_refused(kept)


FORGED_SEEN: list[Any] = [
    [["ann", ["2"], [7]]],
    [["ann", ["2"], [["x"]]]],
    [["ann", [7], ["x"]]],
    [["ann", ["2"], ["x" * 65]]],
    [["ann", ["2"], ["ab" * 35]]],
    [["ann", ["2"], ["the digest of a longer text, in hexadecimal: zz" + "z" * 22]]],
    [["ann", [["2", "x", None]], [""]]],
    [[7, ["2"], ["x"]]],
    [[["read", 7], ["2"], ["x"]]],
    [["ann", ["2", "4"], ["x"]]],
]
FORGED: list[tuple[str, Any]] = [("seen_ids", held) for held in FORGED_SEEN] + [
    ("parties", [["ann", None, None, None]]),
    ("parties", [[None, None, None, None, None]]),
    ("parties", [["ann", 7, None, None, None]]),
    ("parties", [{"ann": 1}]),
    ("state", "asleep"),
    ("chat_id", 7),
    ("ewt", True),
    ("next_number", 1.5),
    ("seen_complete", 1),
    ("outbox", [["1", {"events": [[]]}]]),
    ("outbox", [["1", {"events": [], "state": "lost"}]]),
    ("joined_at", [[1.0]]),
    ("typing", [["ann", [1.0, "x"]]]),
    ("typing", {"ann": [1.0, 0.0]}),
    ("closed_forms", [["1", {"reason": "eaten", "at": [1.0, 0.0]}]]),
    ("service", 7),
    ("ewt", 10**400),
]


@pytest.mark.parametrize(("name", "held"), FORGED, ids=repr)
def test_a_value_of_another_kind_is_refused_even_with_its_digest(name: str, held: Any) -> None:
    """What was not written so is not read; the error names the field, and quotes no text."""
    memory = {**KEPT["memory"], name: held}
    data = {**KEPT, "memory": memory, "digest": snapshot._digest(memory)}
    with pytest.raises(SnapshotError, match=rf"not a session's memory: memory\.{name}") as error:
        ChatSession.restore(data, now=0.0)
    assert "ann" not in str(error.value)
    assert "asleep" not in str(error.value)


@pytest.mark.parametrize(
    ("field", "value", "why"),
    [("seen_count", 5_000, "seen_count is not the number of seen_ids"), ("chat_id", None, "")],
)
def test_fields_that_do_not_fit_together_are_refused(field: str, value: object, why: str) -> None:
    """With the right digest, too: the error names the contradiction, or the missing field."""
    memory = {**KEPT["memory"], field: value}
    if value is None:
        del memory[field]
        why = f"{field} is missing"
    with pytest.raises(SnapshotError, match=why):
        ChatSession.restore({**KEPT, "memory": memory, "digest": snapshot._digest(memory)}, now=0.0)


def test_a_text_is_no_list_of_its_letters() -> None:
    """Of as many as a party has fields."""
    data = deepcopy(KEPT)
    data["memory"]["parties"] = ["abcde"]
    data["digest"] = snapshot._digest(data["memory"])
    with pytest.raises(SnapshotError, match="a list of party_id, type"):
        ChatSession.restore(data, now=0.0)


def test_ids_without_a_fingerprint_are_refused() -> None:
    """In plain words, like everything that does not fit."""
    data = deepcopy(KEPT)
    data["memory"]["seen_ids"][0][2].pop()
    data["digest"] = snapshot._digest(data["memory"])
    with pytest.raises(SnapshotError, match="as many texts as there are ids"):
        ChatSession.restore(data, now=0.0)


def test_every_event_of_a_message_needs_a_name() -> None:
    """One event with a name does not excuse another one without."""
    for event in ({"event": 5}, {"msg": "hello"}):
        data = deepcopy(KEPT)
        data["memory"]["outbox"][0][1]["events"].append(event)
        data["digest"] = snapshot._digest(data["memory"])
        with pytest.raises(SnapshotError, match="a message in the outbox has no events"):
            ChatSession.restore(data, now=0.0)
