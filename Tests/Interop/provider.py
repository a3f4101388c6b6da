"""An identity provider that shows its keys at an address; the keys; and how their tokens are used."""

import json
import ssl
import subprocess
import threading
import time

from broker import PATIENCE, PROGRAMS
from kept_connection import ask, respond
from tokens import encode
from web_server import Answer, WebServer


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


class Provider(WebServer):
    """Shows `keys`, or sends whoever asks `elsewhere`; answers 503 without either."""

    scheme, host = "http", "127.0.0.1"

    def __init__(self):
        self.keys = []
        self.elsewhere = None
        self.count = 0
        self.served = threading.Condition()
        super().__init__(self.show_keys)

    def show_keys(self, _):
        with self.served:
            self.count += 1
            self.served.notify_all()
            body = json.dumps({"keys": [key.public for key in self.keys]}).encode()
            if self.elsewhere:
                return Answer(body, 302, fields={"Location": self.elsewhere})
            return Answer(body, 200 if self.keys else 503, "application/json")

    @property
    def address(self):
        return f"{self.scheme}://{self.host}:{self.server_port}/keys.json"

    def wait(self, ask):
        """Have `ask` called until what is shown now has been fetched for sure."""
        with self.served:
            first = self.count
            # The one that comes next may have been under way; who fetches the second one has the first.
            while self.count < first + 2:
                ask()
                assert self.served.wait(PATIENCE), "nobody has fetched the keys"

    def handle_error(self, *_):
        """Whoever does not like the certificate goes away."""


class SecureProvider(Provider):
    """One at an address of https. New connections get the certificate that was shown last."""

    scheme, host = "https", "localhost"

    def __init__(self, certificate, key):
        self.garbage = None
        self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.show(certificate, key)
        super().__init__()

    def show(self, certificate, key):
        self.context.load_cert_chain(certificate, key)

    def finish_request(self, request, client_address):
        """In the connection's own thread."""
        request.settimeout(PATIENCE)
        if self.garbage is not None:
            # What has not been read would have the connection reset.
            request.recv(65536)
            request.sendall(self.garbage)
            return
        with self.context.wrap_socket(request, server_side=True) as tls:
            super().finish_request(tls, client_address)


def publish(broker, token):
    """The status of the answer, its text, its fields."""
    response, text = respond(broker, "POST", "/channels/a", "1", Authorization="Bearer " + token)
    return response.status, text, response.headers


def wait_until_ready(broker):
    """Ask until it is: one that stood still for a while says that it is not."""
    deadline = time.monotonic() + PATIENCE
    while (answer := ask(broker, "GET", "/health/ready"))[0] != 200:
        assert answer[0] == 503 and "has not answered for" in answer[1], answer
        assert time.monotonic() < deadline, answer


def failures(broker):
    """How often a set of keys could not be fetched."""
    return broker.samples()['fanfare_key_set_fetches_total{result="failure"}']
