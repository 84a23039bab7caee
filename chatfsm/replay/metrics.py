"""Metrics of chats: waits, responses, handling and outcomes, from the effects of a replay.

    report = MetricsReport()
    for chat in measure_logs(["logs/monday.jsonl"]):
        report.add(chat)
    print(report.to_json())

A human agent is a party of type internal or msteams. The customer's messages are those of the own
side, an agent's are those of a human agent in the roster, and all others are the scenario's. Times
are those of the replay: when the log received an event, or the server's time. A chat starts at its
first event, and ends at its terminal event, or else at its last event.

The definitions follow what contact centers report: "Service level X", "Average queue answer time",
"Average handle time" and "Agent first response time" of Amazon Connect
(https://docs.aws.amazon.com/connect/latest/adminguide/metrics-definitions.html), and "Service
Level", "ASA" and "Abandoned" of Bright Pattern's Service Metrics Report
(https://help.brightpattern.com/5.8:Reporting-reference-guide/ServiceMetricsReport). Unlike Bright
Pattern's, the service level counts chats that were abandoned within the threshold, too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from math import floor
from os import PathLike
from typing import Any, Final

from attrs import define, field, frozen

from chatfsm import effects as e
from chatfsm._session.tables import OUTCOMES
from chatfsm.effects import Effect
from chatfsm.models import Party
from chatfsm.replay.chat_replay import ReplayStep
from chatfsm.replay.sources import Source
from chatfsm.replay.stats import ChatStats
from chatfsm.replay.stream_replay import ReplayedChat, replay_logs
from chatfsm.settings import Settings

__all__ = [
    "AgentInChat",
    "ChatMetrics",
    "MetricsRecorder",
    "finish_metrics",
    "measure_logs",
    "percentile",
    "record_step",
    "utc_text",
]

_WAITING: Final = frozenset({"queued", "connecting"})
# A time before 1973 is one of a clock that does not count from 1970, such as a journal's.
_FIRST_WALL_TIME: Final = 1e8


@frozen
class AgentInChat:
    """A human agent's part in one chat."""

    party_id: str
    """Id of the agent, as in `Party.party_id`."""
    display_name: str | None
    """The latest display name of the agent; None if the server sent none."""
    messages: int
    """Number of messages of the agent in this chat."""
    handle_seconds: float
    """Seconds in the roster."""
    first_response_seconds: float | None
    """Seconds from the moment when the agent is first both in the roster and connected to the
    agent's first message; None if there was none."""


@frozen(kw_only=True)
class ChatMetrics:
    """The metrics of one chat; None if one is not defined for the chat."""

    chat_id: str
    """Id of the chat in the log."""
    started_at: float | None
    """Seconds since 1970; None if the log has no times."""
    ended_at: float | None
    """Seconds since 1970, of the terminal event, else of the last one; None if the log has no
    times."""
    duration_seconds: float
    """From `started_at` to `ended_at`; 0 if the log has no times."""
    outcome: str | None
    """ended, timed_out, failed or gone; None if the chat is not over."""
    answered: bool
    """Whether it was connected at some time with a human agent in the roster."""
    abandoned: bool
    """Whether it was queued or connecting, is over, and was never answered."""
    queue_seconds: float | None
    """From the first queued or connecting to the first connected after it, or to the end."""
    first_response_seconds: float | None
    """From the moment when a human agent is first both in the roster and connected to the first
    message of a human agent."""
    response_seconds: tuple[float, ...]
    """For each run of customer messages that a human agent answered, from its first message to the
    agent's message."""
    handle_seconds: float
    """Time with at least one human agent in the roster."""
    transfers: int
    """Joins of a human agent after another human agent had been there."""
    state_seconds: dict[str, float]
    """Seconds in each state that the chat was in, before its end."""
    messages: dict[str, int]
    """Messages of the customer, of agents and of the scenario."""
    files: int
    """Number of files, of both sides."""
    agent_typing_seconds: float
    """Seconds in which human agents typed, added up over the agents."""
    forms: dict[str, int]
    """Forms opened, submitted, cancelled and expired."""
    form_answer_seconds: tuple[float, ...]
    """For each submitted form, seconds from its opening."""
    warnings: int
    """Number of inactivity warnings."""
    agents: tuple[AgentInChat, ...]
    """The human agents, in the order of joining."""
    duplicates: int
    """Number of events that were received before, as in `Counts.duplicates`."""
    unknown: int
    """Number of events with an unknown name, as in `Counts.unknown`."""
    malformed: int
    """Number of unusable items, as in `Counts.malformed`."""
    anomalies: int
    """Number of anomalies of all kinds, as in `Counts.anomalies`."""
    late: int
    """Number of events after the end, as in `Counts.late`."""

    def to_json(self) -> dict[str, Any]:
        """Return the metrics as JSON values; times are ISO 8601 in UTC."""
        responses, answers = self.response_seconds, self.form_answer_seconds
        return {
            "chat_id": self.chat_id,
            "started_at": utc_text(self.started_at),
            "ended_at": utc_text(self.ended_at),
            "duration_seconds": self.duration_seconds,
            "outcome": self.outcome,
            "answered": self.answered,
            "abandoned": self.abandoned,
            "queue_seconds": self.queue_seconds,
            "first_response_seconds": self.first_response_seconds,
            "responses": len(responses),
            "response_seconds_median": percentile(responses, 50),
            "response_seconds_p90": percentile(responses, 90),
            "handle_seconds": self.handle_seconds,
            "transfers": self.transfers,
            "state_seconds": self.state_seconds,
            "messages": self.messages,
            "files": self.files,
            "agent_typing_seconds": self.agent_typing_seconds,
            "forms": self.forms,
            "form_answer_seconds_median": percentile(answers, 50),
            "warnings": self.warnings,
            "agents": [agent.party_id for agent in self.agents],
            "duplicates": self.duplicates,
            "unknown": self.unknown,
            "malformed": self.malformed,
            "anomalies": self.anomalies,
            "late": self.late,
        }


def percentile(values: Iterable[float], percent: float) -> float | None:
    """Return a percentile, 0 to 100, by linear interpolation between the sorted values.

    The smallest value is the 0th percentile and the largest the 100th; None if there are none.
    """
    ordered = sorted(values)
    if not ordered:
        return None
    at = (len(ordered) - 1) * percent / 100
    below = floor(at)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (at - below)


def utc_text(at: float | None) -> str | None:
    """Return a time in seconds since 1970 as ISO 8601 in UTC; None if it is no such time."""
    if at is None or at < _FIRST_WALL_TIME:
        return None
    try:
        moment = datetime.fromtimestamp(at, UTC)
    except (OverflowError, OSError, ValueError):  # beyond the year 9999
        return None
    return moment.isoformat().replace("+00:00", "Z")


# Recording.


@define
class _Stopwatch:
    """Seconds between starts and stops."""

    seconds: float = 0.0
    since: float | None = None

    def start(self, at: float) -> None:
        if self.since is None:
            self.since = at

    def stop(self, at: float) -> None:
        if self.since is not None:
            self.seconds += at - self.since
            self.since = None


@define
class _Agent:
    """A human agent, while the chat is replayed."""

    party: Party
    presence: _Stopwatch = field(factory=_Stopwatch)
    messages: int = 0
    ready_at: float | None = None
    """When the agent was first both in the roster and connected."""
    first_response: float | None = None

    def finished(self, at: float) -> AgentInChat:
        self.presence.stop(at)
        return AgentInChat(
            self.party.party_id,
            self.party.display_name,
            self.messages,
            self.presence.seconds,
            self.first_response,
        )


@define
class MetricsRecorder:
    """Records the metrics of one chat: `add` takes each step, `finish` returns them."""

    _state: str = "establishing"
    _states: dict[str, _Stopwatch] = field(factory=dict)
    _roster: dict[str, Party] = field(factory=dict)
    _agents: dict[str, _Agent] = field(factory=dict)
    _handling: _Stopwatch = field(factory=_Stopwatch)
    _typing: dict[str, _Stopwatch] = field(factory=dict)
    _queued_at: float | None = None
    _queue_seconds: float | None = None
    _ready_at: float | None = None
    _first_response: float | None = None
    _asked_at: float | None = None
    """Time of the first customer message that no human agent has answered."""
    _responses: list[float] = field(factory=list)
    _transfers: int = 0
    _messages: dict[str, int] = field(factory=lambda: {"customer": 0, "agent": 0, "scenario": 0})
    _files: int = 0
    _warnings: int = 0
    _forms: dict[str, int] = field(
        factory=lambda: {"opened": 0, "submitted": 0, "cancelled": 0, "expired": 0}
    )
    _opened_at: dict[str, float] = field(factory=dict)
    _form_answers: list[float] = field(factory=list)

    def add(self, at: float, effects: Iterable[Effect]) -> None:
        """Add the effects of one step, at its time on the clock of the log."""
        if not self._states:
            self._enter("establishing", at)
        for effect in effects:
            handler = _HANDLERS.get(type(effect))
            if handler is not None:
                handler(self, effect, at)

    def finish(self, stats: ChatStats) -> ChatMetrics:
        """Return the metrics of the chat, whose statistics are those of the same replay."""
        session, counts = stats.session, stats.session.counts
        started = stats.first_at
        ended = stats.last_at if stats.ended_at is None else stats.ended_at
        end = ended or 0.0
        for stopwatch in (*self._states.values(), *self._typing.values(), self._handling):
            stopwatch.stop(end)
        if self._queued_at is not None and self._queue_seconds is None:
            self._queue_seconds = end - self._queued_at
        answered = self._ready_at is not None
        return ChatMetrics(
            chat_id=session.chat_id,
            started_at=started,
            ended_at=ended,
            duration_seconds=end - (started or 0.0),
            outcome=session.outcome,
            answered=answered,
            abandoned=self._queued_at is not None and session.done and not answered,
            queue_seconds=self._queue_seconds,
            first_response_seconds=self._first_response,
            response_seconds=tuple(self._responses),
            handle_seconds=self._handling.seconds,
            transfers=self._transfers,
            state_seconds=self._state_seconds(),
            messages=self._messages,
            files=self._files,
            agent_typing_seconds=sum((typing.seconds for typing in self._typing.values()), 0.0),
            forms=self._forms,
            form_answer_seconds=tuple(self._form_answers),
            warnings=self._warnings,
            agents=tuple(agent.finished(end) for agent in self._agents.values()),
            duplicates=counts.duplicates,
            unknown=counts.unknown,
            malformed=counts.malformed,
            anomalies=counts.anomalies,
            late=counts.late,
        )

    def _state_seconds(self) -> dict[str, float]:
        """Seconds in each state; the initial one only if the chat stayed in it."""
        seconds = {state: watch.seconds for state, watch in self._states.items()}
        if len(seconds) > 1 and seconds.get("establishing") == 0:
            del seconds["establishing"]
        return seconds

    def _enter(self, state: str, at: float) -> None:
        self._state = state
        self._states.setdefault(state, _Stopwatch()).start(at)

    def _state_changed(self, effect: e.StateChanged, at: float) -> None:
        if effect.previous != self._state:  # a journal begins in the middle of a chat
            self._states[effect.previous] = self._states.pop(self._state)
        self._states[effect.previous].stop(at)
        if effect.state in OUTCOMES:
            self._state = effect.state
            self._handling.stop(at)
            return
        self._enter(effect.state, at)
        if effect.state in _WAITING and self._queued_at is None:
            self._queued_at = at
        if effect.state == "connected":
            if self._queued_at is not None and self._queue_seconds is None:
                self._queue_seconds = at - self._queued_at
            self._note_ready(at)

    def _party_added(self, effect: e.PartyAdded | e.PartyChanged, at: float) -> None:
        party = effect.party
        before = self._roster.get(party.party_id)
        self._roster[party.party_id] = party
        if not party.is_human:
            if before is not None and before.is_human:
                self._agent_left(before, at)
            return
        agent = self._agent(party)
        agent.party = party
        if before is None or not before.is_human:
            self._transfers += any(other != party.party_id for other in self._agents)
            agent.presence.start(at)
            self._handling.start(at)
        self._note_ready(at)

    def _party_removed(self, effect: e.PartyRemoved, at: float) -> None:
        party = self._roster.pop(effect.party.party_id, effect.party)
        if party.is_human:
            self._agent_left(party, at)

    def _agent(self, party: Party) -> _Agent:
        """The agent, made if new."""
        return self._agents.setdefault(party.party_id, _Agent(party))

    def _agent_left(self, party: Party, at: float) -> None:
        self._agent(party).presence.stop(at)
        if not any(party.is_human for party in self._roster.values()):
            self._handling.stop(at)

    def _note_ready(self, at: float) -> None:
        """Note which human agents are in the roster of a connected chat for the first time."""
        if self._state != "connected":
            return
        for party in self._roster.values():
            if party.is_human:
                self._ready_at = at if self._ready_at is None else self._ready_at
                agent = self._agent(party)
                agent.ready_at = at if agent.ready_at is None else agent.ready_at

    def _message_received(self, effect: e.MessageReceived, at: float) -> None:
        message = effect.message
        if message.own:
            self._messages["customer"] += 1
            self._asked_at = at if self._asked_at is None else self._asked_at
        elif message.sender is None or not message.sender.is_human:
            self._messages["scenario"] += 1
        else:
            self._messages["agent"] += 1
            self._agent_spoke(message.sender, at)

    def _agent_spoke(self, party: Party, at: float) -> None:
        if self._asked_at is not None:
            self._responses.append(at - self._asked_at)
            self._asked_at = None
        if self._ready_at is not None and self._first_response is None:
            self._first_response = at - self._ready_at
        agent = self._agent(party)
        agent.messages += 1
        if agent.ready_at is not None and agent.first_response is None:
            agent.first_response = at - agent.ready_at

    def _file_received(self, _effect: e.FileReceived, _at: float) -> None:
        self._files += 1

    def _typing_started(self, effect: e.TypingStarted, at: float) -> None:
        party = self._roster.get(effect.party_id)
        if party is not None and party.is_human:
            self._typing.setdefault(effect.party_id, _Stopwatch()).start(at)

    def _typing_stopped(self, effect: e.TypingStopped, at: float) -> None:
        if effect.party_id in self._typing:
            self._typing[effect.party_id].stop(at)

    def _form_opened(self, effect: e.FormOpened, at: float) -> None:
        self._forms["opened"] += 1
        self._opened_at[effect.form.request_id] = at

    def _form_closed(self, effect: e.FormClosed, at: float) -> None:
        opened_at = self._opened_at.pop(effect.form.request_id, at)
        if effect.reason in self._forms:
            self._forms[effect.reason] += 1
        if effect.reason == "submitted":
            self._form_answers.append(at - opened_at)

    def _warning_raised(self, _effect: e.WarningRaised, _at: float) -> None:
        self._warnings += 1


_HANDLERS: Final[dict[type, Callable[[MetricsRecorder, Any, float], None]]] = {
    e.StateChanged: MetricsRecorder._state_changed,  # noqa: SLF001  # the class's own table
    e.PartyAdded: MetricsRecorder._party_added,  # noqa: SLF001
    e.PartyChanged: MetricsRecorder._party_added,  # noqa: SLF001
    e.PartyRemoved: MetricsRecorder._party_removed,  # noqa: SLF001
    e.MessageReceived: MetricsRecorder._message_received,  # noqa: SLF001
    e.FileReceived: MetricsRecorder._file_received,  # noqa: SLF001
    e.TypingStarted: MetricsRecorder._typing_started,  # noqa: SLF001
    e.TypingStopped: MetricsRecorder._typing_stopped,  # noqa: SLF001
    e.FormOpened: MetricsRecorder._form_opened,  # noqa: SLF001
    e.FormClosed: MetricsRecorder._form_closed,  # noqa: SLF001
    e.WarningRaised: MetricsRecorder._warning_raised,  # noqa: SLF001
}


def measure_logs(
    names: Iterable[str | PathLike[str] | Source],
    *,
    settings: Settings | None = None,
    default_chat_id: str | None = None,
    close_after: float | None = None,
) -> Iterator[ChatMetrics]:
    """Replay all chats of recorded files, and yield the metrics of each when it is finished.

    The arguments and the errors are those of `replay_logs`.
    """
    for chat in replay_logs(
        names,
        settings=settings,
        default_chat_id=default_chat_id,
        close_after=close_after,
        on_step=record_step,
        prefers_received=True,
    ):
        yield finish_metrics(chat)


def record_step(chat: ReplayedChat, step: ReplayStep) -> None:
    """Record a step of a chat in its `memo`."""
    if chat.memo is None:
        chat.memo = MetricsRecorder()
    chat.memo.add(step.at, step.effects)


def finish_metrics(chat: ReplayedChat) -> ChatMetrics:
    """Return the metrics of a finished chat, whose steps were recorded."""
    recorder: MetricsRecorder = chat.memo or MetricsRecorder()
    return recorder.finish(chat.stats)
