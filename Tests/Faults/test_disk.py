"""The model of the disk itself: what it says of a journal."""

import random

import pytest

from disk import HEAD, Disk, Kind, Record, Survival, read_journal


def record(kind, inode=1, offset=0, data=b""):
    return Record(kind.value, inode, offset, data)


SYNCED = [
    record(Kind.CREATE, data=b"a"),
    record(Kind.WRITE, data=b"old"),
    record(Kind.SYNC),
    record(Kind.FOLDER_SYNC),
]
ROWS = {
    "synced": (SYNCED, {"a": b"old"}),
    "write not synced": ([*SYNCED, record(Kind.WRITE, data=b"new")], {"a": b"old"}),
    "cut off, not synced": ([*SYNCED, record(Kind.TRUNCATE, offset=1)], {"a": b"old"}),
    "cut off and synced": ([*SYNCED, record(Kind.TRUNCATE, offset=1), record(Kind.SYNC)], {"a": b"o"}),
    "write behind the end": (
        [*SYNCED, record(Kind.WRITE, offset=5, data=b"x"), record(Kind.SYNC)],
        {"a": b"old\0\0x"},
    ),
    "write of a sync that failed": (
        [*SYNCED, record(Kind.WRITE, data=b"new"), record(Kind.FAILED_SYNC), record(Kind.SYNC)],
        {"a": b"old"},
    ),
    "name not synced": (SYNCED[:3], {}),
    "deletion not synced": ([*SYNCED, record(Kind.UNLINK, data=b"a")], {"a": b"old"}),
    "deletion synced": ([*SYNCED, record(Kind.UNLINK, data=b"a"), record(Kind.FOLDER_SYNC)], {}),
    "renamed": ([*SYNCED, record(Kind.RENAME, data=b"a/b"), record(Kind.FOLDER_SYNC)], {"b": b"old"}),
    "two files": (
        [*SYNCED, record(Kind.CREATE, 2, data=b"b"), record(Kind.WRITE, 2, data=b"x"), record(Kind.FOLDER_SYNC)],
        {"a": b"old", "b": b""},
    ),
}


@pytest.mark.parametrize("name", ROWS)
def test_nothing_survives_that_was_not_synced(name):
    records, expected = ROWS[name]
    assert Disk(records, Survival()).contents() == expected


def test_blocks_survive_in_any_combination():
    records = [
        *SYNCED[:1],
        record(Kind.FOLDER_SYNC),
        record(Kind.WRITE, data=b"1" * 8),
        record(Kind.WRITE, data=b"2" * 8),
    ]
    seen = {
        bytes(Disk(records, Survival(random.Random(seed), block=4)).contents()["a"]).decode() for seed in range(1000)
    }
    states = ["0000", "1111", "2222"]
    combinations = {(a + b).replace("0", "\0") for a in states for b in states}
    combinations -= {a + "\0\0\0\0" for a in ["\0\0\0\0", "1111", "2222"]}
    assert seen == combinations | {"", "1111", "2222"}


def test_journal_that_ends_within_a_record():
    data = b"".join(HEAD.pack(*r[:3], len(r.data)) + r.data for r in SYNCED)
    assert list(read_journal(data)) == SYNCED
    assert list(read_journal(data[:-1])) == SYNCED[:3]
