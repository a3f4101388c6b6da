"""A file system without room, or one that may not be written to any more."""

import json
import subprocess
import time

import pytest

from broker import PATIENCE, PROGRAMS
from faulty import (
    CANNOT_CREATE, Connection, bystander, check_refused, contents, is_refused, is_taken, publish_until,
    wait_until_ready,
)  # fmt: skip
from load import Load

STORED = "/full/disk"


def test_log_tells(volume, volume_broker):
    """Once that the store fails, with what comes of it, and once that it works again; nothing of what was published."""
    broker = volume_broker.start()
    load = Load(broker)

    def lines():
        return [line for line in map(json.loads, broker.log.read_text().splitlines()) if "store" in line["message"]]

    volume.fill()
    for _ in range(30):
        publish_until(broker, STORED, is_refused, load)
    (line,) = lines()
    assert (line["level"], line["message"], line["kind"]) == ("error", "the store fails", "full")
    assert line["store"] == str(broker.database) and "refused" in line["consequence"] and "room" in line["remedy"]
    with Connection(broker) as connection:
        assert "fanfare_engine_up 0" in connection.text("/metrics")
    volume.make_room()
    deadline = time.monotonic() + PATIENCE
    while len(told := lines()) == 1:
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert (told[1]["level"], told[1]["message"]) == ("notice", "the store works again")
    assert int(told[1]["failures"]) >= 30
    publish_until(broker, STORED, is_taken, load)
    with Connection(broker) as connection:
        assert "fanfare_engine_up 1" in connection.text("/metrics")
    assert len(lines()) == 2


def test_full_disk(volume, volume_broker):
    """Refused when the disk is full, taken again when there is room, nothing lost, also after a SIGKILL meanwhile."""
    broker = volume_broker.start()
    load = Load(broker)
    with bystander(broker) as others:
        load.run(STORED, 100)
        volume.fill()
        answer = publish_until(broker, STORED, is_refused, load)
        assert "full" in answer.body["detail"], answer
        for _ in range(3):
            check_refused(publish_until(broker, STORED, is_refused, load))
        with Connection(broker) as connection:
            assert connection.get("/health/ready").status == 503
        others.check()
        volume.make_room()
        publish_until(broker, STORED, is_taken, load)
        wait_until_ready(broker)
        load.run(STORED, 50)
        load.check_kept()
    volume.fill()
    publish_until(broker, STORED, is_refused, load)
    broker.kill()
    volume.make_room()
    broker.start()
    load.check_kept()
    load.run(STORED, 1)


def test_start_on_a_full_disk(volume, volume_broker):
    broker = volume_broker.start()
    load = Load(broker)
    load.run(STORED, 100)
    broker.kill()
    volume.fill()
    end = broker.try_start()
    assert end is None or end.status == CANNOT_CREATE and "full" in end.message, end
    volume.make_room()
    broker.kill()
    broker.start()
    load.check_kept()
    load.run(STORED, 1)


def test_start_on_a_read_only_volume(volume, volume_broker):
    """Refused, and nothing is touched. (While the broker runs: `EROFS` in test_disk_errors.py.)"""
    broker = volume_broker.start()
    load = Load(broker)
    load.run(STORED, 50)
    broker.stop()
    before = contents(volume.outside)
    volume.remount("ro")
    end = broker.try_start()
    assert end and end.status == CANNOT_CREATE, end
    assert str(broker.database) in end.message and "read-only" in end.message.lower(), end
    assert before == contents(volume.outside)
    volume.remount("rw")
    broker.start()
    load.check_kept()
    load.run(STORED, 1)


@pytest.mark.parametrize("cut", [6, 22])
def test_revocations_on_a_full_disk(volume, volume_broker, cut):
    """One that the disk has room for a piece of is refused, and those that come after it last."""
    database = volume.inside / "fanfare.db"
    listed = volume.outside / "fanfare.db.revoked"

    def revoke(*arguments):
        command = [*volume.enter, PROGRAMS / "broker-server", "revoke", *arguments, "--database", database]
        return subprocess.run(command, capture_output=True, encoding="utf-8", timeout=PATIENCE)

    # `cut` bytes before the end of the last page that the file has.
    before = ("token " + "x" * 57 + "\n") * 63
    before += "token " + "y" * (4096 - len(before) - cut - 7) + "\n"
    listed.write_text(before)
    broker = volume_broker.start()
    volume.fill()
    refused = revoke("--subject", "somebody")
    assert refused.returncode == CANNOT_CREATE and refused.stdout == "", refused
    assert "No space left on device. Nothing was revoked" in refused.stderr and "NSCocoa" not in refused.stderr, refused
    assert listed.read_text() == before
    volume.make_room()
    assert revoke("--token-id", "stolen").returncode == 0
    assert listed.read_text() == before + "token stolen\n"
    # A broker that was killed over one tells of it.
    broker.kill()
    with listed.open("a") as file:
        file.write("subject 17")
    broker.start()
    assert "has no end, and does not count" in broker.log.read_text(encoding="utf-8")
    assert revoke("--token-id", "another").returncode == 0
    assert listed.read_text() == before + "token stolen\ntoken another\n"
    broker.stop()
