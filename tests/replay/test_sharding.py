"""Shards: their ranges together have the records of the logs."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatfsm.errors import UnreadableLogError
from chatfsm.replay import sharding, sources
from chatfsm.replay.formats import is_json_lines, records
from chatfsm.replay.sharding import shards_of
from chatfsm.replay.sources import Source, SourceRange
from tests.cli.parallel.mixed import logs

# The directory is shared by all examples, and each writes its file again.
many = settings(
    max_examples=40,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read small blocks, so that small logs are split."""
    monkeypatch.setattr(sources, "_BLOCK_BYTES", 128)
    monkeypatch.setattr(sharding, "_MIN_RANGE_BYTES", 256)


def lines(count: int, chat_id: str = "c") -> bytes:
    """Lines of `count` events of one chat."""
    line = '{"chat_id":"%s","event":"chat_session_message","msg":"x","timestamp":%d}\n'
    return "".join(line % (chat_id, number) for number in range(count)).encode()


def found(parts: list[Source]) -> list[Any]:
    """The records of some sources, and the error that ends them."""
    results: list[Any] = []
    try:
        for source in parts:
            results.extend(
                (record.where, record.chat_id, record.event, record.received_at)
                for record in records(source)
            )
    except UnreadableLogError as error:
        results.append(str(error))
    return results


@many
@given(data=logs(), jobs=st.sampled_from((2, 3, 5)))
def test_ranges_have_the_records_of_their_file(tmp_path: Path, data: bytes, jobs: int) -> None:
    """Ranges have the records of the file, with chats and places, for any content."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(data)
    whole = Source(str(path))
    parts = [part for shard in shards_of([whole], jobs) for part in shard.sources]
    assert found(parts) == found([whole])


def test_shards_are_of_about_the_same_size(tmp_path: Path) -> None:
    """A file is split at the end of a line, and small files are kept whole."""
    names = []
    for name, count in (("a", 40), ("b", 2), ("c", 2), ("d", 40)):
        path = tmp_path / f"{name}.jsonl"
        path.write_bytes(lines(count))
        names.append(Source(str(path)))
    shards = shards_of(names, 3)
    assert [[part.stem for part in shard.sources] for shard in shards] == [
        ["a"],
        ["a", "b", "c", "d"],
        ["d"],
    ]
    assert [shard.is_last for shard in shards] == [False, False, True]
    first, second = shards[0].sources[0], shards[1].sources[0]
    assert isinstance(first, SourceRange)
    assert isinstance(second, SourceRange)
    assert (first.start, first.end) == (0, second.start)
    assert (second.end, second.chat_id_before) == (None, "c")
    assert Path(first.path).read_bytes()[: second.start].endswith(b"}\n")
    assert str(shards[1]) == f"{second.name} (bytes {second.start:,} to the end) and 3 more"


@pytest.mark.parametrize(
    "data",
    [
        gzip.compress(lines(40), mtime=0),
        lines(40).decode().encode("utf-16"),
        b"[" + lines(40).replace(b"\n", b",\n").rstrip(b",\n") + b"]",
        b"".join(b'{"payload": %s}\n' % line for line in lines(40).splitlines()),
        b"broken\n" + lines(40),
        b"[]\n" + lines(40),
        b'{"v": 9, "chat_id": "a", "in": 5}\n' + lines(40),
        lines(40).replace(b'"chat_id":"c",', b""),
        lines(1) + b"x" * 5_000,
    ],
    ids=["gzip", "utf-16", "list", "wrapped", "broken", "empty", "version", "unnamed", "no line"],
)
def test_other_files_are_not_cut(tmp_path: Path, data: bytes) -> None:
    """A format that depends on more than the head, or lines without a chat, prevent a split."""
    path = tmp_path / "a.jsonl"
    path.write_bytes(data)
    (shard,) = shards_of([Source(str(path))], 2)
    assert [type(part) for part in shard.sources] == [Source]
    assert str(shard) == str(path)


def test_a_border_in_a_file_that_is_not_cut_is_moved(tmp_path: Path) -> None:
    """The border moves to the nearer end of the file; a missing file has no size."""
    parts = []
    for name, count in (("a", 30), ("b", 30), ("c", 30)):
        path = tmp_path / f"{name}.jsonl"
        path.write_bytes(b"broken\n" + lines(count))
        parts.append(Source(str(path)))
    parts.append(Source(str(tmp_path / "missing")))
    shards = shards_of(parts, 2)
    assert [[part.stem for part in shard.sources] for shard in shards] in (
        [["a"], ["b", "c", "missing"]],
        [["a", "b"], ["c", "missing"]],
    )
    assert not is_json_lines(parts[-1])
    many_shards = shards_of(parts, 9)
    assert [part for shard in many_shards for part in shard.sources] == parts
    assert all(shard.sources for shard in many_shards)
