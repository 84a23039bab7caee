"""Targets of the fuzzer: a check for any input, and the first inputs of each."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

from tests.fuzz import exchanges, recordings, snapshots, texts

__all__ = ["TARGETS", "Target"]


class Target(NamedTuple):
    """A check that raises for an input that breaks a rule."""

    about: str
    check: Callable[[bytes], None]
    seeds: Callable[[], Iterable[bytes]]


TARGETS: Final = {
    "decode": Target("JSON to events", texts.check_decode, texts.line_seeds),
    "decode_lines": Target("JSON lines to events", texts.check_decode_lines, texts.log_seeds),
    "session": Target("snapshots of a session", snapshots.check_session, snapshots.session_seeds),
    "client": Target("snapshots of a client", snapshots.check_client, snapshots.client_seeds),
    "record": Target("the state file of a driver", snapshots.check_record, snapshots.record_seeds),
    "journal": Target("journals", recordings.check_journal, recordings.journal_seeds),
    "replay": Target("recorded logs", recordings.check_replay, recordings.recording_seeds),
    "scrub": Target("logs that are scrubbed", recordings.check_scrub, recordings.recording_seeds),
    "replies": Target("replies to a client", exchanges.check_replies, exchanges.reply_seeds),
    "requests": Target(
        "requests to the simulator", exchanges.check_requests, exchanges.request_seeds
    ),
}
"""The targets by name."""
