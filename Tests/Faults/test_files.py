"""Files that are taken away, exchanged or damaged."""

import random
import sqlite3

import pytest

from bayeux import Peer
from faulty import (
    CANNOT_CREATE, Connection, FaultyBroker, bystander, check_refused, contents, is_refused, is_taken, publish_until,
    sqlite,
)  # fmt: skip
from load import Load

STORED = "/full/files"


@pytest.mark.parametrize("exchange", [False, True], ids=["removed", "replaced"])
@pytest.mark.parametrize("name", ["fanfare.db", "fanfare.db-wal"])
def test_file_is_removed(plain_broker, name, exchange):
    """What is written to a file without a name would be gone with the process: it must not be acknowledged."""
    broker = plain_broker.start()
    load = Load(broker)
    load.run(STORED, 20)
    with bystander(broker):
        (broker.data / name).unlink()
        if exchange:
            (broker.data / name).write_bytes(b"")
        answer = publish_until(broker, STORED, is_refused, load, most=100)
        assert "removed" in answer.body["detail"], answer


def test_second_broker(plain_broker, tmp_path):
    broker = plain_broker.start()
    load = Load(broker)
    load.run(STORED, 20)
    second = FaultyBroker(tmp_path)
    end = second.try_start()
    second.kill()
    assert end and end.status == CANNOT_CREATE, end
    assert f"{broker.database}: the database is in use by another broker" in end.message
    load.run(STORED, 20)
    load.check_kept()
    broker.stop()
    broker.start()
    load.check_kept()


def test_locked_by_another_program(plain_broker):
    """Another program's transaction: refused meanwhile, or taken after it; the broker goes on."""
    broker = plain_broker.start()
    load = Load(broker)
    load.run(STORED, 5)
    other = sqlite3.connect(broker.database, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with Connection(broker) as connection:
        check_refused(load.publish(connection, STORED))
    other.execute("ROLLBACK")
    other.close()
    publish_until(broker, STORED, is_taken, load)
    load.check_kept()


NO_DATABASE = {
    "text": b"This is a letter to my grandmother.\n" * 200,
    "zeros": bytes(8192),
    "header": b"SQLite format 3\0" + b"\xff" * 8176,
}


@pytest.mark.parametrize("name", NO_DATABASE)
def test_no_database(plain_broker, name):
    """A file of somebody else: refused, and left as it is."""
    plain_broker.database.write_bytes(NO_DATABASE[name])
    end = plain_broker.try_start()
    assert end and end.status == CANNOT_CREATE, end
    assert str(plain_broker.database) in end.message, end
    assert contents(plain_broker.data) == {"fanfare.db": NO_DATABASE[name]}


def test_database_of_another_program(plain_broker):
    """A good database that is not the broker's."""
    sqlite(plain_broker.database, "CREATE TABLE recipe (name TEXT); INSERT INTO recipe VALUES ('Pancakes')")
    before = contents(plain_broker.data)
    end = plain_broker.try_start()
    assert end and end.status == CANNOT_CREATE, end
    assert str(plain_broker.database) in end.message, end
    assert contents(plain_broker.data) == before


def test_folder_in_place_of_the_database(plain_broker):
    plain_broker.database.mkdir()
    end = plain_broker.try_start()
    assert end and end.status == CANNOT_CREATE, end
    assert str(plain_broker.database) in end.message, end


class Damaged:
    """A folder with a full database and its log, as after a SIGKILL, to be damaged."""

    def __init__(self, folder):
        broker = FaultyBroker(folder).start()
        try:
            Load(broker).run(STORED, 300)
            with Peer(broker) as peer:
                peer.listen("/full/**")
        finally:
            broker.kill()
        self.files = contents(broker.data)

    def damage(self, rng, folder):
        """Write the files to a folder, with one bit flipped, a sector of noise, or an end cut off."""
        name = rng.choice(sorted(self.files))
        data = bytearray(self.files[name])
        position = rng.choice([rng.randrange(len(data)), rng.randrange(min(len(data), 200))])
        kind = rng.choice(["flip", "noise", "cut"])
        match kind:
            case "flip":
                data[position] ^= 1 << rng.randrange(8)
            case "noise":
                noise = rng.randbytes(512)
                data[position : position + len(noise)] = noise[: len(data) - position]
            case "cut":
                del data[position:]
        for each, content in {**self.files, name: bytes(data)}.items():
            (folder / each).write_bytes(content)
        return f"{kind} at {position} of {name}"


@pytest.fixture(scope="module")
def damaged(tmp_path_factory):
    return Damaged(tmp_path_factory.mktemp("damaged"))


@pytest.mark.parametrize("seed", range(40))
def test_damaged_files(plain_broker, damaged, seed):
    """Refused with a message, the database left as it is; or served, with answers to everything."""
    broker = plain_broker
    what = damaged.damage(random.Random(seed), broker.data)
    before = broker.database.read_bytes()
    end = broker.try_start()
    if end:
        assert end.status == CANNOT_CREATE, f"{what}: {end}"
        assert str(broker.database) in end.message, f"{what}: {end}"
        assert broker.database.read_bytes() == before, what
        return
    load = Load(broker)
    with Connection(broker) as connection:
        assert connection.get(f"/channels{STORED}?since=0&limit=1000").status in (200, 503), what
        for _ in range(20):
            load.publish(connection, STORED)
        assert connection.get("/health/live").status == 200, what
    broker.stop()
