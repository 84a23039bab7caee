"""What makes snapshots of older versions into those of today, a version at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

__all__ = ["MIGRATIONS"]


def _in_sections(flat: dict[str, Any]) -> dict[str, Any]:
    """Version 1 had on one floor what version 2 has in sections."""
    told = [[speaker, *_side_by_side(ids)] for speaker, ids in flat["told"] or ()]
    roll = {"departed": flat["departed"], "arrivals": _under_chats_id(flat)}
    answers = {"forms": flat["closed_forms"], "text_at": flat["own_text_at"]}
    return {
        **{name: value for name, value in flat.items() if name not in _MOVED},
        "parties": [
            {**party, "party_id": _own_or_as_is(flat, party["party_id"])}
            for party in flat["parties"]
        ],
        "roll": roll if any(roll.values()) else None,
        "answers": answers if any(part is not None for part in answers.values()) else None,
        "told": {"ids": told, "count": flat["told_count"], "complete": flat["told_all"]}
        if told
        else None,
        "call": {
            "state": flat["call"],
            "party": flat["call_party"],
            "candidates": flat["candidates"] or [],
        },
        "service": {
            "case_id": flat["case_id"],
            "case_at": flat["case_at"],
            "name": flat["service_name"],
            "name_at": flat["service_at"],
            "cobrowsing": flat["cobrowsing"],
        },
    }


_MOVED: Final = {
    *("outcome", "closed_forms", "own_text_at", "departed", "arrivals"),
    *("told", "told_count", "told_all", "call", "call_party", "candidates"),
    *("case_id", "case_at", "service_name", "service_at", "cobrowsing"),
}


def _under_chats_id(flat: dict[str, Any]) -> Any:
    arrivals = flat["arrivals"]
    return arrivals and [[_own_or_as_is(flat, party_id), at] for party_id, at in arrivals]


def _own_or_as_is(flat: dict[str, Any], party_id: str) -> str:
    """Version 1 listed an announced customer in whatever case came; now it is the chat's."""
    chat_id: str = flat["chat_id"]
    return chat_id if party_id.casefold() == chat_id.casefold() else party_id


def _side_by_side(pairs: list[list[str]]) -> tuple[list[str], list[str]]:
    return [name for name, _ in pairs], [content for _, content in pairs]


MIGRATIONS: Final[dict[int, Callable[[dict[str, Any]], dict[str, Any]]]] = {1: _in_sections}
"""For each older version, what makes the body of the next one of its body."""
