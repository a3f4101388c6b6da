"""Forged tokens, by every way in: none opens what a good one opens, and none has the broker ask anybody for a thing."""

import json
import socket
import subprocess
import time

import pytest

from bayeux import Peer
from conftest import Victim
from tokens import SECRET, encode, signed
from wire import UPGRADE, Wire, request

CLOSED = "/closed/here"


def claims(**changes):
    now = time.time()
    all_claims = {"sub": "mallory", "iat": int(now), "exp": now + 600, "publish": ["/**"], "subscribe": ["/**"]}
    all_claims |= changes
    return {name: value for name, value in all_claims.items() if value is not None}


@pytest.fixture(scope="module")
def canary():
    """A server that nobody may ask."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "secret").write_text(SECRET)
    subprocess.run(["openssl", "genrsa", "-out", folder / "key.pem"], check=True, capture_output=True)
    subprocess.run(["openssl", "pkey", "-in", folder / "key.pem", "-pubout", "-out", folder / "public.pem"], check=True)
    broker = Victim(
        folder, f"auth:\n  keys: [{folder}/secret, {folder}/public.pem]\n  publish: granted\n  subscribe: granted\n"
    )
    broker.public = (folder / "public.pem").read_bytes()
    try:
        yield broker.start()
        broker.stop()
    finally:
        broker.kill()


def forgeries(broker, url):
    good = signed({"alg": "HS256"}, claims())
    header, body, signature = good.split(".")
    hs = {"alg": "HS256"}
    for name in ("none", "None", "NONE", "nOnE", "", None):
        yield f"alg {name}, no signature", encode({"alg": name}) + "." + encode(claims()) + "."
        yield f"alg {name}, any signature", encode({"alg": name}) + "." + encode(claims()) + "." + signature
    yield "no alg", signed({}, claims())
    yield "no signature", f"{header}.{body}."
    yield "two parts", f"{header}.{body}"
    yield "four parts", good + "." + signature
    yield "a shorter signature", good[:-6]
    yield "another's signature", f"{header}.{encode(claims(sub='root'))}.{signature}"
    yield "another secret", signed(hs, claims(), "another secret of thirty-two bytes at least")
    yield "no secret", signed(hs, claims(), b"")
    for pem in (broker.public, broker.public.strip(), broker.public.replace(b"\n", b"")):
        yield "the public key as a secret", signed(hs, claims(), pem)
        yield "RS256 by a secret", signed({"alg": "RS256"}, claims(), pem)
    for other in ("HS384", "HS512", "RS512", "ES256", "EdDSA", "PS256", "hs256"):
        yield f"{other} by HMAC", signed({"alg": other}, claims())
    for path in ("../../../../../../dev/null", "/dev/null", "' OR 1=1 --", "\0", url):
        yield f"kid {path}", signed({**hs, "kid": path}, claims(), b"")
    key = {"kty": "oct", "k": encode(b"mine"), "alg": "HS256"}
    yield "its own key", signed({**hs, "jwk": key}, claims(), b"mine")
    for field in ("jku", "x5u"):
        yield f"{field} of mine", signed({"alg": "RS256", field: url, "kid": "1"}, claims(iss=url), b"mine")
    yield "iss of mine", signed(hs, claims(iss=url), b"mine")
    # From here on the signature is good, and what is signed is not.
    for huge in (1e19, 1e300, 2**64, -(2**64)):
        yield f"{huge} in the header", signed({**hs, "x": huge, "crit": [{"y": huge}]}, claims())
    yield "crit", signed({**hs, "crit": ["exp"]}, claims())
    yield "crit of nothing", signed({**hs, "crit": []}, claims())
    yield "b64 false", signed({**hs, "b64": False, "crit": ["b64"]}, claims())
    for huge in (1e18, 1e19, 1e300, 2**63, 2**64, -1, 0, "1e9", [2e9], None, True, time.time() - 1):
        yield f"exp {huge}", signed(hs, claims(exp=huge))
    yield "exp beyond numbers", signed(hs, json.dumps(claims()).replace('"exp": ', '"exp": 1e99999, "e": ').encode())
    yield "exp that is no number", signed(hs, json.dumps(claims()).replace('"exp": ', '"exp": NaN, "e": ').encode())
    for name in ("nbf", "iat"):
        for value in (time.time() + 3600, 1e300, "now"):
            yield f"{name} {value}", signed(hs, claims(**{name: value}))
    yield "no subject", signed(hs, claims(sub=None))
    yield "an empty subject", signed(hs, claims(sub=""))
    yield "an audience that is somebody else", signed(hs, claims(aud="elsewhere"))
    yield "a pattern of nothing", signed(hs, claims(publish=["**"], subscribe=["**"]))
    yield "patterns without end", signed(hs, claims(publish=["/**"] * 1000, subscribe=["/**"] * 1000))
    yield "no object", signed(hs, [claims()])
    yield "depth", signed(hs, (b'{"a":' + b"[" * 3000 + b"]" * 3000 + b"}"))
    yield "length", signed(hs, claims(x="x" * 20_000))
    yield "nothing", "."
    yield "dots", "." * 1000


def ways(broker, token):
    """What a token opens, by each way to show it: names of ways."""
    printable = all(32 < ord(letter) < 127 for letter in token) and len(token) < 8000
    if printable:
        with Wire(broker.port) as wire:
            if wire.ask(request("POST", f"/channels{CLOSED}", f"Authorization: Bearer {token}", body="1")) == 200:
                yield "a request"
            if wire.ask(request("GET", f"/channels{CLOSED}?since=0", f"Authorization: Bearer {token}")) == 200:
                yield "a history"
            if wire.ask(request("POST", "/tickets", f"Authorization: Bearer {token}")) == 201:
                yield "a ticket"
        with Wire(broker.port) as wire:
            wire.send(UPGRADE + f"Sec-WebSocket-Protocol: fanfare, fanfare.bearer.{token}\r\n\r\n")
            if b" 101 " in wire.read_until(b"\r\n"):
                yield "a subprotocol"
    with Peer(broker) as peer:
        # By the handshake, and by the message itself.
        hello = peer.ask("/meta/handshake", version="1.0", supportedConnectionTypes=["websocket"], ext={"token": token})
        client = hello.get("clientId")
        if client and peer.ask("/meta/subscribe", clientId=client, subscription=CLOSED)["successful"]:
            yield "a handshake"
        if peer.ask(CLOSED, data=1, ext={"token": token})["successful"]:
            yield "a message"


def test_a_good_one(guarded):
    token = signed({"alg": "HS256"}, claims())
    expected = {"a request", "a history", "a ticket", "a subprotocol", "a handshake", "a message"}
    assert set(ways(guarded, token)) == expected


def test_forgeries(guarded, canary):
    url = f"http://127.0.0.1:{canary.getsockname()[1]}/keys"
    opened = {name: found for name, token in forgeries(guarded, url) if (found := list(ways(guarded, token)))}
    assert not opened
    with pytest.raises(BlockingIOError):
        canary.accept()


def test_no_more_than_is_granted(guarded):
    """A token for one channel opens it alone, whatever is written behind it."""
    token = signed({"alg": "HS256"}, claims(publish=["/mine/*"], subscribe=["/mine/*"]))
    with Peer(guarded) as peer:
        peer.ask("/meta/handshake", version="1.0", supportedConnectionTypes=["websocket"], ext={"token": token})
        for channel in ("/mine/a/b", "/mine", "/minea", "/Mine/a", "/mine/../closed", "/closed/mine/a", "/**"):
            reply = peer.ask(channel, data=1, ext={"token": token})
            assert not reply["successful"], reply
        assert peer.ask("/mine/a", data=1, ext={"token": token})["successful"]


def test_admin_pages(guarded):
    """A token that is not the administrator's, and one that says so in other words, see nothing of them."""
    for admin in (None, False, "true", 1, ["true"]):
        token = signed({"alg": "HS256"}, claims(admin=admin))
        for path in ("/admin/sessions", "/admin/channels", "/admin/stats", "/admin/../admin/stats", "/metrics"):
            with Wire(guarded.port) as wire:
                status = wire.ask(request("GET", path, f"Authorization: Bearer {token}"))
                assert status in (401, 403, 404), (admin, path, status)
