"""The broker is killed behind each step of storing a publication, one after the other."""

import contextlib
import http.client

import pytest
from websockets.exceptions import ConnectionClosed

from bayeux import Peer
from faulty import Connection, is_taken
from load import Load

STORED = "/full/steps"
# A publication takes some twenty writes.
MOST = 100


@pytest.mark.parametrize("kind, torn", [("write", False), ("write", True), ("sync", False)],
                         ids=["write", "half-a-write", "sync"])  # fmt: skip
def test_killed_behind_each_call(broker, shim, kind, torn):
    """Until one publication needs no more calls than that.

    What was acknowledged or delivered is there, with its number. A publisher that has no answer publishes once more,
    with the same key: nothing is there twice.
    """
    broker.start()
    load = Load(broker, retain=True)
    load.run(STORED, 3)
    for nth in range(1, MOST):
        number = load.new_number()
        with Peer(broker) as listener:
            listener.listen(STORED)
            listener.next_message()  # what is retained
            shim.kill(kind, nth, torn=torn)
            answered = was_answered(load, number)
            shim.heal(kind)
            if shim.failures(kind) == 0:
                assert answered and listener.next_message()["data"]["number"] == number
                break
            broker.kill()
            delivered = rest(listener)
        broker.start()
        kept = load.check_kept()
        for message in delivered:
            assert kept[message["data"]["number"]] == (STORED, message["ext"]["seq"]), f"call {nth}: {message}"
        if not answered:
            assert was_answered(load, number), f"call {nth}"
        assert number in load.check_kept(), f"call {nth}"
    else:
        raise AssertionError(f"{MOST} calls are not enough for a publication")
    assert nth > 1, "no call was made"


def was_answered(load, number):
    """Publish the message with that number and a key of its own; whether the broker lived to acknowledge it."""
    try:
        with Connection(load.broker) as connection:
            answer = load.publish(connection, STORED, number, Idempotency_Key=f"publication-{number}")
    except (OSError, http.client.HTTPException):
        return False
    assert is_taken(answer), answer
    return True


def rest(listener):
    """What had been delivered to a subscriber of a broker that is gone."""
    messages = []
    with contextlib.suppress(ConnectionClosed):
        while True:
            messages.append(listener.next_message())
    return messages
