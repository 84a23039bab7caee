"""Fixtures of all tests of senders."""

from __future__ import annotations

import ssl

import pytest

from chatfsm.testing._loopback import CERTIFICATE


@pytest.fixture(autouse=True)
def no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the proxies of the environment, which cannot reach 127.0.0.1."""
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)


@pytest.fixture(scope="session")
def trusting() -> ssl.SSLContext:
    """Return a client's context that trusts the loopback server's certificate, and no other."""
    return ssl.create_default_context(cadata=CERTIFICATE)


@pytest.fixture(scope="session")
def usual() -> ssl.SSLContext:
    """Return a client's default context; made once, because that is slow."""
    return ssl.create_default_context()
