"""The wall clock is set while the broker runs."""

from faulty import Connection, history
from load import Load

DAY = 86_400
STORED = "/full/clock"


def test_clock_jumps(broker, shim):
    """Numbers increase, what has not run out stays, what has run out goes, whichever way the clock is set."""
    broker.start()
    load = Load(broker)

    def publish(count):
        with Connection(broker) as connection:
            for _ in range(count):
                assert load.publish(connection, STORED, TTL=10 * DAY).status == 200

    for offset in [0, -DAY, 0, DAY, 0, DAY, -DAY]:
        shim.set_clock(offset)
        publish(20)
        load.check_kept()
    sequences = [receipt.seq for receipt in load.receipts]
    assert sequences == sorted(set(sequences))
    broker.stop()
    broker.start()
    load.check_kept()
    publish(1)
    assert load.receipts[-1].seq > sequences[-1]


def test_what_runs_out(broker, shim):
    """By the clock of the moment: after it jumped forward, messages with an hour to live are gone."""
    broker.start()
    with Connection(broker) as connection:
        assert connection.publish(STORED, "an hour", TTL=3600).status == 200
        assert connection.publish(STORED, "two days", TTL=2 * DAY).status == 200
        assert connection.publish("/retained/a", "an hour", TTL=3600, Retain="true").status == 200
        shim.set_clock(-DAY)
        assert list(history(broker, STORED).values()) == ["an hour", "two days"]
        assert connection.get("/channels/retained/a").body == "an hour"
        shim.set_clock(DAY)
        assert list(history(broker, STORED).values()) == ["two days"]
        assert connection.get("/channels/retained/a").status == 404


def test_idempotency_key_after_a_jump_back(broker, shim):
    """A publication that is sent again right after the jump is still known."""
    broker.start()
    with Connection(broker) as connection:
        first = connection.publish(STORED, 1, Idempotency_Key="once")
        shim.set_clock(-DAY)
        assert connection.publish(STORED, 1, Idempotency_Key="once").body["seq"] == first.body["seq"]
    broker.stop()
    broker.start()
    with Connection(broker) as connection:
        assert connection.publish(STORED, 1, Idempotency_Key="once").body["seq"] == first.body["seq"]
    assert list(history(broker, STORED).values()) == [1]
