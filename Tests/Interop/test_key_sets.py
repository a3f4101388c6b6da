"""Keys of tokens from an address: a provider that rotates them, fails, and comes back."""

import http.client
import http.server
import json
import subprocess
import threading

import pytest

from broker import PATIENCE, PROGRAMS, Broker
from tokens import encode

SETTINGS = """\
auth:
  keys: ["{address}"]
  key-set-spacing: 50ms
metrics: all
"""


class Key:
    """A key of the provider, as JSON Web Keys."""

    def __init__(self, folder, name):
        self.name = name
        self.file = folder / f"{name}.json"
        pem = subprocess.run(
            ["openssl", "genpkey", "-algorithm", "ed25519", "-outform", "DER"], check=True, capture_output=True
        ).stdout
        public = subprocess.run(
            ["openssl", "pkey", "-inform", "DER", "-pubout", "-outform", "DER"],
            input=pem, check=True, capture_output=True,
        ).stdout  # fmt: skip
        # Both encodings end with the 32 bytes of the key.
        self.public = {"kty": "OKP", "crv": "Ed25519", "kid": name, "x": encode(public[-32:])}
        self.file.write_text(json.dumps({**self.public, "d": encode(pem[-32:])}))

    def token(self, *options):
        command = [PROGRAMS / "broker-server", "token", "--key", self.file, "--subject", "alice", *options]
        made = subprocess.run(command, check=True, capture_output=True, encoding="utf-8", timeout=PATIENCE)
        return made.stdout.strip()


class Provider(http.server.ThreadingHTTPServer):
    """Shows `keys`; answers 503 while there are none."""

    def __init__(self):
        self.keys = []
        self.count = 0
        self.served = threading.Condition()
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}/keys.json"

    def wait(self, ask):
        """Have `ask` called until what is shown now has been fetched for sure."""
        with self.served:
            first = self.count
            # The one that comes next may have been under way.
            while self.count < first + 2:
                ask()
                assert self.served.wait(PATIENCE), "nobody has fetched the keys"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with self.server.served:
            body = json.dumps({"keys": [key.public for key in self.server.keys]}).encode()
            self.send_response(200 if self.server.keys else 503)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.server.count += 1
            self.server.served.notify_all()

    def log_message(self, *_):
        pass


@pytest.fixture
def provider():
    with Provider() as provider:
        yield provider
        provider.shutdown()


@pytest.fixture
def start(tmp_path, provider):
    """Starts a broker that takes the provider's keys."""
    (tmp_path / "fanfare.yaml").write_text(SETTINGS.format(address=provider.address))
    broker = Broker(tmp_path / "fanfare.db", tmp_path / "log", "--config", tmp_path / "fanfare.yaml")
    try:
        yield broker.start
        broker.stop()
    finally:
        broker.kill()


def ask(broker, method, path, body=None, **headers):
    connection = http.client.HTTPConnection("127.0.0.1", broker.port, timeout=PATIENCE)
    connection.request(method, path, body, headers)
    response = connection.getresponse()
    status, text = response.status, response.read().decode()
    connection.close()
    return status, text, response.headers


def publish(broker, token):
    return ask(broker, "POST", "/channels/a", "1", Authorization="Bearer " + token)


def failures(broker):
    _, text, _ = ask(broker, "GET", "/metrics")
    return float(text.split('fanfare_key_set_fetches_total{result="failure"} ')[1].split("\n")[0])


def test_keys_change_while_the_broker_runs(provider, start, tmp_path):
    old, new = Key(tmp_path, "old"), Key(tmp_path, "new")
    provider.keys = [old]
    broker = start()
    assert publish(broker, old.token())[0] == 200
    token, stranger = new.token(), Key(tmp_path, "stranger").token()
    provider.keys = [old, new]
    status, text, headers = publish(broker, token)
    assert status == 401 and "no key for it yet, try again" in text and headers["Retry-After"], text
    provider.wait(lambda: publish(broker, stranger))
    assert publish(broker, token)[0] == 200
    assert publish(broker, old.token())[0] == 200
    assert failures(broker) == 0


def test_a_provider_that_fails(provider, start, tmp_path):
    key, other = Key(tmp_path, "a"), Key(tmp_path, "b")
    broker = start()
    token, stranger = key.token(), other.token()
    # It runs, is ready, says what is missing, and fetches again by itself.
    status, text, _ = publish(broker, token)
    assert status == 401 and "the broker waits for its keys, try again" in text
    assert ask(broker, "GET", "/health/ready")[0] == 200
    assert ask(broker, "GET", "/channels/a")[0] == 404
    assert failures(broker) >= 1
    assert "no keys of tokens yet" in (tmp_path / "log").read_text()
    provider.keys = [key]
    provider.wait(lambda: publish(broker, stranger))
    assert publish(broker, token)[0] == 200
    # What was good stays so while the provider is away.
    before = failures(broker)
    provider.keys = []
    provider.wait(lambda: publish(broker, stranger))
    assert publish(broker, token)[0] == 200
    assert failures(broker) > before
    assert ask(broker, "GET", "/health/ready")[0] == 200
    assert "kept the keys of tokens that were fetched last" in (tmp_path / "log").read_text()


@pytest.mark.parametrize("address", ["ftp://127.0.0.1/keys", "https://", "https://user:pass@127.0.0.1/keys"])
def test_addresses_that_are_none(tmp_path, address):
    file = tmp_path / "fanfare.yaml"
    file.write_text(f'auth:\n  keys: ["{address}"]\n')
    run = subprocess.run([PROGRAMS / "broker-server", "check-config", file], capture_output=True, encoding="utf-8")
    assert run.returncode == 78
    assert f"{file}:2:" in run.stderr and "is not the path of a file, or an address such as https://" in run.stderr
