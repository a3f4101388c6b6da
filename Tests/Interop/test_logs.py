"""The log: one JSON object on each line, and no secret of a client in it, whatever was sent in which way."""

import http.client
import json
import urllib.parse

import pytest
from websockets.sync.client import connect

from bayeux import Peer
from broker import PATIENCE, Broker
from kept_connection import ask
from tokens import SECRET, bearer, token
from transports import ALL

PAYLOAD = "PAYLOADxPAYLOAD"
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def lines(broker):
    """What the log holds so far."""
    return [json.loads(line) for line in broker.log.read_text().splitlines()]


@pytest.fixture(params=["trace", "debug"])
def talkative(request, tmp_path):
    """A broker that logs all it can, and takes tokens."""
    (tmp_path / "secret").write_text(SECRET + "\n")
    (tmp_path / "fanfare.yaml").write_text(f"auth:\n  keys: [{tmp_path / 'secret'}]\nlimits:\n  message-bytes: 65536\n")
    options = ["--log-level", request.param, "--config", tmp_path / "fanfare.yaml"]
    broker = Broker(tmp_path / "fanfare.db", tmp_path / "broker.log", *options).start()
    try:
        yield broker
    finally:
        broker.kill()


def raw(broker, data):
    """Bytes as they are; what comes back is not looked at."""
    connection = http.client.HTTPConnection("127.0.0.1", broker.port, timeout=PATIENCE)
    connection.connect()
    connection.sock.sendall(data)
    connection.sock.recv(65536)
    connection.close()


def test_no_secret_is_in_the_log(talkative):
    """Good and bad input over every way in, each with a payload, a token and a client id that can be told."""
    secrets = [PAYLOAD, SECRET]
    good = token(subject="alice", publish=["/**"], subscribe=["/**"])
    bad = token(subject="alice", seconds=-5)
    secrets += [good, bad, good.split(".")[2], bad.split(".")[2]]
    message = {"channel": "/log/a", "data": PAYLOAD, "ext": {"token": good, "traceparent": TRACE}}
    for transport in ALL:
        with transport(talkative) as client:
            for ext in ({"token": good}, {"token": bad}, {"token": 7}):
                replies = client.ask(
                    {
                        "channel": "/meta/handshake",
                        "version": "1.0",
                        "supportedConnectionTypes": ["websocket", "long-polling", "callback-polling"],
                        "ext": ext,
                    }
                )
                secrets += [reply["clientId"] for reply in replies if "clientId" in reply]
            client.ask({**message, "id": "1"})
    with Peer(talkative) as peer:
        for text in ("{" + PAYLOAD, f'[{{"channel":"{PAYLOAD}","clientId":"{good}"}}]', "[" * 200 + PAYLOAD):
            peer.socket.send(text)
        peer.socket.send(PAYLOAD.encode())
    with connect(talkative.url("/bayeux", "ws"), subprotocols=["fanfare", "fanfare.bearer." + good], proxy=None):
        pass
    for headers in (bearer(), bearer(seconds=-5), {"Authorization": "Bearer " + PAYLOAD}):
        secrets.append(headers["Authorization"].split()[1])
        ask(talkative, "POST", "/channels/log/a", f'"{PAYLOAD}"', traceparent=TRACE, **headers)
        ask(talkative, "POST", "/channels/log/a?retain=true", f'"{PAYLOAD}"', **headers)
        ask(talkative, "POST", "/channels/log/a", PAYLOAD, **headers)
        ask(talkative, "POST", "/bayeux", PAYLOAD, Content_Type="application/json", **headers)
        status, ticket = ask(talkative, "POST", "/tickets", **headers)
        if status == 200:
            secrets.append(json.loads(ticket)["ticket"])
    query = urllib.parse.quote(json.dumps(message))
    for batch in (query, PAYLOAD):
        ask(talkative, "GET", f"/bayeux?jsonp=call&message={batch}", Referer=talkative.url())
        ask(talkative, "GET", f"/bayeux?jsonp=call&message={batch}", Referer=f"http://{PAYLOAD}/")
    ask(talkative, "GET", f"/channels/log/a?ticket={PAYLOAD}", Accept="text/event-stream")
    raw(talkative, f"GET /{PAYLOAD} HTTP/1.1\r\n{PAYLOAD}: {good}\r\nHost : x\r\n\r\n".encode())
    raw(talkative, f"{PAYLOAD} {good}\r\n\r\n".encode())
    raw(talkative, b"GET /bayeux HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n")
    talkative.stop()
    text = talkative.log.read_text()
    assert [entry["message"] for entry in lines(talkative)][-1] == "stopped"
    assert TRACE in text, "the log tells of traces, so it is the right log"
    assert [secret for secret in secrets if secret in text] == []


def test_what_repeats_is_written_ten_times_a_second(own_broker):
    """A peer that sends rubbish for ever does not fill the disk."""
    with Peer(own_broker) as peer:
        for _ in range(500):
            peer.socket.send("rubbish")
        peer.listen("/a")
    own_broker.stop()
    found = [entry for entry in lines(own_broker) if entry["message"] == "ignored a message that is no Bayeux batch"]
    seconds = {entry["time"][:19] for entry in found}
    assert 10 <= len(found) <= 10 * len(seconds)


def test_text_for_people(tmp_path):
    broker = Broker(tmp_path / "fanfare.db", tmp_path / "broker.log", "--config", tmp_path / "fanfare.yaml")
    (tmp_path / "fanfare.yaml").write_text("log-format: text\n")
    try:
        broker.start()
        broker.stop()
    finally:
        broker.kill()
    last = broker.log.read_text().splitlines()[-1].split(" ")
    assert last[1:] == ["info", "stopped"]
    assert last[0].endswith("Z")


@pytest.mark.parametrize("kept", ["", "?retain=true"])
def test_a_trace_goes_from_a_publisher_to_subscribers(broker, kept):
    with Peer(broker) as peer:
        peer.listen("/trace/http")
        assert ask(broker, "POST", "/channels/trace/http" + kept, "1", traceparent=TRACE)[0] == 200
        assert peer.next_message("/trace/http")["ext"]["traceparent"] == TRACE
        assert ask(broker, "POST", "/channels/trace/http" + kept, "2", traceparent=TRACE.upper())[0] == 200
        assert "traceparent" not in peer.next_message("/trace/http").get("ext", {})
        peer.publish("/trace/http", 3, ext={"traceparent": TRACE, "retain": bool(kept)})
        assert peer.next_message("/trace/http")["ext"]["traceparent"] == TRACE
        peer.leave()


def test_a_trace_comes_with_event_streams(broker):
    connection = http.client.HTTPConnection("127.0.0.1", broker.port, timeout=PATIENCE)
    connection.request("GET", "/channels/trace/stream", headers={"Accept": "text/event-stream"})
    stream = connection.getresponse()
    assert stream.status == 200
    ask(broker, "POST", "/channels/trace/stream", "1", traceparent=TRACE)
    while not (line := stream.readline()).startswith(b"data:"):
        assert line
    assert TRACE in line.decode()
    connection.close()
