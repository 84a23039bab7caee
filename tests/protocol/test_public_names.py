"""Public names of the package, and pickles of errors."""

from __future__ import annotations

import copy
import pickle

import pytest

import chatfsm


def test_dir_shows_the_public_names_alone() -> None:
    """`dir` does not depend on which modules are loaded."""
    assert dir(chatfsm) == chatfsm.__all__


def test_an_unknown_name_is_refused() -> None:
    """An unknown name raises the error of an ordinary module."""
    with pytest.raises(AttributeError, match="module 'chatfsm' has no attribute 'nothing'"):
        chatfsm.nothing  # type: ignore[attr-defined]  # noqa: B018
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        from chatfsm import nothing  # type: ignore[attr-defined]  # noqa: F401, PLC0415


@pytest.mark.parametrize(
    "error",
    [
        chatfsm.DecodeError("not JSON"),
        chatfsm.RemoteProtocolError("malformed", "an event without a name"),
        chatfsm.ReplayDivergence("line 3", "an effect more", "queued", expected=[], came=[{}]),
        chatfsm.BusyError("too many polls", error_code="5509", status=429, transient=True),
        chatfsm.TransportError("timeout", "after 30 s"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_an_error_survives_a_pickle(error: chatfsm.ChatError) -> None:
    """The text and the attributes survive, so that another process can raise the error."""
    for other in (pickle.loads(pickle.dumps(error)), copy.copy(error)):  # noqa: S301  # made here
        assert type(other) is type(error)
        assert (str(other), other.args, vars(other)) == (str(error), error.args, vars(error))
