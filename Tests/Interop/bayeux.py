"""Bayeux over one WebSocket, one message at a time, with nothing done behind the test's back."""

import itertools
import json

from websockets.sync.client import connect

from broker import PATIENCE

CONNECTION = {"connectionType": "websocket"}


class Peer:
    """A socket on the broker's endpoint, open within a `with` block.

    Received messages are kept until somebody asks for them.
    """

    def __init__(self, broker, compression="deflate"):
        url = broker.url("/bayeux", "ws")
        # It asks nobody whether he is still there: who waits for something waits for `PATIENCE`.
        self._connect = connect(
            url, compression=compression, max_size=None, open_timeout=PATIENCE, ping_interval=None, proxy=None
        )
        self.client_id = None
        self._ids = map(str, itertools.count(1))
        self._received = []

    def __enter__(self):
        self.socket = self._connect.__enter__()
        return self

    def __exit__(self, *exception):
        self._connect.__exit__(*exception)

    def send(self, *messages):
        self.socket.send(json.dumps(messages))

    def take(self, wanted):
        """The first message, received or to come, that `wanted` says yes to."""
        while True:
            for index, message in enumerate(self._received):
                if wanted(message):
                    return self._received.pop(index)
            messages = json.loads(self.socket.recv(PATIENCE))
            assert isinstance(messages, list), "a frame holds an array of messages"
            self._received += messages

    def ask(self, channel, **fields):
        """Send one message and return its reply."""
        message_id = next(self._ids)
        self.send({"channel": channel, "id": message_id, **fields})
        return self.take(lambda message: message.get("id") == message_id)

    def next_message(self, channel=None):
        """The next message that was delivered on a channel, or on any."""
        return self.take(lambda message: "successful" not in message and channel in (None, message["channel"]))

    def handshake(self):
        reply = self.ask("/meta/handshake", version="1.0", supportedConnectionTypes=["websocket"])
        assert reply["successful"], reply
        self.client_id = reply["clientId"]
        return reply

    def connect(self):
        """Bind this socket to the session; the broker answers the first connect of a socket at once."""
        reply = self.ask("/meta/connect", clientId=self.client_id, **CONNECTION)
        assert reply["successful"], reply
        return reply

    def subscribe(self, *patterns):
        reply = self.ask("/meta/subscribe", clientId=self.client_id, subscription=list(patterns))
        assert reply["successful"], reply
        return reply

    def publish(self, channel, data, **fields):
        reply = self.ask(channel, data=data, **fields)
        assert reply["successful"], reply
        return reply

    def listen(self, *patterns):
        """A session that is bound to this socket and subscribed."""
        self.handshake()
        self.connect()
        self.subscribe(*patterns)
        return self

    def leave(self):
        """End the session: one whose socket just closes counts as a subscriber until it expires."""
        reply = self.ask("/meta/disconnect", clientId=self.client_id)
        assert reply["successful"], reply


class Bystander:
    """A client that minds its own business; `check` fails when the broker no longer serves it."""

    CHANNEL = "/bystander"

    def __init__(self, subscriber, publisher):
        self._subscriber = subscriber.listen(self.CHANNEL)
        self._publisher = publisher
        self._count = 0

    def check(self):
        self._count += 1
        self._publisher.publish(self.CHANNEL, self._count)
        assert self._subscriber.next_message()["data"] == self._count
