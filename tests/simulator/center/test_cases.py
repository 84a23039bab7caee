"""Notifications, case histories, and cases (version 2)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.simulator.center.office import Office, event, says

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
def test_one_kind_of_token_is_remembered(tokens: dict[str, Any], kind: str | None) -> None:
    """And forgotten by an empty object; the token itself is kept nowhere."""
    office = Office()
    chat_id = office.opens()
    office.asks("POST", f"chats/{chat_id}/notifications", APNS)
    assert office.asks("POST", f"chats/{chat_id}/notifications", tokens) == {}
    assert office.chat(chat_id).push_token_kind == kind


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
    """It is refused with 406, and changes nothing."""
    office = Office()
    chat_id = office.opens()
    assert office.refused("POST", f"chats/{chat_id}/notifications", tokens)[0] == 406
    assert office.chat(chat_id).push_token_kind is None


@pytest.mark.parametrize("path", ["notifications", "closecase"])
def test_version_one_has_none_of_it(path: str) -> None:
    """It is a bare 404 there."""
    office = Office()
    chat_id = office.opens(version=1)
    for verb in ("GET", "POST"):
        assert office.refused(verb, f"chats/{chat_id}/{path}", version=1) == (404, None)


def test_a_case_history_lists_the_clients_sessions() -> None:
    """Those that are over and the one that lives, and nobody else's."""
    office = Office(history_after_end=True)
    first = office.opens()
    office.tells(first, says("Hi"), event("ended"))
    office.opens(client="bert")
    office.now = 7.5
    second = office.opens()
    listed = office.asks("GET", f"chats/{second}/casehistory")["sessions"]
    assert [(one["chat_id"], one["created_time"]) for one in listed] == [
        (first, 1_700_000_000),
        (second, 1_700_000_007),
    ]
    assert listed[0]["events"] == office.history(first)
    assert office.asks("GET", f"chats/{first}/casehistory")["sessions"] == listed


def test_version_one_has_case_histories() -> None:
    """The vendor's web client v4 asks for them there."""
    office = Office()
    chat_id = office.opens(version=1)
    (listed,) = office.asks("GET", f"chats/{chat_id}/casehistory", version=1)["sessions"]
    assert listed["chat_id"] == chat_id


def test_two_kinds_of_push_tokens_are_too_many_parameters() -> None:
    """Two kinds are refused with 5603, and half of one with 5003."""
    office = Office()
    chat_id = office.opens()
    both = {"android_firebase_device_token": "a", "ios_firebase_device_token": "b"}
    for tokens, code in ((both, "5603"), ({"ios_app_bundle_id": "x"}, "5003")):
        found = office.refused("POST", f"chats/{chat_id}/notifications", tokens)
        assert found == (406, code)


@pytest.mark.parametrize("is_over", [False, True])
def test_a_case_is_closed_once(is_over: bool) -> None:
    """A chat without one is refused with 5601; one that lives is told."""
    office = Office()
    chat_id = office.opens()
    assert office.refused("POST", f"chats/{chat_id}/closecase", {}) == (406, "5601")
    office.tells(chat_id, event("case_set", case_id="C-1"))
    if is_over:
        office.tells(chat_id, event("ended"))
    office.polls(chat_id)
    assert office.asks("POST", f"chats/{chat_id}/closecase", {}) == {}
    assert office.refused("POST", f"chats/{chat_id}/closecase", {}) == (406, "5601")
    if not is_over:
        found = event("case_set", case_id="", timestamp="1700000000")
        assert office.polls(chat_id) == [found]
