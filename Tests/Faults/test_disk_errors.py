"""Calls of the system that fail: stored publications are refused meanwhile, all else goes on, nothing is lost."""

import errno

import pytest

from bayeux import Peer
from faulty import (
    CANNOT_CREATE, Connection, bystander, health, is_refused, is_taken, publish_until, wait_until_ready,
)  # fmt: skip
from load import Load

STORED = "/full/disk"


class Fault:
    """A kind of call that fails from some moment on, until the disk is well again."""

    def __init__(self, kind, error, only="any"):
        self.kind, self.error, self.only = kind, error, only

    def __str__(self):
        return f"{self.kind}-{errno.errorcode[self.error]}-{self.only}"


LASTING = [
    Fault("write", errno.EIO),
    Fault("write", errno.ENOSPC),
    Fault("write", errno.ENOSPC, "log"),
    Fault("write", errno.EROFS),
    Fault("sync", errno.EIO),
]


@pytest.mark.parametrize("fault", LASTING, ids=str)
def test_disk_that_fails_for_a_while(broker, shim, fault):
    broker.start()
    load = Load(broker)
    with bystander(broker) as others, Peer(broker) as publisher:
        publisher.handshake()
        load.run(STORED, 20)

        shim.fail(fault.kind, fault.error, lasts=True, only=fault.only)
        publish_until(broker, STORED, is_refused, load)
        reply = publisher.ask(STORED, data=1, clientId=publisher.client_id)
        assert not reply["successful"] and reply["error"].startswith("407:"), reply
        others.check()
        assert health(broker, "live") == (200, [])
        status, reasons = health(broker, "ready")
        assert status == 503 and "the store cannot write" in reasons[0], reasons

        shim.heal(fault.kind)
        if fault.kind == "sync":
            # What the disk holds after a failed sync cannot be known, so a broker may want to be started again.
            with Connection(broker) as connection:
                answer = load.publish(connection, STORED)
                assert is_taken(answer) or "start" in answer.body["detail"], answer
        else:
            publish_until(broker, STORED, is_taken, load)
            load.run(STORED, 20)
            wait_until_ready(broker)
    broker.restart_without_faults()
    load.check_kept()
    load.run(STORED, 1)


def test_newcomers_while_the_disk_fails(broker, shim):
    """Who comes when nothing can be stored can still subscribe to what is not stored."""
    broker.start()
    shim.fail("write", errno.EIO, lasts=True)
    publish_until(broker, STORED, is_refused, Load(broker))
    with bystander(broker):
        pass


@pytest.mark.parametrize("torn", [False, True], ids=["whole", "torn"])
@pytest.mark.parametrize("error", [errno.EIO, errno.ENOSPC], ids=["EIO", "ENOSPC"])
def test_each_write_fails_once(broker, shim, error, torn):
    """The first call after some moment, then the second, and so on; the broker goes on by itself each time.

    A subscriber gets what was taken, and nothing of what was refused.
    """
    broker.start()
    load = Load(broker)
    refusals = 0
    with Peer(broker) as listener:
        listener.listen(STORED)
        for nth in range(1, 16):
            shim.fail("write", error, nth, torn=torn)
            with Connection(broker) as connection:
                while shim.failures("write") == 0:
                    refusals += is_refused(load.publish(connection, STORED))
            publish_until(broker, STORED, is_taken, load)
        assert refusals > 0, "no failure was seen by a publisher"
        delivered = [listener.next_message()["data"]["number"] for _ in load.receipts]
        assert delivered == [receipt.number for receipt in load.receipts]
    load.check_kept()
    broker.restart_without_faults()
    load.check_kept()


@pytest.mark.parametrize("nth", [1, 2, 3, 5, 8])
def test_sync_fails_once(broker, shim, nth):
    broker.start()
    load = Load(broker)
    load.run(STORED, 5)
    shim.fail("sync", errno.EIO, nth)
    with Connection(broker) as connection:
        while shim.failures("sync") == 0:
            load.publish(connection, STORED)
        for _ in range(20):
            load.publish(connection, STORED)
        if is_refused(load.publish(connection, STORED)):
            assert "whatever has to be stored is refused until the broker is started again" in broker.log.read_text()
    broker.restart_without_faults()
    load.check_kept()
    load.run(STORED, 1)


@pytest.mark.parametrize("kind", ["open", "read", "write", "sync", "truncate", "unlink"])
def test_each_call_fails_at_the_start(broker, shim, kind):
    """The broker refuses with a message, or serves; with a disk that is well it finds all that it kept."""
    environment = broker.environment
    broker.start()
    load = Load(broker)
    load.run(STORED, 20)
    broker.kill()
    nth = 0
    while True:
        nth += 1
        shim.fail(kind, errno.EIO, nth)
        end = broker.try_start()
        happened = shim.failures(kind) > 0
        shim.heal(kind)
        if end:
            assert end.status == CANNOT_CREATE, f"call {nth}: {end}"
            assert str(broker.database) in end.message, end
        broker.restart_without_faults()
        load.check_kept()
        if not happened:
            break
        broker.environment = environment
        broker.kill()


def test_reading_fails_for_a_while(broker, shim):
    """A history that cannot be read is not an empty history."""
    broker.start()
    load = Load(broker)
    load.run(STORED, 300)
    broker.stop()
    broker.start()
    shim.fail("read", errno.EIO, lasts=True)
    with Connection(broker) as connection:
        answer = connection.get(f"/channels{STORED}?since=0&limit=1000")
        assert answer.status == 200 and len(answer.body) == 300 or answer.status >= 500, answer
    shim.heal("read")
    load.check_kept()
    load.run(STORED, 1)
