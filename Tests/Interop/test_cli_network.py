"""broker-cli on the way to the broker: TLS, a proxy with a password, credentials, connections that break."""

import contextlib
import email.utils
import json
import os
import re
import socket
import ssl
import subprocess
import threading
import time

import pytest
from websockets.sync.server import serve

from acceptor import Acceptor, end
from broker import PATIENCE, PROGRAMS
from certificates import Authority, self_signed
from others import tinyproxy


class Forwarder(Acceptor):
    """Takes connections, with TLS if there is a context, and forwards them to a port; `change` sees what comes back."""

    def __init__(self, port, context=None, change=None):
        self._target = port
        self._context = context
        self._change = change
        self._open = []
        super().__init__(self._forward)

    def _forward(self, client):
        try:
            if self._context:
                client = self._context.wrap_socket(client, server_side=True)
            target = socket.create_connection(("127.0.0.1", self._target))
        except OSError:
            client.close()
            return
        self._open += [client, target]
        back = threading.Thread(target=self._copy, args=(target, client, self._change), daemon=True)
        back.start()
        self._copy(client, target)
        back.join()
        client.close()
        target.close()

    @staticmethod
    def _copy(source, sink, change=None):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(change(data) if change else data)
        end(source)
        end(sink)

    def break_connections(self):
        """Every connection is ended."""
        for connection in self._open:
            end(connection)

    def close(self):
        super().close()
        self.break_connections()
        self.join()


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for localhost and 127.0.0.1, which is its own authority."""
    file, key = self_signed(tmp_path_factory.mktemp("certificate"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    return file, context


def run(*arguments, environment=None, input=""):
    variables = {name: value for name, value in os.environ.items() if "proxy" not in name.lower()}
    return subprocess.run(
        [PROGRAMS / "broker-cli", *map(str, arguments)], capture_output=True, text=True, timeout=PATIENCE, check=False,
        input=input, env=variables | (environment or {}),
    )


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
@pytest.mark.parametrize("scheme", ["https", "wss"])
def test_tls(broker, certificate, scheme, host):
    file, context = certificate
    forwarder = Forwarder(broker.port, context)
    url = f"{scheme}://{host}:{forwarder.port}/bayeux"
    channel = f"/tls/{scheme}/{len(host)}"
    result = run("--url", url, "--ca", file, "publish", channel, "1", "--retain")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    # The flag is not needed; plain HTTP goes the same way.
    result = run("--url", url, "retained", "get", channel, environment={"FANFARE_CA": str(file)})
    assert (result.returncode, result.stdout, result.stderr) == (0, "1\n", "")
    forwarder.close()


def test_certificate_of_the_client(broker, certificate):
    """Who stands before the broker asks for a certificate, and lets in only who shows a good one."""
    file, _ = certificate
    key = file.with_suffix(".key")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    context.load_verify_locations(file)
    context.verify_mode = ssl.CERT_REQUIRED
    forwarder = Forwarder(broker.port, context)
    options = ["--url", f"https://localhost:{forwarder.port}/bayeux", "--ca", file]
    result = run(*options, "publish", "/tls/client", "1", "--cert", file, "--key", key)
    assert (result.returncode, result.stderr) == (0, "")
    result = run(*options, "retained", "list", environment={"FANFARE_CERT": str(file), "FANFARE_KEY": str(key)})
    assert (result.returncode, result.stderr) == (0, "")
    result = run(*options, "publish", "/tls/client", "1")
    assert result.returncode == 69
    assert "certificate required" in result.stderr
    result = run(*options, "publish", "/tls/client", "1", "--cert", file)
    assert (result.returncode, result.stderr) == (
        69, f"broker-cli: {options[1]}: {file}, {file}: the client's certificate and its key cannot be read\n"
    )
    forwarder.close()


def test_unknown_authority(broker, certificate):
    forwarder = Forwarder(broker.port, certificate[1])
    url = f"https://localhost:{forwarder.port}/bayeux"
    result = run("--url", url, "publish", "/tls", "1")
    reason = "the certificate is from no authority that is trusted here, or has ended"
    assert (result.returncode, result.stderr) == (69, f"broker-cli: {url}: {reason}\n")
    forwarder.close()


def test_another_host(broker, tmp_path):
    authority, file, key = Authority(tmp_path), tmp_path / "elsewhere.pem", tmp_path / "elsewhere.key"
    authority.sign("elsewhere", file, key, extension="subjectAltName=DNS:elsewhere.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file, key)
    forwarder = Forwarder(broker.port, context)
    url = f"https://localhost:{forwarder.port}/bayeux"
    result = run("--url", url, "--ca", authority.certificate, "publish", "/tls", "1")
    reason = "the certificate does not name this host"
    assert (result.returncode, result.stderr) == (69, f"broker-cli: {url}: {reason}\n")
    forwarder.close()


def test_no_tls_there(broker):
    url = f"https://localhost:{broker.port}/bayeux"
    result = run("--url", url, "publish", "/tls", "1")
    reason = "what listens there does not speak TLS"
    assert (result.returncode, result.stderr) == (69, f"broker-cli: {url}: {reason}\n")


@pytest.fixture(scope="module")
def proxy(tmp_path_factory):
    with tinyproxy(tmp_path_factory.mktemp("proxy")) as proxy:
        yield proxy


def test_through_a_proxy(broker, proxy):
    port, log = proxy
    url = f"http://127.0.0.1:{broker.port}/bayeux"
    environment = {"http_proxy": f"http://user:pa.ss@127.0.0.1:{port}"}
    result = run("--url", url, "publish", "/proxied", "1", "--retain", environment=environment)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    result = run("--url", url, "retained", "get", "/proxied", environment=environment)
    assert (result.returncode, result.stdout, result.stderr) == (0, "1\n", "")
    assert log.read_text().count("CONNECT") >= 2


def test_tls_through_a_proxy(broker, proxy, certificate):
    forwarder = Forwarder(broker.port, certificate[1])
    result = run(
        "--url", f"https://localhost:{forwarder.port}/bayeux", "publish", "/proxied/tls", "1",
        environment={"https_proxy": f"127.0.0.1:{proxy[0]}".replace("127", "user:pa.ss@127"),
                     "FANFARE_CA": str(certificate[0])},
    )
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    forwarder.close()


def test_the_proxy_refuses(broker, proxy):
    url = f"http://127.0.0.1:{broker.port}/bayeux"
    environment = {"http_proxy": f"http://user:wrong@127.0.0.1:{proxy[0]}"}
    result = run("--url", url, "publish", "/proxied", "1", environment=environment)
    assert result.returncode == 69
    assert result.stderr.startswith(f"broker-cli: {url}: the proxy: the proxy has answered with status 40")
    # Not asked for what it is not for.
    result = run("--url", url, "publish", "/proxied", "1", environment=environment | {"no_proxy": "127.0.0.1"})
    assert (result.returncode, result.stderr) == (0, "")


def test_the_proxy_by_a_flag(broker, proxy):
    """--proxy, FANFARE_PROXY and a profile win over the common variables; `none` is no proxy."""
    port, log = proxy
    url = f"http://127.0.0.1:{broker.port}/bayeux"
    good, wrong = f"http://user:pa.ss@127.0.0.1:{port}", f"http://user:wrong@127.0.0.1:{port}"
    before = log.read_text().count("CONNECT")
    result = run("--url", url, "publish", "/proxied", "1", "--proxy", good,
                 environment={"http_proxy": wrong, "no_proxy": "*"})
    assert (result.returncode, result.stderr) == (0, "")
    assert log.read_text().count("CONNECT") > before
    result = run("--url", url, "publish", "/proxied", "1", environment={"FANFARE_PROXY": good, "http_proxy": wrong})
    assert (result.returncode, result.stderr) == (0, "")
    for arguments, environment in (["--proxy", "none"], {"http_proxy": wrong}), ([], {"FANFARE_PROXY": "none"}):
        result = run("--url", url, "publish", "/proxied", "1", *arguments, environment=environment)
        assert (result.returncode, result.stderr) == (0, "")
    result = run("--url", url, "doctor", "--proxy", wrong)
    assert result.returncode == 69
    assert f"proxy         ok       through 127.0.0.1:{port}\n" in result.stdout
    assert "-> check --proxy or http_proxy, and the name and password in it\n" in result.stdout
    assert "wrong" not in result.stdout + result.stderr


def test_doctor_looks_at_the_certificate(broker, certificate):
    file, context = certificate
    forwarder = Forwarder(broker.port, context)
    url = f"https://localhost:{forwarder.port}/bayeux"
    result = run("--url", url, "--ca", file, "doctor")
    assert (result.returncode, result.stderr) == (0, "")
    steps = {line.split()[0]: line.split()[1] for line in result.stdout.splitlines() if not line.startswith(" ")}
    # It is valid for two days, which is little.
    assert steps["tls"] == "warning"
    assert "-> renew it; broker-server reads a new one by itself\n" in result.stdout
    assert {name for name, result in steps.items() if result == "ok"} == {
        "endpoint", "reach", "broker", "clock", "origin", "publish", "websocket", "long-polling", "eventsource",
        "json-p",
    }
    result = run("--url", url, "doctor")
    assert result.returncode == 69
    assert "-> name the authority of the certificate with --ca FILE" in result.stdout
    forwarder.close()


@pytest.mark.parametrize(("seconds", "finding"), [(-3600, "behind"), (3600, "ahead of"), (2, None)])
def test_doctor_looks_at_the_clock(broker, seconds, finding):
    """A broker whose clock is wrong: its answers are changed on the way."""

    def change(data):
        date = email.utils.formatdate(time.time() + seconds, usegmt=True).encode()
        return re.sub(rb"(?m)^Date: [^\r]*", b"Date: " + date, data)

    forwarder = Forwarder(broker.port, change=change)
    result = run("--url", f"http://127.0.0.1:{forwarder.port}/bayeux", "doctor")
    assert (result.returncode, result.stderr) == (0, "")
    line = next(line for line in result.stdout.splitlines() if line.startswith("clock"))
    if finding is None:
        assert line.startswith("clock         ok       as here")
    else:
        assert re.search(rf"warning  the broker's clock is 3(59\d|60\d) s {finding} this one$", line)
        assert "-> let both machines take their time from NTP" in result.stdout
    forwarder.close()


def test_subscribing_with_tls_through_a_proxy(broker, proxy, certificate):
    """The whole way at once, and messages in both directions."""
    forwarder = Forwarder(broker.port, certificate[1])
    options = ["--url", f"wss://localhost:{forwarder.port}/bayeux", "--ca", str(certificate[0]),
               "--proxy", f"user:pa.ss@127.0.0.1:{proxy[0]}"]
    large = '"' + "x" * 100_000 + '"'  # compressed on the way
    result = run(*options, "publish", "/proxied/large", large, "--retain", "-v")
    assert (result.returncode, result.stdout) == (0, "")
    assert re.fullmatch(r"broker-cli: published: seq \d+, 0 subscribers now\n", result.stderr)
    result = run(*options, "subscribe", "/proxied/large", "--count", "1", "--format", "raw")
    assert (result.returncode, result.stdout, result.stderr) == (0, large + "\n", "")
    forwarder.close()


def test_publishing_over_connections_that_break(own_broker):
    """Each document is stored once and in order: only the last is retained, so the numbers tell."""
    forwarder = Forwarder(own_broker.port)
    count = 20_000
    process = subprocess.Popen(
        [PROGRAMS / "broker-cli", "--url", f"http://127.0.0.1:{forwarder.port}/bayeux", "publish", "/broken", "-",
         "--retain"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )
    for first in range(0, count, count // 10):
        process.stdin.write("".join(f"{number}\n" for number in range(first, first + count // 10)))
        process.stdin.flush()
        forwarder.break_connections()
    output, errors = process.communicate(timeout=2 * PATIENCE)
    assert (process.returncode, output) == (0, "")
    assert "connected again" in errors
    result = run("--url", f"http://127.0.0.1:{own_broker.port}/bayeux", "retained", "list", "/broken",
                 "--format", "%{seq} %{data}")
    assert result.stdout == f"{count} {count - 1}\n"
    forwarder.close()


@contextlib.contextmanager
def refusing(error):
    """Stands in a broker's place: takes sessions, and answers each publication with this error. Its port."""

    def answer(socket):
        for text in socket:
            for message in json.loads(text):
                channel = message["channel"]
                if channel == "/meta/connect":
                    continue
                reply = {"channel": channel, "id": message["id"], "successful": channel.startswith("/meta/")}
                if channel == "/meta/handshake":
                    reply |= {"version": "1.0", "supportedConnectionTypes": ["websocket"], "clientId": "c1"}
                socket.send(json.dumps([reply if reply["successful"] else reply | {"error": error}]))

    server = serve(answer, "127.0.0.1", 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.socket.getsockname()[1]
    finally:
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("error", "status"),
    [
        ("401::Token expired", 77),
        ("403:/a:Publishing denied", 77),
        ("407:/a:Failed to publish", 75),
        ("429:publish,3:Rate limit reached", 75),
        ("405:/a:Invalid channel", 65),
    ],
)
def test_the_status_tells_why_a_publication_is_refused(error, status):
    with refusing(error) as port:
        result = run("--url", f"http://127.0.0.1:{port}/bayeux", "publish", "/a", "1")
    assert (result.returncode, result.stdout) == (status, "")
    assert result.stderr.startswith(f"broker-cli: refused: the broker answered {error}"), result
