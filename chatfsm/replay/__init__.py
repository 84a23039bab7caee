"""Replay: recorded logs through sessions, on the clock of the log.

One chat, whose events are at hand, step by step:

>>> from chatfsm import decode_lines
>>> from chatfsm.replay import replay_chat
>>> with open("tests/logs/stuck_typing.jsonl", "rb") as log:
...     steps = list(replay_chat(decode_lines(log.read()), "chat-1"))
>>> for step in steps[-4:]:
...     print(step.seq, step.at, [type(effect).__name__ for effect in step.effects])
14 1744272273.0 ['TypingStarted']
15 1744272303.0 ['TypingStopped']
15 1744272473.0 ['PartyRemoved']
16 1744272473.0 ['StateChanged', 'Terminated']

All chats of recorded files, each yielded when it is finished; the format of a file is told by its
content:

>>> from chatfsm.replay import ChatTotals, Totals, replay_logs
>>> totals = Totals()
>>> for chat in replay_logs(["tests/logs/two_chats.jsonl", "tests/logs/late.jsonl"]):
...     totals.add(ChatTotals.of(chat.stats))
...     print(chat.session.chat_id, chat.session.state, chat.stats.messages, chat.stats.findings())
556ce471-07c2-45d6-bacf-99772f7e6357 ended 5 {}
2b3fed56-5fd3-4583-a99c-5e4a975e4885 ended 4 {}
late timed_out 2 {'late': 1}
>>> totals.sessions, totals.messages, totals.findings
(3, 11, Counter({'late': 1}))

Directories, patterns and zip files stand for the files in them:

>>> from chatfsm.replay import open_logs
>>> [source.name for source in open_logs("tests/logs/*_chats.jsonl")]
['tests/logs/two_chats.jsonl']

Statistics of your own, from every step:

>>> from collections import Counter
>>> effects = Counter()
>>> def count(chat, step):
...     effects.update(type(effect).__name__ for effect in step.effects)
>>> for chat in replay_logs(["tests/logs/late.jsonl"], on_step=count):
...     print(chat.session.chat_id, effects["MessageReceived"])
late 2

The records of a file, before any session:

>>> from chatfsm.replay import Source, records
>>> record = next(records(Source("tests/logs/two_chats.jsonl")))
>>> record.where, record.chat_id, type(record.event).__name__
('tests/logs/two_chats.jsonl: line 1', '556ce471-07c2-45d6-bacf-99772f7e6357', 'Status')

A journal: all inputs and effects of a session, recorded and later verified:

>>> from chatfsm import ChatSession, commands
>>> from chatfsm.replay import Recorded, verify
>>> lines = []
>>> session = Recorded(ChatSession("chat-1"), lines.append)
>>> sent = session.receive(commands.SendText("hello"), now=5.0)
>>> verify(lines)
1

A log without personal data, to pass on:

>>> from chatfsm.replay import Pseudonyms, scrubbed_lines
>>> lines = scrubbed_lines(Source("tests/logs/two_chats.jsonl"), Pseudonyms(b"a secret key"))
>>> next(lines)[:31]
'{"chat_id": "chat-e15defdec4b5"'

Waits, responses and outcomes, as contact centers report them:

>>> from chatfsm.replay import MetricsReport, measure_logs
>>> report = MetricsReport(threshold=20.0)
>>> for metrics in measure_logs(["tests/logs/transfer.jsonl"]):
...     report.add(metrics)
>>> metrics.queue_seconds, metrics.first_response_seconds, metrics.transfers
(12.0, 9.0, 2)
>>> report.totals()["service_level"]
1.0

Reading is `chatfsm.replay.formats`, statistics are `chatfsm.replay.stats`. A reader for one more
format yields `RecordBatch` values, which `StreamReplay.feed` takes.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from chatfsm.replay.chat_replay import ReplayStep, replay_chat
    from chatfsm.replay.formats import Record, records
    from chatfsm.replay.journal import Recorded, verify
    from chatfsm.replay.log_files import open_logs
    from chatfsm.replay.metric_totals import MetricsReport
    from chatfsm.replay.metrics import ChatMetrics, measure_logs
    from chatfsm.replay.scrub import Pseudonyms, scrubbed_lines
    from chatfsm.replay.sources import Source
    from chatfsm.replay.stats import ChatStats, ChatTotals, Totals
    from chatfsm.replay.stream_replay import (
        ReplayedChat,
        StreamReplay,
        ViolationError,
        replay_logs,
    )

__all__ = [
    "COVERAGE_PARTS",
    "FINDINGS",
    "ChatMetrics",
    "ChatStats",
    "ChatTotals",
    "MetricsReport",
    "Pseudonyms",
    "Record",
    "Recorded",
    "ReplayStep",
    "ReplayedChat",
    "Source",
    "StreamReplay",
    "Totals",
    "ViolationError",
    "measure_logs",
    "open_logs",
    "records",
    "replay_chat",
    "replay_logs",
    "scrubbed_lines",
    "verify",
]

FINDINGS: Final = ("unknown", "malformed", "anomalies", "late")
"""Kinds of findings in a log; late events of the terminal batch are not findings."""

COVERAGE_PARTS: Final = ("lifecycle", "form", "call", "delivery", "events", "effects")
"""What `chatfsm.replay.coverage` counts: state machines, events and effects."""

# Each name is loaded when it is first used: `chatfsm --help` imports FINDINGS, and no library.
_MODULES: Final = {
    "ChatMetrics": "metrics",
    "ChatStats": "stats",
    "ChatTotals": "stats",
    "MetricsReport": "metric_totals",
    "Pseudonyms": "scrub",
    "Record": "formats",
    "Recorded": "journal",
    "ReplayStep": "chat_replay",
    "ReplayedChat": "stream_replay",
    "Source": "sources",
    "StreamReplay": "stream_replay",
    "Totals": "stats",
    "ViolationError": "stream_replay",
    "measure_logs": "metrics",
    "open_logs": "log_files",
    "records": "formats",
    "replay_chat": "chat_replay",
    "replay_logs": "stream_replay",
    "scrubbed_lines": "scrub",
    "verify": "journal",
}


if not TYPE_CHECKING:  # type checkers refuse a name that is not imported above

    def __getattr__(name: str) -> object:
        """Load a public name on its first use."""
        if name not in _MODULES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    """Return the public names alone, loaded or not."""
    return list(__all__)
