"""What makes snapshots of older versions into those of today, a version at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from chatfsm._session.duplicates import DIGEST, SHORT, digest_of
from chatfsm._session.snapshot_fields import content

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


def _on_one_floor(sections: dict[str, Any]) -> dict[str, Any]:
    """Version 3 has again on one floor what version 2 had in sections, and leaves out nulls."""
    told, roll, answers = (sections[name] or {} for name in ("told", "roll", "answers"))
    arrivals = dict(roll.get("arrivals") or ())
    times = [arrivals.get(party["party_id"]) for party in sections["parties"]]
    ids = _told_by_names(told.get("ids", []))
    call = sections["call"]
    body = {
        **{name: value for name, value in sections.items() if name not in _SECTIONS},
        "parties": [[party[name] for name in _PARTY] for party in sections["parties"]],
        "arrivals": [at and (at[0] if at[0] == at[1] else at) for at in times],
        "departed": roll.get("departed"),
        "forms": _each(sections["forms"], _form),
        "closed": _each(answers.get("forms"), _known),
        "text_at": answers.get("text_at"),
        "outbox": _each(sections["outbox"], _outgoing),
        "call": _known({**call, "candidates": [_known(held) for held in call["candidates"]]}),
        "service": _known(sections["service"]),
        "told": ids,
        "told_count": sum(len(names) for _, names, _ in ids),
        "told_all": told.get("complete", True),
    }
    return _known(body)


_SECTIONS: Final = {"told", "roll", "answers"}
_PARTY: Final = ("party_id", "type", "display_name", "first_name", "last_name")


def _known(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}


def _each(pairs: list[list[Any]] | None, way: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    return pairs and [[name, way(held)] for name, held in pairs]


def _form(waiting: dict[str, Any]) -> dict[str, Any]:
    form, known = _known(waiting["form"]), _held(waiting["content"])
    return _known({**waiting, "form": form, "content": known})


def _outgoing(outgoing: dict[str, Any]) -> dict[str, Any]:
    return {**outgoing, "echo": [_held(text) for text in outgoing["echo"]]}


def _told_by_names(told: list[list[Any]]) -> list[list[Any]]:
    """Version 2 made texts, which began with NUL, of what version 3 has side by side.

    What had no id is left out: of that only a digest was kept that is another one now.
    """
    found: dict[tuple[str, str | None], list[tuple[Any, str]]] = {}
    for speaker, names, contents in told:
        kind, who = _kind_of(speaker)
        ids = [_named(name, known) for name, known in zip(names, contents, strict=True)]
        if kind in {"delivered", "read"}:
            _add_receipts(found.setdefault((kind, None), []), [name for name, _ in ids], who)
        elif kind != "nameless":
            found[kind, who or None] = ids
    return [
        [list(speaker) if speaker[0] else speaker[1], *map(list, zip(*ids, strict=True))]
        for speaker, ids in found.items()
        if ids
    ]


def _kind_of(speaker: str) -> tuple[str, str]:
    if speaker == "\0forms":
        return "form", ""
    if not speaker.startswith("\0"):
        return "", speaker
    _, kind, who = speaker.split("\0", 2)
    return kind, who


def _add_receipts(known: list[tuple[Any, str]], names: list[Any], who: str) -> None:
    """Receipts stood under who sent them, and stand under what they are of."""
    once = {name for name, _ in known}
    known += [([name, who], "") if name in once else (name, who) for name in names]


def _named(name: str, known: str) -> tuple[Any, str]:
    """An id and its content; an id that came again was one text with its further content."""
    if name.startswith("\0v"):
        length, _, both = name[2:].partition(":")
        return [both[: int(length)], _held(both[int(length) :])], ""
    return name.removeprefix("\0i"), _held(known)


def _held(known: str) -> str:
    """Short contents as they are, a digest in place of all others."""
    if known.startswith("#") and len(known) > SHORT:
        known = content.write(bytes.fromhex(known[1 : 1 + 2 * DIGEST]), 0.0)
    elif known.startswith("\0"):
        known = content.write(digest_of(known[1:]), 0.0)
    return known


MIGRATIONS: Final[dict[int, Callable[[dict[str, Any]], dict[str, Any]]]] = {
    1: _in_sections,
    2: _on_one_floor,
}
"""For each older version, what makes the body of the next one of its body."""
