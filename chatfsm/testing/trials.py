"""One sender in one case: the stage, the requests, the answers, and what was amiss."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from typing import Self

from attrs import define, field

from chatfsm.conversation.exchange import HttpFailure, HttpReply, HttpRequest
from chatfsm.testing.cases import Answer, Case, Nothing, Raised, answers_its_request, in_words
from chatfsm.testing.certificate import server_context
from chatfsm.testing.loopback import Stage

__all__ = ["Trial"]


@define
class Trial:
    """A case on its stage; whoever carries the requests notes each answer by its index."""

    case: Case
    patience: float
    trouble: Exception | None = field(default=None, init=False)
    """What was raised where a sender was made or closed."""
    _stage: Stage = field(init=False)
    _origin: str = field(init=False)
    _answers: list[Answer] = field(init=False)
    _is_over: bool = field(default=False, init=False)
    _exits: ExitStack = field(factory=ExitStack, init=False)

    def __enter__(self) -> Self:
        where = self.case.where
        tls = server_context() if where == "distrusted" else None
        stage = Stage(self.case.play, self.patience, tls=tls, accepts=where != "full")
        self._stage = self._exits.enter_context(stage)
        self._answers = [Nothing(self.limit)] * len(self.case.asks)
        match where:
            case "refused":
                self._origin = f"http://127.0.0.1:{self._unused_port()}"
            case "unknown":
                self._origin = f"http://name.invalid:{stage.port}"
            case "https":
                self._origin = f"https://127.0.0.1:{stage.port}"
            case _:
                self._origin = stage.origin
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over = True
        self._exits.close()

    @property
    def limit(self) -> float:
        """Seconds until the sender is given up."""
        return self.case.limit * self.patience

    @property
    def requests(self) -> list[tuple[float, HttpRequest]]:
        """The seconds to wait before each request, and the request."""
        return [
            (ask.pause * self.patience, ask.request(number, self._origin, self.patience))
            for number, ask in enumerate(self.case.asks, start=1)
        ]

    def note(self, request: HttpRequest, answer: HttpReply | HttpFailure | Exception) -> None:
        """What came of a request; an error is what the sender raised."""
        noted = Raised(answer) if isinstance(answer, Exception) else answer
        if not self._is_over:  # a sender that was given up may still answer
            self._answers[request.id - 1] = noted

    @property
    def hung(self) -> bool:
        """Whether a request got neither an answer nor an error."""
        return any(isinstance(answer, Nothing) for answer in self._answers)

    @property
    def amiss(self) -> str:
        """What was expected and what came, where they differ; "" where nothing is amiss."""
        if self._stage.faults:
            raise self._stage.faults[0]
        if self.trouble is not None:
            return f"making or closing the sender raised {type(self.trouble).__name__}"
        asks = (answers_its_request(ask, at) for at, ask in enumerate(self.case.asks, start=1))
        for ask, answer in zip(asks, self._answers, strict=True):
            if not ask.expects.holds(answer):
                return f"expected {ask.expects.words}; came {in_words(answer)}"
        return self.case.amiss(self._stage) if self.case.amiss else ""

    def _unused_port(self) -> int:
        """A port that is ours, so that nobody else listens on it, nor do we."""
        held = self._exits.enter_context(socket.socket())
        held.bind(("127.0.0.1", 0))
        return int(held.getsockname()[1])
