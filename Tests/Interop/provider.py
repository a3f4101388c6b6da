"""An identity provider that shows its keys at an address; the keys; and how their tokens are used."""

import http.client
import http.server
import json
import ssl
import subprocess
import threading

from broker import PATIENCE, PROGRAMS
from tokens import encode


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
    """Shows `keys`, or sends whoever asks `elsewhere`; answers 503 without either."""

    scheme, host = "http", "127.0.0.1"

    def __init__(self):
        self.keys = []
        self.elsewhere = None
        self.count = 0
        self.served = threading.Condition()
        super().__init__(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self):
        return f"{self.scheme}://{self.host}:{self.server_port}/keys.json"

    def wait(self, ask):
        """Have `ask` called until what is shown now has been fetched for sure."""
        with self.served:
            first = self.count
            # The one that comes next may have been under way.
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


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with self.server.served:
            body = json.dumps({"keys": [key.public for key in self.server.keys]}).encode()
            if self.server.elsewhere:
                self.send_response(302)
                self.send_header("Location", self.server.elsewhere)
            else:
                self.send_response(200 if self.server.keys else 503)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
            self.server.count += 1
            self.server.served.notify_all()

    def log_message(self, *_):
        pass


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
    """How often a set of keys could not be fetched."""
    _, text, _ = ask(broker, "GET", "/metrics")
    return float(text.split('fanfare_key_set_fetches_total{result="failure"} ')[1].split("\n")[0])
