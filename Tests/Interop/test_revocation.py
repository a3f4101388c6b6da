"""Rights that are taken back, or were another's, stay so: over restarts, in sessions that are kept."""

import json
import subprocess
import time

import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import connect

from broker import PATIENCE, PROGRAMS
from guarded import GRANTED, guarding
from kept_connection import ask
from tokens import bearer, token
from transports import ALL, LongPolling, WebSocket


@pytest.fixture
def guarded(tmp_path):
    with guarding(tmp_path) as broker:
        yield broker


def revoke(broker, *arguments):
    command = [PROGRAMS / "broker-server", "revoke", *arguments, "--database", broker.database]
    return subprocess.run(command, check=True, capture_output=True, encoding="utf-8", timeout=PATIENCE).stdout


def test_revoked_is_revoked_for_good(guarded):
    old = token("carol", **GRANTED)
    # Of a clock that is ahead: it says that it is of a time after the revocation.
    ahead = token("carol", iat=int(time.time()) + 3, **GRANTED)
    with ALL[0](guarded) as live, ALL[0](guarded) as other, LongPolling(guarded) as away:
        live.handshake(ext={"token": old})
        other.handshake(ext={"token": token("dave", **GRANTED)})
        away.handshake(ext={"token": old})
        for client in (live, other):
            assert client.connect()["successful"]
            client.subscribe("/closed/news")
        away.subscribe("/closed/news")
        stale = away.client_id
        assert "carol" in revoke(guarded, "--subject", "carol")
        with pytest.raises(ConnectionClosed):
            while live.receive():
                pass
        assert ask(guarded, "POST", "/channels/closed/news", "1", **bearer("dave", **GRANTED))[0] == 200
        assert other.take(1)[0]["data"] == 1
    # The durable session and what is retained: nothing for the old token, also after a restart.
    guarded.stop()
    guarded.start()
    headers = {"Authorization": "Bearer " + old}
    with LongPolling(guarded) as back:
        back.client_id = stale
        reply = back.connect(ext={"token": old})
        assert not reply["successful"] and not back.inbox, reply
    assert ask(guarded, "GET", "/channels/closed/news", **headers)[0] == 401
    assert ask(guarded, "GET", "/channels/closed/news", Accept="text/event-stream", **headers)[0] == 401
    assert ask(guarded, "GET", "/channels/closed/news", Authorization="Bearer " + ahead)[0] == 401
    # One that was made later is good, until it is revoked itself.
    status, deadline = 401, time.monotonic() + PATIENCE
    while status != 200:
        assert status == 401 and time.monotonic() < deadline
        fresh = bearer("carol", jti="kept", iat=int(time.time()) + 4, **GRANTED)
        status = ask(guarded, "GET", "/channels/closed/news", **fresh)[0]
    revoke(guarded, "--token-id", "kept")
    assert ask(guarded, "GET", "/channels/closed/news", **fresh)[0] == 401


def refusal(url, **options):
    """The status and the text that a handshake of a WebSocket is refused with."""
    with pytest.raises(InvalidStatus) as refused:
        connect(url, proxy=None, open_timeout=PATIENCE, **options)
    response = refused.value.response
    return response.status_code, response.body.decode()


def test_a_revoked_token_opens_no_door(guarded):
    """No ticket and no WebSocket comes of it, nor of tickets that it got; what its owner may have is left to them."""
    stolen, own = (token("erin", jti=name, **GRANTED) for name in ("stolen", "own"))
    url, fields = guarded.url("/bayeux", "ws"), {"Authorization": "Bearer " + stolen}
    tickets = [json.loads(ask(guarded, "POST", "/tickets", **fields)[1])["ticket"] for _ in range(2)]
    revoke(guarded, "--token-id", "stolen")
    # As many as a subject may have.
    for _ in range(100):
        status, text = ask(guarded, "POST", "/tickets", **fields)
        assert (status, json.loads(text)["detail"]) == (401, "Token revoked")
    assert ask(guarded, "POST", "/tickets", Authorization="Bearer " + own)[0] == 201
    assert refusal(url, additional_headers=fields) == (401, "Token revoked")
    assert refusal(url, subprotocols=["fanfare", "fanfare.bearer." + stolen]) == (401, "Token revoked")
    assert refusal(f"{url}?ticket={tickets[0]}") == (401, "Token revoked")
    stream = f"/channels/closed/news?ticket={tickets[1]}"
    status, text = ask(guarded, "GET", stream, Accept="text/event-stream")
    assert (status, json.loads(text)["detail"]) == (401, "401::Token revoked")
    with connect(url, proxy=None, open_timeout=PATIENCE, subprotocols=["fanfare", "fanfare.bearer." + own]) as socket:
        assert socket.subprotocol == "fanfare"


def test_what_a_revoked_publisher_has_left_is_cleared(guarded):
    """It stays retained, since it is the channel's; an administrator clears it, by pattern."""
    for channel in ("a", "b/c"):
        assert ask(guarded, "POST", f"/channels/closed/{channel}", "1", **bearer("mallory", **GRANTED))[0] == 200
    assert ask(guarded, "POST", "/channels/open/kept?retain=true", "1")[0] == 200
    revoke(guarded, "--subject", "mallory")
    reader, administrator = bearer("alice", **GRANTED), token("root", admin=True)
    assert ask(guarded, "GET", "/channels/closed/b/c", **reader)[0] == 200
    assert guarded.run_cli("retained", "clear", "/closed/**").returncode == 77
    clearing = guarded.run_cli("--token", administrator, "retained", "clear", "/closed/**", "/open/none")
    assert (clearing.returncode, clearing.stderr) == (0, "")
    for channel in ("a", "b/c"):
        assert ask(guarded, "GET", f"/channels/closed/{channel}", **reader)[0] == 404
    with WebSocket(guarded) as client:
        client.handshake(ext={"token": token("alice", **GRANTED)})
        assert client.connect()["successful"]
        client.subscribe("/closed/**")
        assert ask(guarded, "POST", "/channels/closed/a", "2", **reader)[0] == 200
        assert [message["data"] for message in client.take(1)] == [2]
    assert ask(guarded, "GET", "/channels/open/kept")[0] == 200


def test_the_database_restores_no_session_that_may_not_be(guarded):
    """A session of before a restart goes on with its token; without one it begins anew, and gets nothing."""
    clients = [LongPolling(guarded), LongPolling(guarded)]
    for client in clients:
        client.handshake(ext={"token": token(**GRANTED)})
        client.subscribe("/closed/news")
        client.close()
    guarded.stop()
    guarded.start()
    assert ask(guarded, "POST", "/channels/closed/news", "1", **bearer(**GRANTED))[0] == 200
    with LongPolling(guarded) as stranger, LongPolling(guarded) as owner:
        (stranger.client_id, owner.client_id) = [client.client_id for client in clients]
        reply = stranger.connect()
        assert reply["error"].startswith("401:") and reply["advice"]["reconnect"] == "handshake"
        assert not stranger.inbox
        while not owner.inbox:
            assert owner.connect(timeout=2000, ext={"token": token(**GRANTED)})["successful"]
        assert owner.take(1)[0]["data"] == 1
