"""Fixture judge: the judge of a pytest test, over a simulator in virtual time or in a thread."""

from __future__ import annotations

from collections.abc import Callable

from chatfsm.simulator.network import Network
from chatfsm.testing.judge import Judge, JudgementError, Verdict

__all__ = ["FixtureJudge"]

_UNUSED = "the test uses neither chatfsm_world nor chatfsm_url"


class FixtureJudge:
    """The judge of a test: the fixture `chatfsm_judge` of the pytest plugin.

    The test fails at its end if the client has broken a rule, or sent no request at all. A test
    that has asked for the `verdict` itself, or called `check`, is not judged again.
    """

    def __init__(self) -> None:
        self._judge = Judge()
        self._ignored: set[str] = set()
        self._call: Callable[[Callable[[], Verdict]], Verdict] | None = None
        self._was_asked = False

    def attach(
        self,
        network: Network,
        call: Callable[[Callable[[], Verdict]], Verdict] = lambda work: work(),
    ) -> None:
        """Observe a network from now on; `call` calls a function in the network's thread.

        Raises RuntimeError if the judge has a network already: it judges one run.
        """
        if self._call is not None:
            raise RuntimeError("chatfsm_judge judges one network: use it with one fixture")
        network.observer = self._judge
        self._call = call

    def ignore(self, *rules: str) -> None:
        """Do not judge by these rules. Raises ValueError, which lists the rules, for others."""
        self._judge.verdict().ignoring(rules)
        self._ignored.update(rules)

    def verdict(self) -> Verdict:
        """Return the verdict up to now. The test is then not judged again at its end.

        Raises RuntimeError if the test uses neither `chatfsm_world` nor `chatfsm_url`.
        """
        self._was_asked = True
        return self._verdict()

    def check(self) -> None:
        """Raise `JudgementError`, with a readable report, if the client has broken a rule."""
        __tracebackhide__ = True  # a report ends at the line of the test
        verdict = self.verdict()
        if verdict.verdict == "fail":
            raise JudgementError(verdict)

    def problem(self) -> str:
        """Return what the plugin reports at the end of the test; "" if there is nothing."""
        if self._was_asked:
            return ""
        if self._call is None:
            return _UNUSED
        if not self._judge.request_count:
            return "no request of the client has reached the contact center"
        verdict = self._verdict()
        return "" if verdict.verdict == "pass" else str(verdict)

    def _verdict(self) -> Verdict:
        if self._call is None:
            raise RuntimeError(_UNUSED)
        return self._call(self._judge.verdict).ignoring(self._ignored)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._judge.request_count} requests>"
