"""A subscriber that gets a hundred thousand retained messages, and those beside it."""

import json

import pytest

from bayeux import Peer
from broker import PATIENCE

COUNT = 100_000


@pytest.fixture
def full_broker(own_broker):
    """A broker with so many retained messages."""
    with Peer(own_broker) as publisher:
        publisher.handshake()
        # All at once: the broker reads no more of it than it can take.
        for start in range(0, COUNT, 1000):
            numbers = range(start, start + 1000)
            publisher.send(*({"channel": f"/kept/{n}", "data": n, "ext": {"retain": True}} for n in numbers))
        acknowledged = 0
        while acknowledged < COUNT:
            replies = json.loads(publisher.socket.recv(PATIENCE))
            assert all(reply["successful"] for reply in replies)
            acknowledged += len(replies)
    return own_broker


def test_a_hundred_thousand_retained_messages(full_broker):
    """Each comes once, in order of its number; others publish and listen meanwhile; what they publish comes last."""
    with Peer(full_broker) as subscriber, Peer(full_broker) as listener, Peer(full_broker) as publisher:
        listener.listen("/live")
        publisher.handshake()
        subscriber.handshake()
        subscriber.connect()
        subscriber.send({"channel": "/meta/subscribe", "clientId": subscriber.client_id, "subscription": "/**"})
        live = 0
        received = []
        while len(received) < COUNT:
            # As long as it goes on it may take long.
            for message in json.loads(subscriber.socket.recv(PATIENCE)):
                if "data" in message:
                    received.append(message)
            # The listener is served between two pages.
            if live < 50:
                publisher.send({"channel": "/live", "data": live})
                assert listener.next_message("/live")["data"] == live
                live += 1
        retained, rest = received[:COUNT], received[COUNT:]
        assert [message["data"] for message in retained] == list(range(COUNT))
        assert all(message["ext"]["retained"] for message in retained)
        assert [message["ext"]["seq"] for message in retained] == list(range(1, COUNT + 1))
        assert live > 10
        while len(rest) < live:
            rest += [message for message in json.loads(subscriber.socket.recv(PATIENCE)) if "data" in message]
        assert [message["data"] for message in rest] == list(range(live))
