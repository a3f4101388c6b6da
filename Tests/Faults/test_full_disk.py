"""A file system without room, or one that may not be written to any more."""

import json
import time

from broker import PATIENCE
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
