"""Certificates that a test makes: signed by their own keys, or by an authority of the test."""

import subprocess

ELLIPTIC = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"


def openssl(*arguments):
    subprocess.run(["openssl", *map(str, arguments)], check=True, capture_output=True)


def self_signed(folder, subject="localhost", name="certificate"):
    """Makes one for this machine that nobody has signed but its own key: the files of the certificate and the key."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    openssl(
        "req", "-x509", *ELLIPTIC, "-days", "2", "-subj", f"/CN={subject}", "-addext", NAMES,
        "-keyout", key, "-out", certificate,
    )  # fmt: skip
    return certificate, key


class Authority:
    """Signs certificates of this machine."""

    def __init__(self, folder, name="Test authority", signer=None):
        self.folder = folder
        if signer:
            self.certificate, self.key = folder / "authority.pem", folder / "authority.key"
            signer.sign(name, self.certificate, self.key, extension="basicConstraints=critical,CA:TRUE")
        else:
            self.certificate, self.key = self_signed(folder, name, "authority")

    @classmethod
    def at(cls, folder, name, signer=None):
        """One in a folder of its own, which another one may have signed."""
        folder.mkdir()
        return cls(folder, name, signer)

    def sign(self, name, certificate, key, days=2, extension=NAMES):
        """Write a certificate for localhost, whose subject is `name`, and its key; below 0 `days` it has ended."""
        request, extensions = self.folder / "request.pem", self.folder / "extensions"
        extensions.write_text(extension + "\n")
        openssl("req", *ELLIPTIC, "-subj", f"/CN={name}", "-keyout", key, "-out", request)
        openssl(
            "x509", "-req", "-days", days, "-in", request, "-CA", self.certificate, "-CAkey", self.key,
            "-CAcreateserial", "-extfile", extensions, "-out", certificate,
        )  # fmt: skip
