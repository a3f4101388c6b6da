"""A broker that listens for TLS, too."""

import socket
import ssl
import subprocess
import time

from broker import PATIENCE, PROGRAMS, Broker


class SecureBroker(Broker):
    """A broker that listens for TLS, too."""

    def __init__(self, folder, authority, *lines):
        self.authority = authority
        self.certificate, self.key = folder / "certificate.pem", folder / "key.pem"
        authority.sign("first", self.certificate, self.key)
        config = folder / "fanfare.yaml"
        config.write_text(
            "\n".join(
                ["tls:", "  listen: 127.0.0.1:0", f"  certificate: {self.certificate}", f"  key: {self.key}", *lines]
            )
        )
        super().__init__(folder / "fanfare.db", folder / "log", "--config", config)

    def start(self):
        super().start()
        self.tls_port = self.told_port("https")
        return self

    def run_owner(self, command):
        """What the machine's owner does."""
        line = [PROGRAMS / "broker-server", command, "--database", self.database]
        return subprocess.run(line, capture_output=True, text=True, timeout=PATIENCE)

    def context(self):
        return ssl.create_default_context(cafile=self.authority.certificate)

    def subject(self, port=None):
        """Whose certificate a new connection gets, at the first port for TLS or at another one."""
        with socket.create_connection(("127.0.0.1", port or self.tls_port), PATIENCE) as plain:
            with self.context().wrap_socket(plain, server_hostname="localhost") as tls:
                return dict(field[0] for field in tls.getpeercert()["subject"])["commonName"]

    def wait_for_subject(self, name):
        """Until new connections get the certificate of that name; nobody else tells of it."""
        deadline = time.monotonic() + PATIENCE
        while (subject := self.subject()) != name:
            assert time.monotonic() < deadline, f"the certificate is still that of {subject!r}"
