"""Keys of tokens from an address of https: whose certificates are trusted, what a fault of one says, what then goes on."""

import contextlib
import re
import subprocess
import time

import pytest

from broker import PATIENCE, PROGRAMS, Broker
from certificates import Authority, self_signed
from provider import Key, Provider, SecureProvider, failures, publish

SETTINGS = """\
auth:
  keys: ["{address}"]
  key-set-spacing: 50ms
  key-set-authority: {authority}
metrics: all
"""


class Company:
    """A provider whose certificate an authority of its own has signed, and a broker that is to take its keys."""

    def __init__(self, folder):
        self.folder = folder
        self.authority = Authority.at(folder / "authority", "Company authority")
        self.certificate, self.certificate_key = folder / "provider.pem", folder / "provider.key"
        self.authority.sign("provider", self.certificate, self.certificate_key)
        self.provider = SecureProvider(self.certificate, self.certificate_key)
        # What the setting names.
        self.file = folder / "trusted.pem"
        self.file.write_bytes(self.authority.certificate.read_bytes())
        self.key = Key(folder, "a")
        self.provider.keys = [self.key]
        self.stranger = Key(folder, "stranger").token()
        self.configuration = folder / "fanfare.yaml"
        self.log = folder / "log"
        self.broker = Broker(folder / "fanfare.db", self.log, "--config", self.configuration)

    def configure(self):
        self.configuration.write_text(SETTINGS.format(address=self.provider.address, authority=self.file))

    def start(self):
        self.configure()
        return self.broker.start()

    def renew(self, authority=None, **options):
        """Has the provider show another certificate."""
        (authority or self.authority).sign("provider", self.certificate, self.certificate_key, **options)
        self.provider.show(self.certificate, self.certificate_key)

    def run(self, *arguments):
        """`broker-server` to its end: its status, and what it says."""
        command = [PROGRAMS / "broker-server", *arguments]
        run = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=PATIENCE)
        return run.returncode, run.stdout + run.stderr

    def reload(self):
        return self.run("reload", "--database", self.folder / "fanfare.db")

    def look(self):
        """Have the keys fetched again soon: a token names one that nobody has."""
        publish(self.broker, self.stranger)

    def fail(self):
        """Wait until the keys could not be fetched once more."""
        before, deadline = failures(self.broker), time.monotonic() + PATIENCE
        while failures(self.broker) == before:
            assert time.monotonic() < deadline, "no fetch has failed"
            self.look()


@pytest.fixture
def company(tmp_path):
    company = Company(tmp_path)
    with company.provider:
        try:
            yield company
        finally:
            company.broker.kill()


@pytest.fixture
def plain():
    """A provider without TLS that has keys to give."""
    with Provider() as plain:
        yield plain


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_keys_come_over_https(company, host):
    company.provider.host = host
    company.start()
    assert publish(company.broker, company.key.token())[0] == 200
    assert failures(company.broker) == 0
    company.broker.stop()


@pytest.mark.parametrize(
    "fault, reason",
    [
        (
            "stranger",
            r"the certificate is signed by CN=Stranger, whom neither the system nor auth\.key-set-authority trusts",
        ),
        ("impostor", r"the certificate does not stand the check with the authority CN=Company authority in "),
        ("name", r"the certificate is for elsewhere\.example, 192\.0\.2\.7, not for localhost"),
        ("ended", r"the certificate ended on 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d\.000Z"),
        ("garbage", r"what listens there does not speak TLS"),
        ("farewell", r"the connection was closed before TLS had begun"),
        ("nothing", r"the connection was closed before TLS had begun"),
        ("plain http", r"what listens there does not speak TLS"),
        ("redirection", r"the answer is 302 Found, and redirections are not followed"),
    ],
)
def test_a_fault_of_the_provider(company, plain, fault, reason):
    """It is told with the address, and changes nothing: what was fetched stays, what is shown then is not taken."""
    other = Key(company.folder, "b")
    broker, token = company.start(), company.key.token()
    assert publish(broker, token)[0] == 200
    company.provider.keys = plain.keys = [other]
    match fault:
        case "stranger": company.renew(Authority.at(company.folder / "stranger", "Stranger"))
        case "impostor": company.renew(Authority.at(company.folder / "impostor", "Company authority"))
        case "name": company.renew(extension="subjectAltName=DNS:elsewhere.example,IP:192.0.2.7")
        case "ended": company.renew(days=-1)
        case "garbage": company.provider.garbage = b"\x00\xffgarbage" * 100
        case "farewell": company.provider.garbage = b"\x15\x03\x03\x00\x02\x01\x00"
        case "nothing": company.provider.garbage = b""
        case "plain http": company.provider.garbage = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
        case "redirection": company.provider.elsewhere = plain.address
    company.fail()
    problem = re.escape(company.provider.address) + ": " + reason
    assert publish(broker, token)[0] == 200
    assert publish(broker, other.token())[0] == 401
    log = company.log.read_text()
    assert "kept the keys of tokens that were fetched last" in log
    assert re.search(problem, log), log
    # So does a command, which does not go on without.
    status, text = company.run("explain", "publish", "/a", "--config", company.configuration)
    assert status == 78 and re.search(problem, text), text
    assert plain.count == 0
    # Once it is mended the keys are taken.
    company.renew()
    company.provider.garbage = company.provider.elsewhere = None
    company.provider.wait(company.look)
    assert publish(broker, other.token())[0] == 200
    broker.stop()


def test_a_provider_that_is_not_there(company):
    company.provider.shutdown()
    company.provider.server_close()
    broker = company.start()
    status, text, _ = publish(broker, company.key.token())
    assert status == 401 and "the broker waits for its keys, try again" in text
    log = company.log.read_text()
    assert f"{company.provider.address}: cannot be reached: Connection refused" in log, log
    broker.stop()


def test_the_authority_is_read_again(company):
    company.renew(Authority.at(company.folder / "next", "Next authority"))
    broker, token = company.start(), company.key.token()
    assert publish(broker, token)[0] == 401
    assert "no keys of tokens yet" in company.log.read_text()
    # Nothing is applied as long as the keys do not come with it.
    company.file.write_bytes(Authority.at(company.folder / "third", "Third").certificate.read_bytes())
    status, text = company.reload()
    assert status != 0 and f"{company.provider.address}: the certificate is signed by CN=Next authority, whom" in text
    company.file.write_bytes(b"".join(file.read_bytes() for file in company.folder.glob("*/authority.pem")))
    assert company.reload() == (0, "1 applied: the file of auth.key-set-authority; 0 need a restart\n")
    assert publish(broker, token)[0] == 200
    for name, reason in UNFIT.items():
        with unfit(company, name):
            status, text = company.reload()
            assert status != 0 and f"{company.file}: {reason}" in text, text
            assert publish(broker, token)[0] == 200
    assert company.reload() == (0, "0 applied; 0 need a restart\n")
    # Without the setting only the system's are trusted.
    company.configuration.write_text(SETTINGS.replace("  key-set-authority: {authority}\n", "").format(
        address=company.provider.address
    ))
    status, text = company.reload()
    assert status != 0 and "whom neither the system nor auth.key-set-authority trusts" in text
    assert publish(broker, token)[0] == 200
    broker.stop()


# What may be wrong with the file, and what is said.
UNFIT = {
    "missing": "the file of authorities cannot be read",
    "a folder": "the file of authorities cannot be read",
    "empty": "the file of authorities is empty",
    "garbage": "there is no certificate in it (PEM)",
    "a key": "there is no certificate in it (PEM)",
    "cut": "a certificate in it cannot be read",
}


@contextlib.contextmanager
def unfit(company, name):
    """The file of authorities is so, for a while."""
    good = company.file.read_bytes()
    company.file.unlink()
    match name:
        case "a folder": company.file.mkdir()
        case "empty": company.file.write_bytes(b"")
        case "garbage": company.file.write_bytes(b"\x00\xffgarbage\n" * 10)
        case "a key": company.file.write_bytes(company.authority.key.read_bytes())
        case "cut": company.file.write_bytes(good + good[: len(good) // 3])
    try:
        yield
    finally:
        company.file.rmdir() if name == "a folder" else company.file.unlink(missing_ok=True)
        company.file.write_bytes(good)


@pytest.mark.parametrize("name", UNFIT)
def test_a_file_of_authorities_that_will_not_do(company, name):
    company.configure()
    assert company.run("check-config", company.configuration) == (0, f"{company.configuration}: good\n")
    with unfit(company, name):
        for command in [["check-config"], ["serve", "--listen", "127.0.0.1:0", "--config"]]:
            status, text = company.run(*command, company.configuration)
            assert (status, text) == (78, f"broker-server: {company.file}: {UNFIT[name]}\n")


def test_other_files_that_will_not_do(company):
    """`check-config` reads all that `serve` reads."""
    company.configuration.write_text("auth: {keys: [/nowhere/key]}\n")
    missing = "the file cannot be read\n"
    assert company.run("check-config", company.configuration) == (78, f"broker-server: /nowhere/key: {missing}")
    company.configuration.write_text("tls: {certificate: /nowhere/certificate, key: /nowhere/key}\n")
    assert company.run("check-config", company.configuration) == (78, f"broker-server: /nowhere/certificate: {missing}")


@pytest.mark.parametrize("kind", ["self-signed", "intermediate left out"])
def test_what_the_file_may_hold(company, kind):
    """A certificate that signs itself; and what the provider does not show of its own chain."""
    if kind == "self-signed":
        company.certificate, company.certificate_key = self_signed(company.folder, name="own")
        company.provider.show(company.certificate, company.certificate_key)
        company.file.write_bytes(company.certificate.read_bytes())
    else:
        between = Authority.at(company.folder / "between", "Between", company.authority)
        company.renew(between)
        company.configure()
        status, text = company.run("explain", "publish", "/a", "--config", company.configuration)
        assert status == 78 and "the certificate is signed by CN=Between, whom neither" in text
        company.file.write_bytes(company.authority.certificate.read_bytes() + between.certificate.read_bytes())
    company.start()
    assert publish(company.broker, company.key.token())[0] == 200
    company.broker.stop()
