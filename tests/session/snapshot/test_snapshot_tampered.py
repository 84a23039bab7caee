"""Invalid and tampered snapshots: each is refused with `SnapshotError`, and with no other error."""

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
    """A session with state of every kind."""
    session = ChatSession("chat-1")
    wire_items = [
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
    for event in decode(wire_items):
        session.receive(event, now=1.0)
    for command in (commands.CancelForm("2"), commands.SendText("hello"), commands.StartTyping()):
        session.receive(command, now=2.0)
    session.receive(SendFailed(["1"], "lost", retryable=True), now=2.0)
    return session


KEPT = in_mid_conversation().snapshot(now=2.0)


def check_refused(data: object) -> None:
    """Assert that `SnapshotError` is raised."""
    with pytest.raises(SnapshotError):
        ChatSession.restore(data, now=0.0)


def test_an_unchanged_snapshot_is_restored() -> None:
    """The snapshot that the other tests tamper with is valid."""
    assert ChatSession.restore(deepcopy(KEPT), now=2.0) == in_mid_conversation()


@pytest.mark.parametrize(
    "data",
    [None, 1, 1.5, "", "chatfsm.session", b"{}", (), [], [KEPT], {}, {"format": "other"}, object()],
    ids=lambda data: type(data).__name__,
)
def test_another_format_is_refused(data: object) -> None:
    """Other values, other JSON and other formats are refused."""
    with pytest.raises(SnapshotError, match="not a snapshot"):
        ChatSession.restore(data, now=0.0)


def test_json_text_is_refused() -> None:
    """JSON text must be parsed before; nothing is ever unpickled."""
    check_refused(json.dumps(KEPT))


def test_a_newer_version_is_refused() -> None:
    """The error has the version, so that the app knows to update the library."""
    newer = {**KEPT, "version": snapshot.VERSION + 1}
    with pytest.raises(SnapshotError, match=rf"{snapshot.VERSION + 1} is newer than"):
        ChatSession.restore(newer, now=0.0)


@pytest.mark.parametrize("version", [None, "1", 0, -1, True, 1.0, float("nan"), [1]])
def test_an_invalid_version_is_refused(version: object) -> None:
    """A version is an integer from 1."""
    with pytest.raises(SnapshotError, match="version of a snapshot must be"):
        ChatSession.restore({**KEPT, "version": version}, now=0.0)


@pytest.mark.parametrize("part", sorted(KEPT))
def test_no_part_may_be_missing(part: str) -> None:
    """Each of the four parts of a snapshot is required."""
    check_refused({name: value for name, value in KEPT.items() if name != part})


def test_no_part_may_be_added() -> None:
    """A fifth part is refused."""
    check_refused({**KEPT, "more": None})


@pytest.mark.parametrize("memory", [None, [], "", 0, {}])
def test_an_invalid_memory_is_refused(memory: object) -> None:
    """A memory of another type, or an empty one, is refused."""
    check_refused({**KEPT, "memory": memory})


@pytest.mark.parametrize("digest", [None, "", "0" * 32, KEPT["digest"].upper(), 0, [], {}])
def test_another_digest_is_refused(digest: object) -> None:
    """A digest that is not that of the memory is refused."""
    check_refused({**KEPT, "digest": digest})


@pytest.mark.parametrize("digest", ["", None, KEPT["digest"]])
@pytest.mark.parametrize("odd", [float("nan"), float("inf"), {1}, b"", object()])
def test_values_that_are_not_json_are_refused(odd: object, digest: object) -> None:
    """Values that are not JSON are refused, whatever the digest."""
    memory = {**KEPT["memory"], "ewt": odd}
    check_refused({**KEPT, "memory": memory, "digest": digest})


@pytest.mark.parametrize("digest", ["", KEPT["digest"]])
def test_a_deeply_nested_memory_is_refused(digest: str) -> None:
    """A memory nested too deep is refused."""
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    check_refused({**KEPT, "memory": {**KEPT["memory"], "seen_ids": deep}, "digest": digest})


def paths_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths to all values of a JSON value, itself included."""
    if not isinstance(value, (dict, list)):
        return [path]
    inner = value.items() if isinstance(value, dict) else enumerate(value)
    return [path, *(place for key, forged in inner for place in paths_of(forged, (*path, key)))]


def value_at(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


PATHS = paths_of(KEPT)
VALUES = [path for path in PATHS if path]
CONTAINERS = [path for path in PATHS if isinstance(value_at(KEPT, path), (dict, list))]
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
    """A value that is removed, or replaced by null, is noticed."""
    data = deepcopy(KEPT)
    holder = value_at(data, path[:-1])
    if holder[path[-1]] is not None:
        without = deepcopy(KEPT)
        value_at(without, path[:-1])[path[-1]] = None
        check_refused(without)
    del holder[path[-1]]
    check_refused(data)


@given(st.sampled_from(VALUES), st.one_of(json_values, odd_json()))
def test_any_changed_value_is_noticed(path: tuple[Any, ...], value: Any) -> None:
    """A changed value is noticed at any place."""
    data = deepcopy(KEPT)
    holder = value_at(data, path[:-1])
    if text_of(holder[path[-1]]) == text_of(value):
        return
    holder[path[-1]] = value
    check_refused(data)


@given(st.sampled_from(VALUES), st.data())
def test_a_value_moved_to_another_path_is_noticed(
    path: tuple[Any, ...], data: st.DataObject
) -> None:
    """Two values of the snapshot may not be exchanged."""
    changed = deepcopy(KEPT)
    holder = value_at(changed, path[:-1])
    value = deepcopy(value_at(KEPT, data.draw(st.sampled_from(VALUES))))
    if text_of(holder[path[-1]]) == text_of(value):
        return
    holder[path[-1]] = value
    check_refused(changed)


@given(st.sampled_from(CONTAINERS), st.text(max_size=5), json_values, st.integers(0, 9))
def test_any_added_value_is_noticed(
    path: tuple[Any, ...], key: str, value: Any, index: int
) -> None:
    """An added value is noticed in every object and every list."""
    data = deepcopy(KEPT)
    holder = value_at(data, path)
    if isinstance(holder, list):
        holder.insert(index, value)
    elif key in holder:
        return
    else:
        holder[key] = value
    check_refused(data)


@given(odd_json())
def test_no_random_json_is_a_snapshot(data: Any) -> None:
    """Random JSON, and values similar to JSON, are refused."""
    check_refused(data)


@given(odd_json(), st.text(max_size=32))
def test_no_random_memory_is_a_snapshot(memory: Any, digest: str) -> None:
    """A random memory in valid parts is refused."""
    check_refused({**KEPT, "memory": memory, "digest": digest})


@given(st.sampled_from([path for path in VALUES if path[0] == "memory"]), json_values)
def test_a_forged_digest_raises_no_other_error(path: tuple[Any, ...], value: Any) -> None:
    """A memory with a forged digest is restored or raises `SnapshotError`, and nothing else."""
    data = deepcopy(KEPT)
    value_at(data, path[:-1])[path[-1]] = value
    if not isinstance(data["memory"], dict):
        check_refused(data)
        return
    data["digest"] = snapshot._digest(data["memory"])
    try:
        restored = ChatSession.restore(data, now=0.0)
    except SnapshotError:
        return
    assert isinstance(restored, ChatSession)


@pytest.mark.parametrize("section", [None, "service", "call", "own_typing", "counts"])
def test_an_unknown_field_is_refused_even_with_its_digest(section: str | None) -> None:
    """An unknown field in the memory or one of its parts is refused."""
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
    """A missing migration raises `SnapshotError` too."""
    monkeypatch.setattr(snapshot, "VERSION", snapshot.VERSION + 1)
    monkeypatch.setattr(snapshot, "MIGRATIONS", {})
    check_refused(KEPT)


@pytest.mark.parametrize("data", [{**KEPT, "digest": "MARK"}, {**KEPT, "MARK": "MARK"}])
def test_the_error_quotes_nothing_of_the_content(data: dict[str, Any]) -> None:
    """A snapshot contains texts of parties; its errors do not (law L10)."""
    with pytest.raises(SnapshotError) as error:
        ChatSession.restore(data, now=0.0)
    assert "MARK" not in str(error.value)
    assert "hello" not in str(error.value)


def test_texts_in_place_of_lists_are_noticed() -> None:
    """The digest of `seen_ids` covers the texts only; texts in place of lists are refused too."""
    session = ChatSession("chat-1")
    (event,) = decode(
        {"event": "chat_session_message", "party_id": "ann", "msg_id": "2", "msg": "y"}
    )
    session.receive(event, now=0.0)
    kept = session.snapshot(now=0.0)
    (row,) = kept["memory"]["seen_ids"]
    assert row == ["ann", ["2"], ["y"]]
    row[1:] = ["2", "y"]
    check_refused(kept)


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
FORGED: list[tuple[str, Any]] = [("seen_ids", forged) for forged in FORGED_SEEN] + [
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


@pytest.mark.parametrize(("name", "forged"), FORGED, ids=repr)
def test_a_value_of_another_kind_is_refused_even_with_its_digest(name: str, forged: Any) -> None:
    """A value of another type is refused; the error has the field, and quotes no text."""
    memory = {**KEPT["memory"], name: forged}
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
    """With a valid digest the error has the contradiction, or the missing field."""
    memory = {**KEPT["memory"], field: value}
    if value is None:
        del memory[field]
        why = f"{field} is missing"
    with pytest.raises(SnapshotError, match=why):
        ChatSession.restore({**KEPT, "memory": memory, "digest": snapshot._digest(memory)}, now=0.0)


def test_a_text_is_not_a_list() -> None:
    """A text of as many characters as a party has fields is refused."""
    data = deepcopy(KEPT)
    data["memory"]["parties"] = ["abcde"]
    data["digest"] = snapshot._digest(data["memory"])
    with pytest.raises(SnapshotError, match="a list of party_id, type"):
        ChatSession.restore(data, now=0.0)


def test_ids_without_a_fingerprint_are_refused() -> None:
    """The error says that there must be as many texts as ids."""
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
