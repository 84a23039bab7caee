"""How long to wait before a retry: longer each time, up to a limit, and no two clients alike."""

from __future__ import annotations

from hashlib import blake2b

from chatfsm.conversation.settings import ClientSettings

__all__ = ["wait"]

# 2 to the power of this is beyond any limit, and still a float.
_MOST_DOUBLINGS = 64


def wait(
    settings: ClientSettings, key: str, attempt: int, retry_after: float | None = None
) -> float:
    """Seconds until the next attempt, after so many in a row that failed.

    Between half and all of the exponential's step; which part is a hash of `key` and `attempt`, so
    that clients which lost a server together do not come back together, and a replay waits the
    same. What the server asks for is honoured, within `retry_after_most`.
    """
    doublings = min(attempt - 1, _MOST_DOUBLINGS)
    step = min(settings.backoff_first * 2.0**doublings, settings.backoff_most)
    digest = blake2b(f"{key}\0{attempt}".encode("utf-8", "surrogatepass"), digest_size=8).digest()
    jitter = int.from_bytes(digest) / 2**64
    asked = min(retry_after or 0.0, settings.retry_after_most)
    return max(step * (1 + jitter) / 2, asked)
