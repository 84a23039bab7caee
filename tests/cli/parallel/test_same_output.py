"""The output is the same for any number of processes."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatfsm.errors import UnreadableLogError
from chatfsm.replay.formats import records
from chatfsm.replay.reader import chat_id_of_line
from chatfsm.replay.sources import Source
from tests.cli.parallel.mixed import lines, logs

OUTPUTS = ("--summary", "--json", "--quiet", "--rows=4")
OPTIONS = (
    [],
    ["--strict"],
    ["--verify"],
    ["--fail-on=any"],
    ["--fail-on=late", "--chat-id=c"],
    ["--strict", "--verify"],
)
NAMES = ("first.jsonl", "b.json", "third.gz")
GOOD = b'{"chat_id":"good","event":"chat_session_status","state":"ivr"}\n'
# The directory is shared by all examples, and each writes its file again.
many = settings(suppress_health_check=[HealthCheck.function_scoped_fixture])


@many
@given(
    files=st.lists(st.tuples(logs(), st.booleans()), min_size=1, max_size=3),
    output=st.sampled_from(OUTPUTS),
    words=st.sampled_from(OPTIONS),
    jobs=st.sampled_from((2, 3)),
)
def test_any_log_is_reported_the_same_way(
    runs: Any, files: list[tuple[bytes, bool]], output: str, words: list[str], jobs: int
) -> None:
    """Output, errors and exit code are identical, byte for byte, for two and three workers."""
    paths = [
        runs.writes(name, data, packed=packed)
        for name, (data, packed) in zip(NAMES, files, strict=False)
    ]
    assert runs.shared(jobs, output, *words, *paths) == runs.alone(output, *words, *paths)


@many
@given(lines=st.lists(lines, min_size=1, max_size=5))
def test_chat_ids_found_without_parsing_are_those_of_the_records(
    runs: Any, lines: list[bytes]
) -> None:
    """A line whose chat_id is found without parsing is one record of that chat."""
    chat_ids = [chat_id_of_line(line) for line in lines]
    expected = [
        (place, chat_id.decode())
        for place, chat_id in enumerate(chat_ids, start=2)
        if chat_id is not None
    ]
    path = runs.writes("a.jsonl", GOOD + b"\n".join(lines))
    found = []
    try:
        found.extend((record.place, record.chat_id) for record in records(Source(path)))
    except UnreadableLogError:  # a journal line that cannot be used ends the reading
        expected = [each for each in expected if each[0] <= found[-1][0]]
    places = {place for place, _ in expected}
    assert [each for each in found if each[0] in places] == expected


@pytest.mark.parametrize(
    ("line", "whose"),
    [
        (b'{"chat_id":"a","event":"e"}\n', b"a"),
        (b'{"chat_id": "a b", "event": "e"}\r\n', b"a b"),
        (b'{"event":"e","msg":"\\u4f60 \\"x\\"","chat_id":"a"}', b"a"),
        (b'{"chat_id":"a","event":}', b"a"),
        (b'{"chat_id":"a","data":{"type":"END_CALL"}}', b"a"),
        (b'{"chat_id":"a","event":"e"', None),
        (b'{"data":{"chat_id":"a"},"event":"e"}', None),
        (b'{"chat_id":"a","events":[]}', None),
        (b'{"chat_id":"a","chat_id":"b"}', None),
        (b'{"chat_id":"a","chat\\u005fid":"b"}', None),
        (b'{"chat_id":17,"event":"e"}', None),
        (b'{"event":"e"}', None),
        (b"", None),
    ],
)
def test_most_chat_ids_are_found_without_parsing(line: bytes, whose: bytes | None) -> None:
    """Lines of common writers are recognized; all others are left to the parser."""
    assert chat_id_of_line(line) == whose


def test_a_malformed_line_belongs_to_the_chat_that_it_names(runs: Any) -> None:
    """A line with a chat_id belongs to that chat, not to the chat of the line before."""
    broken = b'{"chat_id":"named","event":}\n{"chat_id":"cut","event":\n'
    path = runs.writes("a.jsonl", GOOD + broken + GOOD + broken)
    found = [record.chat_id for record in records(Source(path))]
    assert found == ["good", "named", "named", "good", "named", "named"]


def test_a_refused_header_is_reported_once(runs: Any) -> None:
    """The rest of the file is read."""
    header = b'{"v":1,"chat_id":"j","journal":{"settings":{}},"at":1,"snapshot":{"v":9}}\n'
    files = [runs.writes("a.jsonl", GOOD + header + GOOD * 3), runs.writes("b.jsonl", GOOD)]
    alone = runs.alone("--summary", *files)
    assert alone.status == 2
    assert "a.jsonl: line 2: not a usable journal header" in alone.err
    for jobs in (2, 3):
        assert runs.shared(jobs, "--summary", *files) == alone


def test_the_first_violation_in_the_file_wins(runs: Any) -> None:
    """The first violation is reported, whichever worker finds it and however far others are."""
    odd = b'{"chat_id":"%s","event":"weather","timestamp":1}\n'
    good = b'{"chat_id":"%s","event":"chat_session_status","state":"ivr","timestamp":1}\n'
    names = [b"c%d" % number for number in range(12)]
    data = b"".join(good % name for name in names) + b"".join(odd % name for name in names[5:])
    path = runs.writes("a.jsonl", data)
    for output in OUTPUTS:
        alone = runs.alone("--strict", output, path)
        assert (alone.status, "line 13: unknown" in alone.err) == (1, True)
        for jobs in (2, 3):
            assert runs.shared(jobs, "--strict", output, path) == alone


def test_an_error_ends_the_reading_of_a_file_for_all_workers(runs: Any) -> None:
    """A worker drops what it read beyond the error, and continues with the next file."""
    data = lines_of("ab", 12) + b'{"v":99,"chat_id":"a","in":5}\n' + lines_of("abc", 24)
    files = [runs.writes("a.jsonl", data), runs.writes("b.jsonl", lines_of("cd", 9))]
    for output in OUTPUTS:
        alone = runs.alone(output, *files)
        assert (alone.status, "line 13: " in alone.err) == (2, True)
        for jobs in (2, 3):
            assert runs.shared(jobs, output, *files) == alone


def lines_of(chats: str, count: int) -> bytes:
    """Lines of `count` messages of interleaved chats."""
    line = b'{"chat_id":"%s","event":"chat_session_message","msg":"x","timestamp":%d}\n'
    return b"".join(line % (chats[n % len(chats)].encode(), n) for n in range(count))


def test_a_shard_knows_the_parties_of_the_shard_before(runs: Any) -> None:
    """A party that left had joined in the shard before; any other one is a violation."""
    joined = b'{"chat_id":"a","event":"chat_session_party_joined","party_id":"p","timestamp":1}\n'
    left = b'{"chat_id":"a","event":"chat_session_party_left","party_id":"%s","timestamp":99}\n'
    path = runs.writes("a.jsonl", joined + lines_of("ab", 12) + left % b"p" + left % b"q")
    for words in (["--strict"], ["--summary", "--strict"], ["--json"]):
        alone = runs.alone(*words, path)
        assert runs.shared(2, *words, path) == alone
    assert alone.out.count("unknown_party") == 1


def test_the_verified_entries_of_workers_are_added(runs: Any) -> None:
    """The counts of the workers are added."""
    header = b'{"v":1,"chat_id":"%s","journal":{"settings":{}},"at":1,"snapshot":null}\n'
    entry = b'{"v":1,"chat_id":"%s","seq":0,"at":1,"in":{"input":"tick"},"out":[]}\n'
    data = b"".join(header % name + entry % name for name in (b"a", b"b", b"c", b"d"))
    path = runs.writes("a.jsonl", data)
    assert runs.shared(2, "--verify", "--quiet", path).err == "chatfsm: 4 entries agree\n"
