"""The stock Faye client for Ruby (Debian's ruby-faye), over each of its transports."""

import json
import pathlib

import pytest

from bayeux import Peer
from broker import Process

SCRIPT = pathlib.Path(__file__).with_name("faye_client.rb")
# Debian's Ruby, which has the package, whatever another Ruby may come first on the path.
RUBY = "/usr/bin/ruby"
OWN_DATA = {"text": "from Ruby", "n": [1, 2.5, None, "\N{TRUMPET}"]}


@pytest.mark.parametrize("transport", ["websocket", "long-polling"])
def test_session(broker, peer, transport):
    """It shakes hands by long-polling, subscribes, publishes, hears itself and others, and says good-bye."""
    own, other = f"/chat/ruby-{transport}", f"/chat/python-{transport}"
    with Process([RUBY, SCRIPT, broker.url("/bayeux"), own, transport]) as client:
        told = []

        def tell_until(event):
            while not told or told[-1]["event"] != event:
                told.append(json.loads(client.lines.next()))
                assert told[-1]["event"] != "error", told

        tell_until("subscribed")
        peer.publish(other, {"text": "from Python"})
        tell_until("disconnected")
        assert client.wait() == 0
    messages = {message["channel"]: message["data"] for message in told if message["event"] == "message"}
    assert messages == {own: OWN_DATA, other: {"text": "from Python"}}
    assert {"event": "transport", "type": transport} in told


def test_refusal(broker, peer):
    """It gives the error's code and text to its user."""
    with Process([RUBY, SCRIPT, broker.url("/bayeux"), "/chat/refusal", "websocket"]) as client:
        while (told := json.loads(client.lines.next()))["event"] != "refused":
            assert told["event"] != "error", told
    assert told == {"event": "refused", "text": "Invalid channel", "code": 405}


def test_what_it_publishes_arrives_elsewhere(broker):
    with Peer(broker) as listener:
        listener.listen("/chat/to-python")
        with Process([RUBY, SCRIPT, broker.url("/bayeux"), "/chat/to-python", "websocket"]):
            assert listener.next_message() == {"channel": "/chat/to-python", "data": OWN_DATA}
