"""CometD's acknowledgements over every transport that polls, behind a proxy that swallows what the broker answers."""

import contextlib
import http.client
import threading

import pytest

from proxy import Network
from transports import CallbackPolling, CrossOriginLongPolling, LongPolling, WebSocket

POLLING = [LongPolling, CrossOriginLongPolling, CallbackPolling]


def begin(transport, channel):
    """A session that acknowledges, and is subscribed; the number of its last batch."""
    assert transport.handshake(ext={"ack": True})["ext"]["ack"] is True
    batch = transport.connect(ext={"ack": -1})["ext"]["ack"]
    transport.subscribe(channel)
    return batch


def poll(transport, batch):
    """A connect that says what has come; the data that came with its answer, and the new batch's number."""
    reply = transport.connect(ext={"ack": batch}, timeout=0)
    assert reply["successful"], reply
    taken, transport.inbox = transport.inbox, []
    return [message["data"] for message in taken], reply["ext"]["ack"]


def ask_in_vain(transport, batch):
    """A poll whose connection is cut instead of an answer."""
    with contextlib.suppress(http.client.HTTPException, OSError):
        poll(transport, batch)
    transport.http.close()


@pytest.mark.parametrize("polling", POLLING, ids=lambda value: value.name)
def test_fallback(broker, polling):
    """A session that began on a WebSocket goes on by polling when the proxy lets nothing through any more."""
    channel = f"/ack/fallback/{polling.name}"
    with Network(broker) as network:
        with WebSocket(network) as first:
            batch = begin(first, channel)
            broker.publish(channel, 1)
            data, batch = poll(first, batch)
            assert data == [1]
            # The connect is held, and its answer goes nowhere.
            first.socket.send(
                '[{"channel":"/meta/connect","connectionType":"websocket","clientId":"%s","ext":{"ack":%d}}]'
                % (first.client_id, batch)
            )
            # Behind it on the same socket, so that it has arrived.
            assert first.request("/ack/elsewhere", data=0)["successful"]
            network.freeze()
            broker.publish(channel, 2)
            with polling(network) as second:
                second.client_id, first.client_id = first.client_id, None
                broker.publish(channel, 3)
                assert poll(second, batch)[0] == [2, 3]
                assert poll(second, -1)[0] == [2, 3]
                data, batch = poll(second, batch)
                assert data == [2, 3]
                assert poll(second, batch)[0] == []
            network.cut()


@pytest.mark.parametrize("polling", POLLING, ids=lambda value: value.name)
def test_swallowed_answer(broker, polling):
    """The proxy swallows the answer of a poll: the next one brings what was in it, before what is new."""
    channel = f"/ack/swallowed/{polling.name}"
    with Network(broker) as network:
        with polling(network) as transport:
            batch = begin(transport, channel)
            broker.publish(channel, 1)
            network.swallow()
            asking = threading.Thread(target=ask_in_vain, args=(transport, batch))
            asking.start()
            network.wait_until_swallowed(b'"data":1')
            network.cut()
            asking.join()
            network.mend()
            broker.publish(channel, 2)
            data, batch = poll(transport, batch)
            assert data == [1, 2]
            assert poll(transport, batch)[0] == []
