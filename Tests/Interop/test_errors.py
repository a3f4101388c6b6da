"""What the broker answers to messages that ask for something wrong: the exact strings that clients know."""

from typing import NamedTuple

import pytest

from bayeux import CONNECTION
from broker import PATIENCE

pytestmark = pytest.mark.usefixtures("bystander")

NOBODY = "0" * 31
SESSION = object()
"""Stands for the client id of the test's own session."""


class Row(NamedTuple):
    name: str
    message: dict
    error: str


HANDSHAKE = {"channel": "/meta/handshake", "version": "1.0", "supportedConnectionTypes": ["websocket"]}
CONNECT = {"channel": "/meta/connect", "clientId": SESSION, **CONNECTION}
SUBSCRIBE = {"channel": "/meta/subscribe", "clientId": SESSION, "subscription": "/errors/a"}
UNSUBSCRIBE = {**SUBSCRIBE, "channel": "/meta/unsubscribe"}
DISCONNECT = {"channel": "/meta/disconnect", "clientId": SESSION}
PUBLISH = {"channel": "/errors/a", "data": 1}


def without(message, *fields):
    return {name: value for name, value in message.items() if name not in fields}


ROWS = [
    Row("handshake without version", without(HANDSHAKE, "version"), "402:version:Missing required parameter"),
    Row(
        "handshake without types",
        without(HANDSHAKE, "supportedConnectionTypes"),
        "402:supportedConnectionTypes:Missing required parameter",
    ),
    Row(
        "handshake with no common type",
        {**HANDSHAKE, "supportedConnectionTypes": ["carrier-pigeon", "smoke"]},
        "301:carrier-pigeon,smoke:Connection types not supported",
    ),
    Row(
        "bad types hide a missing version",
        {**without(HANDSHAKE, "version"), "supportedConnectionTypes": ["smoke"]},
        "301:smoke:Connection types not supported",
    ),
    Row("connect of an unknown client", {**CONNECT, "clientId": NOBODY}, f"401:{NOBODY}:Unknown client"),
    Row("connect without client", without(CONNECT, "clientId"), "402:clientId:Missing required parameter"),
    Row(
        "connect with unknown type",
        {**CONNECT, "connectionType": "smoke"},
        "301:smoke:Connection types not supported",
    ),
    Row("connect without type", without(CONNECT, "connectionType"), "402:connectionType:Missing required parameter"),
    Row("disconnect of an unknown client", {**DISCONNECT, "clientId": NOBODY}, f"401:{NOBODY}:Unknown client"),
    Row("disconnect without client", without(DISCONNECT, "clientId"), "402:clientId:Missing required parameter"),
    Row("subscribe of an unknown client", {**SUBSCRIBE, "clientId": NOBODY}, f"401:{NOBODY}:Unknown client"),
    Row("subscribe without client", without(SUBSCRIBE, "clientId"), "402:clientId:Missing required parameter"),
    Row("subscribe without channel", without(SUBSCRIBE, "subscription"), "402:subscription:Missing required parameter"),
    Row(
        "a missing channel hides an unknown client",
        {**without(SUBSCRIBE, "subscription"), "clientId": NOBODY},
        "402:subscription:Missing required parameter",
    ),
    Row("subscribe to meta", {**SUBSCRIBE, "subscription": "/meta/connect"}, "403:/meta/connect:Forbidden channel"),
    Row("subscribe to all of meta", {**SUBSCRIBE, "subscription": "/meta/**"}, "403:/meta/**:Forbidden channel"),
    Row("subscribe to service", {**SUBSCRIBE, "subscription": "/service/*"}, "403:/service/*:Forbidden channel"),
    Row(
        "a bad item after a good one",
        {**SUBSCRIBE, "subscription": ["/errors/a", "/errors/b c"]},
        "405:/errors/b c:Invalid channel",
    ),
    Row("unsubscribe from meta", {**UNSUBSCRIBE, "subscription": "/meta/**"}, "403:/meta/**:Forbidden channel"),
    Row("unsubscribe, unknown", {**UNSUBSCRIBE, "clientId": NOBODY}, f"401:{NOBODY}:Unknown client"),
    Row("publish without data", without(PUBLISH, "data"), "402:data:Missing required parameter"),
    Row("missing data hides a bad name", {"channel": "/a b"}, "402:data:Missing required parameter"),
    Row("publish to a pattern", {**PUBLISH, "channel": "/errors/*"}, "405:/errors/*:Invalid channel"),
    Row("an empty subscription", {**SUBSCRIBE, "subscription": ""}, "402:subscription:Missing required parameter"),
    Row("publish to an empty name", {**PUBLISH, "channel": ""}, "405::Invalid channel"),
    Row("publish to nowhere", without(PUBLISH, "channel"), "405::Invalid channel"),
    Row("publish to meta", {**PUBLISH, "channel": "/meta"}, "403:/meta:Forbidden channel"),
    Row("unknown meta", {**PUBLISH, "channel": "/meta/subscribe/x"}, "403:/meta/subscribe/x:Forbidden channel"),
    Row("invalid meta", {**PUBLISH, "channel": "/meta/subscribe/"}, "405:/meta/subscribe/:Invalid channel"),
    Row("the client's own error", {**PUBLISH, "error": "999:x:Mine"}, "999:x:Mine"),
]

BAD_NAMES = [
    "/", "name", "name/", "/a/", "//a", "/a//b", "/foo.bar", "/foo:bar", "/foo+bar", "/fôo", "/a b", "/a\nb",
    "/a/*/b", "/a/**/b", "/a/***", "/a/b*", "/a/\u0000", "x\n/foo", "/foo\nbar",
]  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_error(peer, row):
    peer.handshake()
    peer.connect()
    fields = {name: peer.client_id if value is SESSION else value for name, value in row.message.items()}
    peer.send({**fields, "id": "wrong"})
    reply = peer.take(lambda message: message.get("id") == "wrong")
    assert reply["successful"] is False
    assert reply["error"] == row.error
    # And the session is none the worse for it. (A connect binds the socket to the client that it names, known or not.)
    peer.send({"channel": "/meta/connect", "clientId": peer.client_id, **CONNECTION})
    peer.subscribe("/errors/after")
    peer.publish("/errors/after", "still here")
    assert peer.next_message("/errors/after")["data"] == "still here"


@pytest.mark.parametrize("name", BAD_NAMES, ids=ascii)
def test_bad_name(peer, name):
    peer.handshake()
    subscription = peer.ask("/meta/subscribe", clientId=peer.client_id, subscription=name)
    assert (subscription["successful"], subscription["error"]) == (False, f"405:{name}:Invalid channel")
    publication = peer.ask(name, data=1)
    assert (publication["successful"], publication["error"]) == (False, f"405:{name}:Invalid channel")


def test_advice_of_failures(peer):
    """Only a failed handshake or connect advises; it says to shake hands, and gives no client id away."""
    connect = peer.ask("/meta/connect", clientId=NOBODY, **CONNECTION)
    assert connect["advice"]["reconnect"] == "handshake"
    assert "clientId" not in connect
    subscribe = peer.ask("/meta/subscribe", clientId=NOBODY, subscription="/errors/a")
    assert "advice" not in subscribe
    assert subscribe["clientId"] == NOBODY


def test_items_before_a_bad_one_stay(peer):
    peer.handshake()
    peer.connect()
    patterns = ["/errors/kept", "/meta/x", "/errors/not-reached"]
    assert not peer.ask("/meta/subscribe", clientId=peer.client_id, subscription=patterns)["successful"]
    peer.publish("/errors/not-reached", 1)
    peer.publish("/errors/kept", 2)
    assert peer.next_message()["channel"] == "/errors/kept"


@pytest.mark.parametrize("member", [1, "x", True, None], ids=repr)
def test_member_that_is_no_message(peer, member):
    peer.send(member)
    reply = peer.take(lambda message: True)
    assert (reply["successful"], reply["error"]) == (False, "402:data:Missing required parameter")


@pytest.mark.parametrize("text", ["{", "hello", "", "[1,", '{"channel":"/a"', '"/a"', "42", "true", "\u0000"])
def test_frame_that_is_not_messages(peer, text):
    """The frame is ignored without an answer, and the socket stays: what is received next answers the next message."""
    peer.socket.send(text)
    peer.send({"channel": "/errors/a", "data": 1, "id": "after"})
    reply = peer.take(lambda message: True)
    assert (reply.get("id"), reply["successful"]) == ("after", True)


def test_empty_batch(peer):
    peer.socket.send("[]")
    assert peer.socket.recv(PATIENCE) == "[]"
