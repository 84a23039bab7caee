"""Body: the body of a reply, chunk by chunk."""

from __future__ import annotations

import collections
import gzip

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatfsm.adapters._base import Body, UnusableReplyError, failure_of, headers_for
from chatfsm.transport import HttpRequest

PIECES = st.lists(st.binary(max_size=200), max_size=8)


def request(limit: int = 10_000, *headers: tuple[str, str]) -> HttpRequest:
    return HttpRequest(1, "GET", "https://chat.example/", headers, max_body=limit)


def body(limit: int, encoding: str = "identity") -> Body:
    return Body.of(request(limit), [("Content-Encoding", encoding)])


@given(PIECES)
def test_pieces_become_a_whole(pieces: list[bytes]) -> None:
    """The body is the sum of its chunks."""
    taken = body(10_000)
    for piece in pieces:
        taken.add(piece)
    assert taken.content() == b"".join(pieces)


@given(PIECES, st.integers(1, 60))
def test_gzip_is_undone_however_it_is_cut(members: list[bytes], size: int) -> None:
    """Any number of gzip members, cut anywhere, gives the original bytes."""
    packed = b"".join(map(gzip.compress, members))
    taken = body(10_000, "GZip")
    for start in range(0, len(packed), size):
        taken.add(packed[start : start + size])
    assert taken.content() == b"".join(members)


@given(st.binary(min_size=1, max_size=300), st.booleans())
def test_the_limit_is_exact(content: bytes, packs: bool) -> None:
    """A body as long as allowed is accepted; one byte more is refused, compressed or not."""
    sent = gzip.compress(content) if packs else content
    room = len(sent) - len(content) if packs else 0
    fits = body(len(content) + max(0, room), "gzip" if packs else "")
    fits.add(sent)
    assert fits.content() == content
    with pytest.raises(UnusableReplyError, match="bytes or fewer"):
        body(len(content) - 1, "gzip" if packs else "").add(sent)


def test_endless_empty_gzip_members_are_refused() -> None:
    """Members that decompress to nothing count by their compressed size."""
    taken = body(1000, "gzip")
    with pytest.raises(UnusableReplyError, match="1000 bytes or fewer"):
        collections.deque(map(taken.add, [gzip.compress(b"")] * 1000))


def test_an_unsupported_encoding_is_refused() -> None:
    """An encoding that `Body` cannot decode is refused."""
    with pytest.raises(UnusableReplyError, match="plain or gzip"):
        body(1000, "br")


@pytest.mark.parametrize("end", [b"", b"\x00" * 4])
def test_gzip_without_its_end_is_refused(end: bytes) -> None:
    """A missing or wrong checksum is refused."""
    taken = body(1000, "gzip")
    with pytest.raises(UnusableReplyError, match="gzip"):
        (taken.add(gzip.compress(b"hello")[:-8] + end * 2), taken.content())


def test_gzip_is_requested_unless_the_request_names_an_encoding() -> None:
    """An Accept-Encoding of the request's own is kept."""
    assert headers_for(request()) == [("Accept-Encoding", "gzip")]
    own = ("accept-encoding", "identity")
    assert headers_for(request(1, own)) == [own]


def test_the_systems_message_is_found_in_nested_errors() -> None:
    """The search is eight levels deep, so that a cycle of causes ends as well."""
    error = ValueError("quotes the reply")
    error.__context__ = RuntimeError("and so does this")
    error.__context__.__cause__ = OSError(104, "Connection reset by peer")
    assert failure_of(request(), "protocol", error).why == "ValueError: Connection reset by peer"
    ring = ValueError("round")
    ring.__cause__ = KeyError("and round")
    ring.__cause__.__cause__ = ring
    assert failure_of(request(), "protocol", ring).why == "ValueError"


def test_an_invalid_encoding_is_ignored() -> None:
    """Some servers send a charset or an unknown word as encoding; the body is plain."""
    for words in ("utf-8", "none", "binary", "8bit, identity", "", "aws-chunked"):
        taken = body(1000, words)
        taken.add(b"plain")
        assert taken.content() == b"plain"
    taken = body(1000, "UTF-8, X-Gzip")
    taken.add(gzip.compress(b"packed"))
    assert taken.content() == b"packed"
    with pytest.raises(UnusableReplyError, match="plain or gzip"):
        body(1000, "gzip, gzip")


@given(st.binary(max_size=80), st.binary(max_size=80), st.integers(1, 20))
def test_bytes_after_gzip_that_are_no_member_are_ignored(
    content: bytes, rest: bytes, size: int
) -> None:
    """Proxies append padding or a comment to a body; chunk boundaries do not matter."""
    sent = gzip.compress(content) + b"<" + rest
    taken = body(10_000, "gzip")
    for start in range(0, len(sent), size):
        taken.add(sent[start : start + size])
    assert taken.content() == content


@given(
    st.binary(max_size=80).filter(lambda sent: not sent.startswith(b"\x1f\x8b")), st.integers(1, 9)
)
def test_text_that_is_marked_as_gzip_is_unchanged(sent: bytes, size: int) -> None:
    """A body without the first bytes of gzip is plain; chunk boundaries do not matter."""
    taken = body(10_000, "gzip")
    for start in range(0, len(sent), size):
        taken.add(sent[start : start + size])
    assert taken.content() == sent


def test_bytes_after_gzip_count() -> None:
    """An endless stream after the last member is refused at the limit."""
    taken = body(1000, "gzip")
    taken.add(gzip.compress(b"packed"))
    with pytest.raises(UnusableReplyError, match="1000 bytes or fewer"):
        collections.deque(map(taken.add, [bytes(100)] * 11))
