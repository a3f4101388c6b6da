"""Hostile servers, and what the command line's client does about them: it gives up in time, and obeys nothing."""

import contextlib
import json
import re
import socket

import pytest

from acceptor import Acceptor
from hostile import (
    HANDSHAKE_TIMEOUT, SLACK, SWITCHING, Server, accepted, cli, cli_on_a_terminal, drip, dripping, peer_frame, publish,
)  # fmt: skip
from wire import bomb


@pytest.mark.long
@pytest.mark.parametrize(
    "beginning",
    [b"", b"HTTP/1.1 101 Switching Protocols\r\nX: ", b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 1000000\r\n\r\n"],
    ids=["a status line", "a field", "a body"],
)
def test_a_head_that_drips(beginning):
    with Server(dripping(beginning, b"HTTP/1.1 200 O" if not beginning else b"x")) as server:
        seconds, run = publish(server.port)
        assert seconds < HANDSHAKE_TIMEOUT + SLACK, "each byte is no reason to wait longer"
        assert run.returncode in (69, 77), run.stderr


def test_a_head_without_end():
    def talk(connection, _):
        connection.sendall(SWITCHING.encode())
        while True:
            connection.sendall(b"X: y\r\n" * 1000)

    with Server(talk) as server:
        seconds, run = publish(server.port)
        assert (run.returncode, seconds < HANDSHAKE_TIMEOUT + SLACK) == (69, True), run.stderr


@pytest.mark.long
def test_a_server_that_says_nothing():
    with Server(lambda connection, _: connection.recv(1)) as server:
        seconds, run = publish(server.port)
        assert (run.returncode, seconds < HANDSHAKE_TIMEOUT + SLACK) == (69, True), run.stderr


@pytest.mark.long
def test_tls_that_drips():
    """A record's header announces more than ever comes."""
    def serve(connection):
        with connection, contextlib.suppress(OSError):
            connection.recv(1000)
            connection.sendall(b"\x16\x03\x03\x40\x00\x02")
            drip(connection, b"\0")

    with Acceptor(serve) as server:
        seconds, run = cli("--url", server.url("/bayeux", "https"), "publish", "/a", "1")
    assert (run.returncode, seconds < HANDSHAKE_TIMEOUT + SLACK) == (69, True), run.stderr


@pytest.mark.parametrize("status", ["301 Moved Permanently", "302 Found", "307 Temporary Redirect"])
def test_redirects_are_not_followed(status):
    """Nor is a word of what they say taken over, whatever control characters are in it."""
    with Server(lambda connection, _: connection.recv(1)) as elsewhere:
        target = elsewhere.url("/bayeux")

        def talk(connection, _):
            location = f"Location: {target}\rX: y\nZ: \x1b[2J\r\n"
            connection.sendall(f"HTTP/1.1 {status}\r\n{location}Content-Length: 0\r\n\r\n".encode())

        with Server(talk) as server:
            seconds, run = publish(server.port, FANFARE_TOKEN="secret")
            assert run.returncode == 69, run.stderr
            assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", run.stderr), ascii(run.stderr)
    assert elsewhere.heads == [], "no token goes elsewhere"


@pytest.mark.parametrize("reason", ["OK\x1b[31mred", "OK\x07", "\x00", "a\tb", "\u009b2J"])
def test_reasons_do_not_reach_the_terminal(reason):
    def talk(connection, _):
        connection.sendall(f"HTTP/1.1 500 {reason}\r\nContent-Length: 0\r\n\r\n".encode())

    with Server(talk) as server:
        _, run = publish(server.port)
        assert run.returncode == 69, run.stderr
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]", run.stderr), ascii(run.stderr)


def test_tables_do_not_reach_the_terminal():
    """Nor is there a row that is none."""
    session = {"id": "a\x1b[2J\u009b2J\u202e\nforged\r\t", "state": "open"}
    body = json.dumps({"sessions": [session]})

    def talk(connection, _):
        connection.sendall(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())

    with Server(talk) as server:
        text = cli_on_a_terminal("--url", server.url("/bayeux"), "sessions", "list")
    title, row = text.replace("\r\n", "\n").splitlines()
    assert title.startswith("ID ") and "forged" in row
    assert not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e]", title + row), ascii(text)


EXTENSIONS = [
    "permessage-deflate; server_max_window_bits=99", "permessage-deflate; server_max_window_bits=7",
    "permessage-deflate; server_max_window_bits=16", "permessage-deflate; server_max_window_bits=0",
    "permessage-deflate; server_max_window_bits=-1", "permessage-deflate; server_max_window_bits=1e1",
    "permessage-deflate; server_max_window_bits=010", "permessage-deflate; server_max_window_bits",
    "permessage-deflate; server_max_window_bits=18446744073709551625",
    "permessage-deflate; client_max_window_bits=99", "permessage-deflate; client_no_context_takeover=1",
    "permessage-deflate; unknown", "permessage-deflate, permessage-deflate", "permessage-bzip2", ";", "=", '"',
    "permessage-deflate; server_max_window_bits=10; server_max_window_bits=10",
]  # fmt: skip


@pytest.mark.parametrize("extensions", EXTENSIONS)
def test_negotiations_that_nobody_offered(extensions):
    """An error that says so, with the status for it; not a crash, and no connection."""
    def talk(connection, head):
        connection.sendall(accepted(head, f"Sec-WebSocket-Extensions: {extensions}"))
        connection.recv(65536)

    with Server(talk) as server:
        seconds, run = publish(server.port)
        assert (run.returncode, seconds < SLACK) == (69, True), run.stderr
        assert run.stderr.startswith("broker-cli: ") and run.stderr.count("\n") == 1


@pytest.mark.parametrize(
    "fields",
    [["Sec-WebSocket-Protocol: other"], ["Sec-WebSocket-Accept: AAAAAAAAAAAAAAAAAAAAAAAAAAA="], ["X:\x00"], ["X : y"]],
)
def test_answers_that_do_not_fit(fields):
    with Server(lambda connection, head: connection.sendall(accepted(head, *fields))) as server:
        _, run = publish(server.port)
        assert run.returncode == 69, run.stderr


@pytest.mark.parametrize(
    "data",
    [
        peer_frame(0x81, length=1 << 63), peer_frame(0x81, length=(1 << 64) - 1), peer_frame(0x81, length=1 << 40),
        peer_frame(0x83), peer_frame(0x89, b"x" * 126), peer_frame(0x80), b"\x81\x80\0\0\0\0",
        peer_frame(0x81, b"\xff"), peer_frame(0xC1, b"\xff" * 20), peer_frame(0x88, b"\x03"),
    ],
    ids=["2^63", "2^64-1", "2^40", "opcode", "ping", "continuation", "mask", "utf-8", "deflate", "close"],
)  # fmt: skip
def test_frames_of_a_server(data):
    def talk(connection, head):
        connection.sendall(accepted(head, "Sec-WebSocket-Extensions: permessage-deflate") + data)
        while connection.recv(65536):
            pass

    with Server(talk) as server:
        seconds, run = publish(server.port)
        assert run.returncode == 69, run.stderr
        assert seconds < HANDSHAKE_TIMEOUT + SLACK


def test_a_bomb_of_a_server():
    """Half a gigabyte in half a megabyte: refused by a client that may not take so much memory."""
    packed = bomb(512 << 20)

    def talk(connection, head):
        connection.sendall(accepted(head, "Sec-WebSocket-Extensions: permessage-deflate") + peer_frame(0xC1, packed))
        while connection.recv(65536):
            pass

    with Server(talk) as server:
        _, run = publish(server.port, memory=384)
        assert run.returncode in (65, 69), run.stderr
        assert "1009" in run.stderr or "too" in run.stderr, run.stderr


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:1/a\r\nX: y", "http://127.0.0.1:1/a b", "http://127.0.0.1:1\r\n/", "http://a\nb/",
     "http://[::1\r\n]/"],
)
def test_urls_with_line_ends(url):
    """Nothing of a request can be written by a URL."""
    for arguments in (["--url", url, "publish", "/a", "1"], ["--url", url, "channels"]):
        _, run = cli(*arguments)
        assert run.returncode == 64, run.stderr


@pytest.mark.parametrize("token", ["a\r\nX: y", "a\nb", "a\x00b", "a b\r"])
def test_tokens_with_line_ends(tmp_path, token):
    """Whatever comes of it, there is no field that a token has written."""
    file = tmp_path / "token"
    file.write_bytes(token.encode())
    file.chmod(0o600)

    def talk(connection, head):
        connection.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")

    for command in (["publish", "/a", "1"], ["channels"], ["sessions"]):
        with Server(talk) as server:
            _, run = cli("--url", server.url("/bayeux"), "--token-file", file, *command)
            assert run.returncode not in (0, -4, -5, -11), run.stderr
            assert not any(re.search(r"(?m)^X: y|^b\r?$", head) for head in server.heads), server.heads


def test_channels_with_line_ends(tmp_path):
    with Server(lambda connection, _: connection.sendall(b"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n")) as server:
        for command in (["history", "/a\r\nX: y"], ["retained", "get", "/a\r\nX: y"]):
            _, run = cli("--url", server.url("/bayeux"), *command)
            assert run.returncode not in (0, -4, -5, -11), run.stderr
        assert not any("\nX: y" in head for head in server.heads), server.heads


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 100_000, b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000, b"\x00" * 100,
        b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\n\r\n", b"HTTP/1.1 407 \x1b[2J\r\n\r\n",
    ],
    ids=["long", "many", "nothing", "redirect", "escape"],
)  # fmt: skip
def test_answers_of_a_proxy(answer):
    def talk(connection, _):
        connection.sendall(answer)
        connection.recv(1)

    with Server(talk) as proxy:
        seconds, run = publish(1, "--proxy", proxy.url(""))
        assert (run.returncode, seconds < HANDSHAKE_TIMEOUT + SLACK) == (69, True), run.stderr
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f]", run.stderr), ascii(run.stderr)


@pytest.mark.long
def test_a_proxy_that_drips():
    with Server(dripping(b"HTTP/1.1 200 OK\r\nX: ", b"x")) as proxy:
        seconds, run = publish(1, "--proxy", proxy.url(""))
        assert (run.returncode, seconds < HANDSHAKE_TIMEOUT + SLACK) == (69, True), run.stderr


def test_messages_do_not_reach_the_terminal():
    """What a server says of a subscription is shown without a control character of it."""
    client = "0123456789abcdef0123456789abcde"
    hello = {"channel": "/meta/handshake", "successful": True, "version": "1.0", "clientId": client, "id": "1",
             "supportedConnectionTypes": ["websocket"], "advice": {"reconnect": "retry", "interval": 0}}  # fmt: skip

    def exactly(connection, count):
        data = connection.recv(count, socket.MSG_WAITALL)
        if len(data) < count:
            raise ConnectionError
        return data

    def reply(connection):
        """Answer whatever comes: the handshake well, all else with a refusal that is no text for people."""
        first, second = exactly(connection, 2)
        if first & 0x0F == 8:  # It says goodbye.
            raise ConnectionError
        size = second & 0x7F
        if size == 126:
            size = int.from_bytes(exactly(connection, 2), "big")
        mask = exactly(connection, 4)
        text = bytes(byte ^ mask[number % 4] for number, byte in enumerate(exactly(connection, size))).decode()
        for message in json.loads(text):
            refusal = {"channel": message["channel"], "id": message.get("id"), "successful": False,
                       "clientId": client, "error": "403:\x1b[2J\x07:\x9bDenied"}  # fmt: skip
            answer = hello | {"id": message.get("id")} if message["channel"] == "/meta/handshake" else refusal
            connection.sendall(peer_frame(0x81, json.dumps([answer]).encode()))

    def talk(connection, head):
        connection.sendall(accepted(head))
        while True:
            reply(connection)

    with Server(talk) as server:
        url = server.url("/bayeux")
        seconds, run = cli("--url", url, "subscribe", "/a", "--timeout", "30")
        assert run.returncode not in (0, -4, -5, -11)
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f\x80-\x9f]", run.stdout + run.stderr), ascii(run.stderr)
        assert "Denied" in run.stderr, (seconds, run.stderr)
