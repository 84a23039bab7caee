"""Push notifications, case histories and cases (version 2)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.center.harness import CenterHarness, agent_message, event

APNS = {"ios_apns_device_token": "t", "ios_app_bundle_id": "b"}


@pytest.mark.parametrize(
    ("tokens", "kind"),
    [
        (APNS, "apns"),
        ({"ios_firebase_device_token": "t"}, "firebase for iOS"),
        ({"android_firebase_device_token": "t", "other": 1}, "firebase for Android"),
        ({}, None),
    ],
)
def test_one_kind_of_token_is_kept(tokens: dict[str, Any], kind: str | None) -> None:
    """The center keeps the kind of the token, not the token; an empty object removes it."""
    harness = CenterHarness()
    chat_id = harness.open_chat()
    harness.request_json("POST", f"chats/{chat_id}/notifications", APNS)
    assert harness.request_json("POST", f"chats/{chat_id}/notifications", tokens) == {}
    assert harness.chat(chat_id).push_token_kind == kind


@pytest.mark.parametrize(
    "tokens",
    [
        {"ios_apns_device_token": "t"},
        {"ios_app_bundle_id": "b"},
        {**APNS, "ios_firebase_device_token": "t"},
        {"ios_firebase_device_token": "t", "android_firebase_device_token": "t"},
        {"ios_firebase_device_token": 7},
        {"ios_firebase_device_token": ""},
    ],
)
def test_anything_but_one_kind_is_not_acceptable(tokens: dict[str, Any]) -> None:
    """A body with no token, or with two kinds, is refused with 406 and changes nothing."""
    harness = CenterHarness()
    chat_id = harness.open_chat()
    assert harness.refused("POST", f"chats/{chat_id}/notifications", tokens)[0] == 406
    assert harness.chat(chat_id).push_token_kind is None


@pytest.mark.parametrize("path", ["notifications", "closecase"])
def test_version_one_has_no_notifications_or_cases(path: str) -> None:
    """Version 1 answers these paths with a 404 without an error code."""
    harness = CenterHarness()
    chat_id = harness.open_chat(version=1)
    for verb in ("GET", "POST"):
        assert harness.refused(verb, f"chats/{chat_id}/{path}", version=1) == (404, None)


def test_a_case_history_lists_the_clients_sessions() -> None:
    """It has the client's ended sessions and the live one, and no other client's."""
    harness = CenterHarness(history_after_end=True)
    first = harness.open_chat()
    harness.send(first, agent_message("Hi"), event("ended"))
    harness.open_chat(client="bert")
    harness.now = 7.5
    second = harness.open_chat()
    listed = harness.request_json("GET", f"chats/{second}/casehistory")["sessions"]
    assert [(one["chat_id"], one["created_time"]) for one in listed] == [
        (first, 1_700_000_000),
        (second, 1_700_000_007),
    ]
    assert listed[0]["events"] == harness.history(first)
    assert harness.request_json("GET", f"chats/{first}/casehistory")["sessions"] == listed


def test_version_one_has_case_histories() -> None:
    """The vendor's web client v4 requests case histories from version 1."""
    harness = CenterHarness()
    chat_id = harness.open_chat(version=1)
    (listed,) = harness.request_json("GET", f"chats/{chat_id}/casehistory", version=1)["sessions"]
    assert listed["chat_id"] == chat_id


def test_two_kinds_of_push_tokens_are_refused() -> None:
    """Two kinds of token are refused with 5603, and half of one with 5003."""
    harness = CenterHarness()
    chat_id = harness.open_chat()
    both = {"android_firebase_device_token": "a", "ios_firebase_device_token": "b"}
    for tokens, code in ((both, "5603"), ({"ios_app_bundle_id": "x"}, "5003")):
        found = harness.refused("POST", f"chats/{chat_id}/notifications", tokens)
        assert found == (406, code)


@pytest.mark.parametrize("is_over", [False, True])
def test_a_case_is_closed_once(is_over: bool) -> None:
    """A chat without a case is refused with 5601; a live chat receives the event."""
    harness = CenterHarness()
    chat_id = harness.open_chat()
    assert harness.refused("POST", f"chats/{chat_id}/closecase", {}) == (406, "5601")
    harness.send(chat_id, event("case_set", case_id="C-1"))
    if is_over:
        harness.send(chat_id, event("ended"))
    harness.poll(chat_id)
    assert harness.request_json("POST", f"chats/{chat_id}/closecase", {}) == {}
    assert harness.refused("POST", f"chats/{chat_id}/closecase", {}) == (406, "5601")
    if not is_over:
        found = event("case_set", case_id="", timestamp="1700000000")
        assert harness.poll(chat_id) == [found]
