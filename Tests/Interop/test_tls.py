"""TLS: curl and WebSockets over it, certificates that are replaced while connections go on, clients' certificates."""

import contextlib
import json
import operator
import os
import re
import signal
import socket
import ssl
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from xml.etree import ElementTree

import pytest
from websockets.sync.client import connect

from broker import PATIENCE
from certificates import Authority
from secure_broker import SecureBroker
from wire import Wire


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def secure(tmp_path, authority):
    broker = SecureBroker(tmp_path, authority).start()
    try:
        yield broker
        broker.stop()
    finally:
        broker.kill()


def test_curl(secure):
    url = f"https://localhost:{secure.tls_port}/channels/tls"
    command = ["curl", "-sS", "--cacert", secure.authority.certificate, "-d", "1", url]
    result = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE)
    assert result.returncode == 0, result.stderr
    assert '"channel":"/tls"' in result.stdout


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_old_versions_are_refused(secure):
    context = secure.context()
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with socket.create_connection(("127.0.0.1", secure.tls_port), PATIENCE) as plain, pytest.raises(ssl.SSLError):
        context.wrap_socket(plain, server_hostname="localhost")


def test_failed_handshakes_are_counted(secure):
    def rejected():
        return secure.samples()['fanfare_connections_rejected_total{reason="tls"}']

    with socket.create_connection(("127.0.0.1", secure.tls_port), PATIENCE) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        # It is answered with an alert, or with a reset that overtakes that.
        with contextlib.suppress(ConnectionResetError):
            plain.recv(1)
    secure.wait_for_sample('fanfare_connections_rejected_total{reason="tls"}', 1)
    # Who does not trust the broker says so.
    with socket.create_connection(("127.0.0.1", secure.tls_port), PATIENCE) as plain, pytest.raises(ssl.SSLError):
        ssl.create_default_context().wrap_socket(plain, server_hostname="localhost")
    deadline = time.monotonic() + PATIENCE
    while rejected() != 2:
        assert time.monotonic() < deadline
    # Who only looks whether the port is open is not refused.
    socket.create_connection(("127.0.0.1", secure.tls_port), PATIENCE).close()
    secure.subject()
    assert rejected() == 2


def test_there_is_no_handshake_beyond_a_limit(tmp_path, authority):
    """It would cost more than the answer is worth: the connection ends before anything of it is looked at."""
    limits = ["trusted-proxies: [127.0.0.1]", "metrics: all", "rates: {loopback: true}"]
    broker = SecureBroker(tmp_path, authority, *limits, "limits: {connections-per-address: 1}").start()
    rejected = 'fanfare_connections_rejected_total{reason="%s"}'
    try:
        with Wire(broker.tls_port, address="127.0.0.2") as first:
            with broker.context().wrap_socket(first.socket, server_hostname="localhost"):
                with Wire(broker.tls_port, address="127.0.0.2") as second:
                    assert second.read_to_end() == b""
        found = broker.samples()
        assert [found[rejected % reason] for reason in ("address", "handshake", "tls")] == [1, 0, 0]
        broker.stop()
    finally:
        broker.kill()


def test_handshakes_wait_for_the_share_of_their_address(tmp_path, authority):
    """An address that has had its time gets no signature before it may have more; others do, and nothing is lost."""
    # Each event loop gives it a share of its own.
    rates = "rates: {loopback: true, work-per-address: 2ms/h burst 2ms}"
    deadlines = "timeouts: {handshake: 5m}"
    options = ["threads: 1", "trusted-proxies: [127.0.0.1]", "metrics: all", rates, deadlines]
    broker = SecureBroker(tmp_path, authority, *options).start()

    def agree(wire):
        return broker.context().wrap_socket(wire.socket, server_hostname="localhost")

    try:
        with contextlib.ExitStack() as stack:
            wires = [stack.enter_context(Wire(broker.tls_port, address="127.0.0.2")) for _ in range(60)]
            pool = stack.enter_context(ThreadPoolExecutor(len(wires)))
            agreements = [pool.submit(agree, wire) for wire in wires]
            broker.wait_for_sample('fanfare_rate_limited_total{limit="work"}', 1)
            stranger = stack.enter_context(Wire(broker.tls_port, address="127.0.0.3"))
            stack.enter_context(agree(stranger))
            assert not all(agreement.done() for agreement in agreements)
            config = tmp_path / "fanfare.yaml"
            config.write_text(config.read_text().replace("2ms/h burst 2ms", "off"))
            assert broker.run_owner("reload").returncode == 0
            for agreement in agreements:
                assert ask(stack.enter_context(agreement.result(PATIENCE))) == b"HTTP/1.1 200"
        broker.stop()
    finally:
        broker.kill()


def handshake(websocket):
    websocket.send('[{"channel":"/meta/handshake","version":"1.0","supportedConnectionTypes":["websocket"]}]')
    return websocket.recv(PATIENCE)


def test_certificates_are_replaced(secure):
    """Ten times by signal, while a WebSocket goes on; one that will not do is not taken."""
    url = f"wss://localhost:{secure.tls_port}/bayeux"
    with connect(url, ssl=secure.context(), open_timeout=PATIENCE, proxy=None) as first:
        assert '"successful":true' in handshake(first)
        for number in range(10):
            name = f"number {number}"
            secure.authority.sign(name, secure.certificate, secure.key)
            secure.signal(signal.SIGHUP)
            secure.wait_for_subject(name)
            assert '"successful":true' in handshake(first)
        secure.certificate.write_text("no certificate")
        secure.signal(signal.SIGHUP)
        secure.wait_for_log("there is no certificate in it (PEM)")
        assert secure.subject() == "number 9"
        assert '"successful":true' in handshake(first)


def test_all_listeners_get_their_new_certificates_or_none_does(tmp_path, authority):
    """On SIGHUP, and when the files have changed, of which nobody tells the broker."""
    certificate, key = tmp_path / "other.pem", tmp_path / "other.key"
    authority.sign("first", certificate, key)
    files = f"{{certificate: {certificate}, key: {key}}}"
    line = f'listeners: [{{name: other, listen: "127.0.0.1:0", tls: {files}}}]'
    broker = SecureBroker(tmp_path, authority, line).start()
    try:
        other = broker.told_port("https")
        # What will not do comes first, and the rest at once: the broker may look at any time.
        authority.sign("second", tmp_path / "second.pem", tmp_path / "second.key")
        certificate.write_text("no certificate")
        (tmp_path / "second.pem").replace(broker.certificate)
        (tmp_path / "second.key").replace(broker.key)
        because = f"{certificate}: there is no certificate in it (PEM)"
        broker.signal(signal.SIGHUP)
        assert json.loads(broker.wait_for_log("kept the configuration that holds"))["because"] == because
        told = json.loads(broker.wait_for_log("kept the certificates that are in use"))
        assert (told["level"], told["listener"], told["because"]) == ("error", "other", because)
        assert [broker.subject(), broker.subject(other)] == ["first", "first"]
        authority.sign("second", certificate, key)
        broker.wait_for_log("read the certificate again")
        assert [broker.subject(), broker.subject(other)] == ["second", "second"]
        broker.stop()
    finally:
        broker.kill()


def not_after(certificate):
    """When a certificate ends, as openssl says it, in seconds since 1970."""
    text = subprocess.run(
        ["openssl", "x509", "-noout", "-enddate", "-in", certificate], check=True, capture_output=True, text=True
    ).stdout
    return ssl.cert_time_to_seconds(text.strip().removeprefix("notAfter="))


def test_the_end_of_the_certificate_is_told(secure):
    """The metric is what the certificate in use says, also when it was replaced; the log warns of a near end."""

    def metric():
        return secure.samples()["fanfare_certificate_not_after_timestamp_seconds"]

    first = not_after(secure.certificate)
    assert metric() == first
    told = json.loads(secure.wait_for_log("a certificate ends soon"))
    assert (told["level"], told["listener"]) == ("warning", "tls")
    assert told["ends"] == time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(first))

    secure.authority.sign("renewed", secure.certificate, secure.key, days=90)
    assert secure.run_owner("reload").returncode == 0
    assert secure.subject() == "renewed"
    assert metric() == not_after(secure.certificate) > first + 80 * 86400
    # One that will not do changes nothing.
    secure.certificate.write_text("no certificate")
    assert secure.run_owner("reload").returncode != 0
    assert metric() > first + 80 * 86400
    assert secure.log.read_text().count("a certificate ends soon") == 1


def test_what_sslscan_finds(secure):
    """No old version, no weak cipher, no hole that is known by name."""
    scan = subprocess.run(
        ["sslscan", "--no-colour", "--xml=-", "--show-certificate", "--timeout=30", f"127.0.0.1:{secure.tls_port}"],
        check=True, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    found = ElementTree.fromstring(scan.stdout).find("ssltest")
    enabled = [protocol for protocol in found.iter("protocol") if protocol.get("enabled") == "1"]
    assert [(protocol.get("type"), protocol.get("version")) for protocol in enabled] == [("tls", "1.2"), ("tls", "1.3")]
    ciphers = [tuple(cipher.get(name) for name in ("sslversion", "cipher", "bits")) for cipher in found.iter("cipher")]
    assert {version for version, _, _ in ciphers} == {"TLSv1.2", "TLSv1.3"}
    for version, name, bits in ciphers:
        assert int(bits) >= 128, (version, name, bits)
        assert not re.search("NULL|EXP|RC4|3?DES|MD5|anon|ADH", name), name
        # Forward secrecy with every one of them.
        assert version == "TLSv1.3" or name.startswith("ECDHE-"), name
    assert found.find("renegotiation").get("secure") == "1" or found.find("renegotiation").get("supported") == "0"
    assert all(hole.get("vulnerable") == "0" for hole in found.iter("heartbleed"))


def test_a_large_message_over_tls(secure):
    url = f"wss://localhost:{secure.tls_port}/bayeux"
    with connect(url, ssl=secure.context(), open_timeout=PATIENCE, max_size=None, proxy=None) as client:
        client_id = re.search(r'"clientId":"(\w+)"', handshake(client))[1]
        client.send(f'[{{"channel":"/meta/connect","clientId":"{client_id}","connectionType":"websocket"}}]')
        client.recv(PATIENCE)
        client.send(f'[{{"channel":"/meta/subscribe","clientId":"{client_id}","subscription":"/large"}}]')
        client.recv(PATIENCE)
        payload = "x" * 900_000
        for number in range(20):
            client.send(f'[{{"channel":"/large","data":"{payload}{number}"}}]')
        received = 0
        while received < 20:
            text = client.recv(PATIENCE)
            if '"data"' in text:
                assert text.endswith(f'x{received}"}}]')
                received += 1


def test_clients_need_a_certificate(tmp_path, authority):
    broker = SecureBroker(tmp_path, authority, f"  client-authority: {authority.certificate}").start()
    try:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            # In TLS 1.3 the refusal comes with the first bytes that are read.
            with socket.create_connection(("127.0.0.1", broker.tls_port), PATIENCE) as plain:
                with broker.context().wrap_socket(plain, server_hostname="localhost") as tls:
                    tls.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    assert tls.recv(100) == b"", "refused"
                    raise ConnectionError
        certificate, key = tmp_path / "client.pem", tmp_path / "client.key"
        authority.sign("client", certificate, key)
        context = broker.context()
        context.load_cert_chain(certificate, key)
        with connect(f"wss://localhost:{broker.tls_port}/bayeux", ssl=context, proxy=None) as client:
            assert '"successful":true' in handshake(client)
        broker.stop()
    finally:
        broker.kill()


def answers(broker, certificate=None):
    """Whether a client gets an answer, with one certificate or none; `certificate` is a pair of files."""
    try:
        return answer(broker, certificate) == b"HTTP/1.1 200"
    except (ssl.SSLError, ConnectionError):
        return False


def answer(broker, certificate=None):
    """How the answer to a client begins, which has that certificate or none; throws when it gets none."""
    context = broker.context()
    if certificate:
        context.load_cert_chain(*certificate)
    with socket.create_connection(("127.0.0.1", broker.tls_port), PATIENCE) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as tls:
            return ask(tls)


def ask(tls):
    """How the answer to a request begins. In TLS 1.3 a refused certificate shows with the first bytes that are read."""
    tls.sendall(b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return tls.recv(12)


@pytest.mark.parametrize(
    "mode, expected",
    [
        ("required", {"none": False, "ours": True, "foreign": False}),
        ("optional", {"none": True, "ours": True, "foreign": False}),
        ("none", {"none": True, "ours": True, "foreign": True}),
    ],
)
def test_clients_with_certificates(tmp_path, authority, mode, expected):
    """Who gets in: without a certificate, with one that the authority has signed, with a stranger's."""
    stranger = tmp_path / "stranger"
    stranger.mkdir()
    clients = {"none": None}
    for name, signer in [("ours", authority), ("foreign", Authority(stranger))]:
        clients[name] = (tmp_path / f"{name}.pem", tmp_path / f"{name}.key")
        signer.sign(name, *clients[name])
    lines = [f"  client-authority: {authority.certificate}", f"  client-certificates: {mode}"]
    broker = SecureBroker(tmp_path, authority, *lines).start()
    try:
        assert {name: answers(broker, certificate) for name, certificate in clients.items()} == expected
        broker.stop()
    finally:
        broker.kill()


# `make rehearse` has a hundred.
ROTATIONS = int(os.environ.get("ROTATIONS", "10"))


def test_no_connection_fails_while_certificates_are_replaced(secure):
    """Clients connect without a pause, each with a request, while the certificate is replaced again and again."""
    stopped, failures, count, counted = threading.Event(), [], [0] * 4, threading.Condition()

    def connect_again_and_again(number):
        while not stopped.is_set():
            try:
                if (start := answer(secure)) != b"HTTP/1.1 200":
                    failures.append(start)
            except OSError as error:
                failures.append(error)
            with counted:
                count[number] += 1
                counted.notify()

    clients = [threading.Thread(target=connect_again_and_again, args=(number,)) for number in range(len(count))]
    for client in clients:
        client.start()
    try:
        for rotation in range(ROTATIONS):
            name = f"rotation {rotation}"
            secure.authority.sign(name, secure.certificate, secure.key)
            secure.signal(signal.SIGHUP)
            secure.wait_for_subject(name)
            with counted:
                # The first of them may have begun before that.
                least = [so_far + 2 for so_far in count]
                is_served = counted.wait_for(lambda least=least: all(map(operator.ge, count, least)), PATIENCE)
                assert is_served, count
    finally:
        stopped.set()
        for client in clients:
            client.join(PATIENCE)
    assert failures == []


@pytest.mark.parametrize(
    "name, text, message",
    [
        ("certificate", None, "the file cannot be read"),
        ("certificate", "nothing", "there is no certificate in it (PEM)"),
        ("key", "nothing", "there is no key in it (PEM)"),
        ("key", "other", "it is not the key of the certificate in"),
    ],
)
def test_files_that_will_not_do(tmp_path, authority, name, text, message):
    broker = SecureBroker(tmp_path, authority)
    file = getattr(broker, name)
    if text is None:
        file.unlink()
    elif text == "other":
        authority.sign("other", tmp_path / "unused.pem", file)
    else:
        file.write_text(text)
    with pytest.raises(AssertionError, match="the output ended"):
        broker.start()
    assert broker.wait() == 78
    assert f"broker-server: {file}: {message}" in broker.log.read_text()
