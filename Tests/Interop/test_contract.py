"""The numbered lines of the Bayeux contract, each over every transport.

The numbers in the names are the contract's: `test_1_3_…` is section 1, line 3. What depends on clocks and on the
store's faults is tested beside the router instead, where both can be held still.
"""

import itertools
import json
import re

import pytest

import transports
from transports import EventSource, LongPolling, WebSocket

TYPES = [
    "long-polling",
    "cross-origin-long-polling",
    "callback-polling",
    "websocket",
    "eventsource",
    "in-process",
]
_channels = itertools.count(1)


@pytest.fixture(params=transports.ALL, ids=lambda kind: kind.name)
def peer(request, broker):
    with request.param(broker) as peer:
        yield peer


@pytest.fixture
def other(peer, broker):
    """A second client of the same transport."""
    with type(peer)(broker) as other:
        yield other


@pytest.fixture
def channel():
    """A channel of this test alone."""
    return f"/contract/c{next(_channels)}"


# 1 Message model


def test_1_1_a_bare_object_is_answered_with_an_array(broker):
    with LongPolling(broker) as peer:
        reply = peer.send({"channel": "/a", "data": 1})
        assert reply == [{"channel": "/a", "successful": True}]


def test_1_3_a_reply_repeats_channel_id_and_client_id(peer, channel):
    peer.handshake()
    (reply,) = peer.ask({"channel": channel, "id": "x1", "clientId": peer.client_id, "data": 1, "other": 2})
    assert reply == {"channel": channel, "id": "x1", "clientId": peer.client_id, "successful": True}


def test_1_3_an_error_that_the_client_sends_refuses_its_request(peer, channel):
    (reply,) = peer.ask({"channel": channel, "data": 1, "error": "403::mine"})
    assert reply == {"channel": channel, "successful": False, "error": "403::mine"}


@pytest.mark.parametrize("message_id", ["a", "0001", 'q"\\', 17, "é"])
def test_1_4_the_id_comes_back_as_it_was(peer, channel, message_id):
    (reply,) = peer.ask({"channel": channel, "id": message_id, "data": 1})
    assert reply["id"] == message_id and reply["successful"] is True


def test_1_5_a_batch_with_a_connect_is_not_held(peer, channel):
    peer.listen(channel)
    replies = peer.ask(
        {"channel": "/meta/connect", "id": "1", "clientId": peer.client_id, "connectionType": peer.name},
        {"channel": channel, "id": "2", "clientId": peer.client_id, "data": 1},
    ) if not isinstance(peer, WebSocket) else peer.ask({"channel": channel, "id": "2", "data": 1})
    assert "2" in [reply["id"] for reply in replies]


def test_1_6_an_empty_batch_is_answered_with_an_empty_one(peer):
    assert peer.send([]) == []


@pytest.mark.parametrize("member", [1, "x", True, None, []])
def test_1_7_and_1_9_every_member_is_answered(peer, channel, member):
    replies = peer.ask(member, {"channel": channel, "id": "1", "data": 1})
    assert {"successful": False, "error": "402:data:Missing required parameter"} in replies
    assert {"channel": channel, "id": "1", "successful": True} in replies


@pytest.mark.parametrize("text", ["", "{", "1", '"x"', "[1", '[{"a":}]'])
def test_1_8_what_is_no_batch_is_refused(broker, text):
    with LongPolling(broker) as peer:
        response = peer.exchange("POST", "/bayeux", text, {"Content-Type": "application/json"})
        assert (response.status, response.text) == (400, "Bad request")
        assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    with WebSocket(broker) as peer:
        peer.socket.send(text)
        # The frame is ignored; the socket stays open.
        assert peer.ask({"channel": "/a", "data": 1}) == [{"channel": "/a", "successful": True}]


def test_1_9_a_large_batch_is_answered_whole(peer, channel):
    replies = peer.ask(*({"channel": channel, "id": str(number), "data": number} for number in range(100)))
    assert sorted(int(reply["id"]) for reply in replies) == list(range(100))


# 2 Channel grammar


@pytest.mark.parametrize("name", ["/foo.bar", "/foo:bar", "/foo+bar", "/fôo", "/", "/a//b", "/a/", "/a\nb", "x\n/a"])
def test_2_names_that_break_the_grammar(peer, name):
    (reply,) = peer.ask({"channel": name, "data": 1})
    assert reply["error"] == f"405:{name}:Invalid channel"
    peer.handshake()
    reply = peer.request("/meta/subscribe", subscription=name)
    assert reply["error"] == f"405:{name}:Invalid channel"


@pytest.mark.parametrize("pattern", ["/a/*/b", "/a/***", "/**/a", "/a*"])
def test_2_patterns_that_break_the_grammar(peer, pattern):
    peer.handshake()
    reply = peer.request("/meta/subscribe", subscription=pattern)
    assert reply["error"] == f"405:{pattern}:Invalid channel"


def test_2_a_pattern_cannot_be_published_to(peer):
    (reply,) = peer.ask({"channel": "/a/*", "data": 1})
    assert reply["error"] == "405:/a/*:Invalid channel"


def test_2_who_gets_a_message(peer, other, channel):
    peer.listen(channel + "/b", channel + "/*", channel + "/**", channel)
    for name in [channel, channel + "/b", channel + "/c", channel + "/b/c", "/elsewhere"]:
        other.ask({"channel": name, "data": name})
    # Once each, whatever the number of patterns that match.
    assert [message["data"] for message in peer.take(4)] == [
        channel, channel + "/b", channel + "/c", channel + "/b/c",
    ]


def test_2_a_pattern_does_not_match_its_own_prefix(peer, other, channel):
    peer.listen(channel + "/**")
    other.ask({"channel": channel, "data": 1}, {"channel": channel + "/x", "data": 2})
    assert peer.take(1)[0]["data"] == 2


# 3 Request validation


def test_3_handshake(peer):
    reply = peer.handshake(clientId="mine", ext={})
    assert reply["version"] == "1.0" and reply["supportedConnectionTypes"] == TYPES
    assert re.fullmatch("[0-9a-z]{31}", reply["clientId"])
    assert reply["advice"] == {"reconnect": "retry", "interval": 0, "timeout": 60000}


@pytest.mark.parametrize(
    "fields, error",
    [
        ({"supportedConnectionTypes": ["websocket"]}, "402:version:Missing required parameter"),
        ({"version": "1.0"}, "402:supportedConnectionTypes:Missing required parameter"),
        ({"version": "1.0", "supportedConnectionTypes": ["a", "b"]}, "301:a,b:Connection types not supported"),
        ({"supportedConnectionTypes": ["a"]}, "301:a:Connection types not supported"),
    ],
)
def test_3_handshakes_that_are_refused(peer, fields, error):
    (reply,) = peer.ask({"channel": "/meta/handshake", "clientId": "mine", **fields})
    assert reply == {
        "channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": TYPES, "successful": False,
        "error": error, "advice": {"reconnect": "handshake"},
    }


@pytest.mark.parametrize(
    "fields, error",
    [
        ({"connectionType": "websocket"}, "402:clientId:Missing required parameter"),
        ({"connectionType": "websocket", "clientId": "nobody"}, "401:nobody:Unknown client"),
        ({"clientId": "nobody"}, "402:connectionType:Missing required parameter"),
        ({"connectionType": "x", "clientId": "nobody"}, "301:x:Connection types not supported"),
    ],
)
def test_3_connects_that_are_refused(peer, fields, error):
    (reply,) = peer.ask({"channel": "/meta/connect", **fields})
    assert reply["error"] == error and reply["successful"] is False
    assert "clientId" not in reply
    assert reply["advice"]["reconnect"] == "handshake"


@pytest.mark.parametrize("client_id, error", [(None, "402:clientId:Missing required parameter"),
                                              ("nobody", "401:nobody:Unknown client")])
def test_3_disconnects_that_are_refused(peer, client_id, error):
    fields = {} if client_id is None else {"clientId": client_id}
    (reply,) = peer.ask({"channel": "/meta/disconnect", **fields})
    assert reply == {"channel": "/meta/disconnect", "successful": False, "error": error}


@pytest.mark.parametrize("meta", ["/meta/subscribe", "/meta/unsubscribe"])
def test_3_subscriptions_that_are_refused(peer, meta):
    def error(**fields):
        (reply,) = peer.ask({"channel": meta, **fields})
        assert reply["successful"] is False
        return reply["error"], reply.get("subscription"), reply.get("clientId")

    peer.handshake()
    mine = {"clientId": peer.client_id}
    assert error(subscription="/a") == ("402:clientId:Missing required parameter", "/a", None)
    assert error(clientId="nobody", subscription="/a") == ("401:nobody:Unknown client", "/a", "nobody")
    assert error(**mine) == ("402:subscription:Missing required parameter", [], peer.client_id)
    assert error(subscription="/meta/x", **mine)[0] == "403:/meta/x:Forbidden channel"
    assert error(subscription="/service/**", **mine)[0] == "403:/service/**:Forbidden channel"


def test_3_what_comes_before_a_bad_item_is_applied(peer, other, channel):
    peer.listen()
    reply = peer.request("/meta/subscribe", subscription=[channel, "/meta/x", channel + "/b"])
    assert reply["error"] == "403:/meta/x:Forbidden channel"
    other.ask({"channel": channel + "/b", "data": 1}, {"channel": channel, "data": 2})
    assert peer.take(1)[0]["data"] == 2


def test_3_subscribing_to_nothing_and_twice_succeeds(peer, other, channel):
    peer.listen()
    assert peer.request("/meta/subscribe", subscription=[])["successful"] is True
    for _ in range(2):
        assert peer.request("/meta/subscribe", subscription=channel)["subscription"] == channel
    other.ask({"channel": channel, "data": 1}, {"channel": channel, "data": 2})
    assert [message["data"] for message in peer.take(2)] == [1, 2]


def test_3_unsubscribing(peer, other, channel):
    peer.listen(channel, channel + "/b")
    assert peer.request("/meta/unsubscribe", subscription="/never")["successful"] is True
    assert peer.request("/meta/unsubscribe", subscription=channel)["successful"] is True
    other.ask({"channel": channel, "data": 1}, {"channel": channel + "/b", "data": 2})
    assert peer.take(1)[0]["data"] == 2


def test_3_publications_that_are_refused(peer, channel):
    replies = peer.ask(
        {"channel": channel, "id": "1"}, {"channel": "/a b", "id": "2"}, {"id": "3", "data": 1}, {"id": "4"},
        {"channel": "/meta/nothing", "id": "5", "data": 1}, {"channel": channel, "id": "6", "data": None},
    )
    assert {reply["id"]: reply.get("error") for reply in replies} == {
        "1": "402:data:Missing required parameter", "2": "402:data:Missing required parameter",
        "3": "405::Invalid channel", "4": "402:data:Missing required parameter",
        "5": "403:/meta/nothing:Forbidden channel", "6": None,
    }


def test_3_and_12_4_an_acknowledgement_has_no_data_and_a_message_no_id(peer, other, channel):
    peer.listen(channel)
    (reply,) = other.ask({"channel": channel, "id": "9", "data": {"a": 1}, "ext": {"token": "secret"}, "x": 1})
    assert reply == {"channel": channel, "id": "9", "successful": True}
    assert peer.take(1) == [{"channel": channel, "data": {"a": 1}}]


# 4 Advice


def test_4_a_connect_is_answered_with_advice(peer):
    peer.handshake()
    reply = peer.connect()
    heartbeat = {"reconnect": "retry", "interval": 60000, "timeout": 0}
    usual = {"reconnect": "retry", "interval": 0, "timeout": 60000}
    assert reply["advice"] == (heartbeat if isinstance(peer, EventSource) else usual)


def test_4_expired_sessions_come_back_spread_over_time(peer):
    intervals = {
        peer.ask({"channel": "/meta/connect", "clientId": "gone", "connectionType": peer.name})[0]["advice"]["interval"]
        for _ in range(20)
    }
    assert len(intervals) > 5 and all(0 <= interval <= 1000 for interval in intervals)


def test_4_refused_publications_and_subscriptions_carry_no_advice(peer, channel):
    for reply in peer.ask({"channel": channel}, {"channel": "/meta/subscribe", "clientId": "x", "subscription": "/a"}):
        assert "advice" not in reply


# 5 Sessions and queues


def test_5_messages_wait_for_a_session_and_come_in_order(peer, other, channel):
    peer.listen(channel)
    for number in range(50):
        other.ask({"channel": channel, "data": number})
    assert [message["data"] for message in peer.take(50)] == list(range(50))


def test_5_the_publisher_hears_itself_unless_it_does_not_want_to(peer, channel):
    peer.listen(channel)
    peer.request(channel, data=1, ext={"noEcho": True})
    peer.request(channel, data=2)
    assert peer.take(1)[0]["data"] == 2


def test_5_services_are_never_broadcast(peer, other, channel):
    peer.listen("/**")
    assert other.ask({"channel": "/service/x", "data": "service"})[0]["successful"] is True
    other.ask({"channel": channel, "data": "mine"})
    while (message := peer.take(1)[0])["channel"] != channel:
        assert message["data"] != "service"


@pytest.mark.parametrize("timeout", [0, -5, 0.5])
def test_5_the_client_can_shorten_the_wait(peer, timeout):
    peer.handshake()
    peer.connect()
    assert peer.connect(timeout=timeout)["successful"] is True


def test_5_and_12_1_of_two_connects_the_older_is_answered_at_once(broker):
    with WebSocket(broker) as peer:
        peer.listen()
        fields = {"channel": "/meta/connect", "clientId": peer.client_id, "connectionType": "websocket"}
        peer.socket.send(json.dumps([{**fields, "id": "first"}]))
        peer.socket.send(json.dumps([{**fields, "id": "second"}]))
        (reply,) = peer.receive()
        assert (reply["id"], reply["successful"]) == ("first", True)


def test_10_a_publication_that_is_sent_again_is_delivered_once(peer, other, channel):
    peer.listen(channel)
    other.handshake()
    for _ in range(3):
        (reply,) = other.ask({"channel": channel, "id": "same", "clientId": other.client_id, "data": 1})
        assert reply["successful"] is True
    other.ask({"channel": channel, "id": "next", "clientId": other.client_id, "data": 2})
    assert [message["data"] for message in peer.take(2)] == [1, 2]


# 6 Ending


def test_6_disconnect_ends_the_session(peer):
    peer.listen()
    client_id = peer.client_id
    assert peer.request("/meta/disconnect")["successful"] is True
    with type(peer)(peer.broker) as again:
        (reply,) = again.ask({"channel": "/meta/connect", "clientId": client_id, "connectionType": peer.name})
        assert reply["error"] == f"401:{client_id}:Unknown client"


def test_6_a_session_goes_on_over_every_other_transport(peer, broker, channel):
    peer.listen(channel)
    for kind in transports.ALL:
        with kind(broker) as later:
            later.client_id = peer.client_id
            assert later.connect(timeout=0)["successful"] is True
            assert later.request(channel, data=kind.name)["successful"] is True
            assert [message["data"] for message in later.take(1)] == [kind.name]
            later.client_id = None  # so that it is not ended here


def test_6_what_comes_while_no_socket_is_there_waits_for_the_next_one(broker, channel):
    with WebSocket(broker) as peer:
        peer.listen(channel)
        client_id, peer.client_id = peer.client_id, None  # so that it is not ended here
    with LongPolling(broker) as other, WebSocket(broker) as again:
        other.ask({"channel": channel, "data": 1})
        again.client_id = client_id
        assert again.connect()["successful"] is True
        assert again.take(1)[0]["data"] == 1


# 7 HTTP


@pytest.mark.parametrize("path", ["/bayeux", "/bayeux/", "/bayeux/handshake", "/bayeux/connect", "/bayeux/a/b.c"])
def test_7_paths_that_clients_append_to(broker, path):
    with LongPolling(broker) as peer:
        response = peer.exchange("POST", path, '[{"channel":"/a","data":1}]', {"Content-Type": "application/json"})
        assert response.status == 200


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
def test_7_other_methods(broker, method):
    with LongPolling(broker) as peer:
        response = peer.exchange(method, "/bayeux", '[{"channel":"/a","data":1}]')
        assert (response.status, response.text) == (400, "Bad request")


# 12 CometD


def test_12_3_and_13_1_the_first_connect_is_answered_at_once(peer):
    peer.handshake()
    # Not held: this would take a minute.
    assert peer.connect()["successful"] is True


@pytest.mark.parametrize("kind", [WebSocket, LongPolling, transports.CallbackPolling])
def test_12_5_acknowledged_messages_come_again_until_they_are_acknowledged(broker, channel, kind):
    with kind(broker) as peer, LongPolling(broker) as other:
        assert peer.handshake(ext={"ack": True})["ext"] == {"ack": True}
        first = peer.connect(timeout=0, ext={"ack": 0})
        peer.subscribe(channel)
        other.ask({"channel": channel, "data": 1})
        batch = peer.connect(timeout=0, ext={"ack": first["ext"]["ack"]})["ext"]["ack"]
        assert [message["data"] for message in peer.inbox] == [1]
        # Not acknowledged, as if it had been lost on its way.
        peer.inbox.clear()
        other.ask({"channel": channel, "data": 2})
        again = peer.connect(timeout=0, ext={"ack": batch - 1})["ext"]["ack"]
        assert again > batch
        assert [message["data"] for message in peer.inbox] == [1, 2]
        peer.inbox.clear()
        peer.connect(timeout=0, ext={"ack": again})
        assert peer.inbox == []


def test_12_10_a_new_handshake_brings_advice(peer):
    assert peer.handshake()["advice"] and peer.handshake()["advice"]


def test_timesync(peer):
    reply = peer.handshake(ext={"timesync": {"tc": 5, "l": 0, "o": 0}})
    timesync = reply["ext"]["timesync"]
    assert timesync["tc"] == 5 and timesync["p"] == 0 and timesync["ts"] > 1_700_000_000_000


def test_retained_messages_come_with_the_subscription(peer, other, channel):
    other.ask({"channel": channel + "/kept", "data": "old", "ext": {"retain": True}})
    peer.listen(channel + "/*")
    other.ask({"channel": channel + "/live", "data": "new"})
    kept, live = peer.take(2)
    assert (kept["data"], kept["ext"]["retained"], live["data"]) == ("old", True, "new")
