"""Names that are meant to be taken for others, and ids of others."""

import json

import pytest

from bayeux import CONNECTION, Peer
from conftest import watch
from wire import HANDSHAKE, Wire, batch, request

VERBS = ("handshake", "connect", "subscribe", "unsubscribe", "disconnect")
NAMES = [
    *(f"/meta/{verb}/x" for verb in VERBS), *(f"/meta/{verb}x" for verb in VERBS), "/meta", "/meta/", "/meta/publish",
    "/Meta/subscribe", "/META/SUBSCRIBE", "//meta/subscribe", "/./meta/subscribe", "/a/../meta/subscribe",
    "/meta//subscribe", "/meta/subscribe/", "/meta/subscribe\u0000", "/meta/subscribe ", " /meta/subscribe",
    "/meta%2fsubscribe", "/%6deta/subscribe", "/\uff4deta/subscribe", "/meta\u2215subscribe", "\\meta\\subscribe",
]  # fmt: skip


def test_names_that_look_like_meta(broker):
    """None of them subscribes: only the five very names are of the protocol."""
    with watch(broker), Peer(broker) as peer:
        peer.handshake()
        peer.connect()
        for number, name in enumerate(NAMES):
            reply = peer.ask(name, clientId=peer.client_id, subscription=f"/tricked/{number}", data=1,
                             version="1.0", supportedConnectionTypes=["websocket"], **CONNECTION)  # fmt: skip
            allowed = name.lower().startswith("/meta/") and not name.startswith("/meta")
            assert reply["successful"] == allowed, reply
            if not reply["successful"]:
                assert reply["error"][:4] in ("403:", "405:"), reply
            assert broker.publish(f"/tricked/{number}", 1)["matched"] == 0, name
        peer.leave()


def test_the_same_name_in_other_letters(broker):
    """Escapes of JSON are the letters that they stand for, for every question that is asked of a name."""
    with watch(broker), Peer(broker) as peer:
        peer.handshake()
        peer.connect()
        text = r'[{"channel":"\u002f\u006deta\/subscribe\u002fx","data":1,"id":"e"}]'
        peer.socket.send(text)
        assert peer.take(lambda message: message.get("id") == "e")["error"].startswith("403:/meta/subscribe/x:")
        peer.socket.send(
            r'[{"channel":"/meta/subscribe","clientId":"%s","subscription":"\u002fmet\u0061/**","id":"f"}]'
            % peer.client_id
        )
        assert peer.take(lambda message: message.get("id") == "f")["error"].startswith("403:/meta/**:")
        peer.leave()


def test_ids_of_others(broker):
    """Almost the id of another is the id of nobody, with every verb."""
    with watch(broker), Peer(broker) as owner, Peer(broker) as thief:
        owner.listen("/owned")
        right = owner.client_id
        thief.handshake()
        thief.connect()
        last = "0" if right[-1] != "0" else "1"
        wrong = [right[:-1], right + "0", right[:-1] + last, right.upper() + "_", right + "\u0000", " " + right,
                 right + " ", "", "*", "%", "null", "../" + right, right[::-1] + "0"]  # fmt: skip
        for client in wrong:
            for verb in VERBS[1:]:
                reply = thief.ask(f"/meta/{verb}", clientId=client, subscription="/stolen", **CONNECTION)
                assert not reply["successful"] and reply["error"].startswith(("401:", "402:")), reply
        for client in ([right], {"id": right}, 1, None, True):
            reply = thief.ask("/meta/connect", clientId=client, **CONNECTION)
            assert not reply["successful"], reply
        assert broker.publish("/owned", "for the owner")["matched"] == 1
        assert owner.next_message()["data"] == "for the owner"
        # What a message says of its sender is not handed on.
        publisher = Peer(broker)
        with publisher:
            forged = {"successful": True, "advice": {"reconnect": "none"}, "timestamp": "now", "subscription": "/**"}
            publisher.publish("/owned", 1, clientId=thief.client_id, **forged)
            delivered = owner.next_message()
            assert set(delivered) <= {"channel", "data", "id", "ext"}, delivered
        thief.leave()
        owner.leave()


def test_streams_of_others(broker):
    with watch(broker), Peer(broker) as owner:
        owner.listen("/owned")
        for client in (owner.client_id[:-1], owner.client_id + "0", "%2e%2e/" + owner.client_id + "0", "*", ""):
            with Wire(broker.port) as wire:
                wire.send(request("GET", f"/bayeux/{client}", "Accept: text/event-stream", "Connection: close"))
                assert wire.answer()[0] in (401, 404), client
        owner.leave()


def test_ids_cannot_be_guessed(broker):
    """Two hundred of them: no two have more in common than chance gives."""
    with watch(broker), Wire(broker.port) as wire:
        wire.upgrade()
        wire.send(batch(*[HANDSHAKE] * 200))
        ids = [reply["clientId"] for reply in json.loads(wire.frame()[1])]
        assert len(set(ids)) == 200
        assert all(len(client) >= 26 for client in ids), "128 bits"
        places = zip(*ids, strict=False)
        assert all(len(set(place)) > 8 for place in list(places)[1:26]), "no part of them stays the same"


FILES = [
    "/fanfare.js/../../etc/passwd", "/..%2f..%2fetc/passwd", "/.git/config", "/%00", "/fanfare.js%00.html",
    "//etc/passwd", "/fanfare.db", "/\\..\\fanfare.db",
]  # fmt: skip


@pytest.mark.parametrize("path", FILES)
def test_files(broker, path):
    """Only what is built in is served; there is no way to the disk."""
    with watch(broker), Wire(broker.port) as wire:
        assert wire.ask(request("GET", path)) == 404
