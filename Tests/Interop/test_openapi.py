"""docs/openapi.yaml and the running broker: Schemathesis makes requests from the one and judges the other's answers."""

import subprocess
import sys

import pytest
import yaml

from broker import PATIENCE, REPOSITORY, serving
from kept_connection import ask
from tokens import SECRET
from transports import WebSocket

DOCUMENTATION = REPOSITORY / "docs" / "openapi.yaml"
SCHEMATHESIS = [sys.executable, "-m", "schemathesis.cli", "run", DOCUMENTATION]
# The same requests in each run.
GENERATION = [
    "--phases=examples,coverage,fuzzing", "--generation-deterministic", "--max-examples=100", "--continue-on-failure",
]  # fmt: skip
CHECKS = [
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
]
# Bayeux says in the body what it refuses, and 400 to other methods.
PLAIN_HTTP_CHECKS = ["allow_header_conformance", "positive_data_acceptance", "unsupported_method"]
# The same keys are made again and again, with other data: refused with 422. The rest is what it expects anyway.
CONFIGURATION = """\
[checks]
positive_data_acceptance.expected-statuses = ["2xx", 401, 403, 404, 409, 422, "5xx"]
"""
# It learns the ids of sessions that it may end: of everybody's, the bystander's too.
ENDING_SESSIONS = ["--include-operation-id", "endSession", "--include-operation-id", "sessions"]


@pytest.mark.parametrize(
    ("selection", "checks"),
    [
        pytest.param(["--include-path", "/bayeux"], CHECKS, id="Bayeux"),
        pytest.param(
            ["--exclude-path", "/bayeux", "--exclude-operation-id", "endSession"], CHECKS + PLAIN_HTTP_CHECKS,
            id="plain HTTP",
        ),
    ],
)  # fmt: skip
def test_the_broker_is_as_documented(broker, bystander, tmp_path, selection, checks):
    judge(broker, tmp_path, selection, checks)


def test_sessions_end_as_documented(own_broker, tmp_path):
    with WebSocket(own_broker) as client:
        client.handshake()
        judge(own_broker, tmp_path, ENDING_SESSIONS, CHECKS + ["unsupported_method"])


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_refusals_of_reading_are_documented(tmp_path, method):
    """One session fills the broker, and a stream would be another one; a token is not good."""
    documented = yaml.safe_load(DOCUMENTATION.read_text())["paths"]["/channels/{name}"][method.lower()]["responses"]
    (tmp_path / "secret").write_text(SECRET + "\n")
    settings = f"limits: {{sessions: 1}}\nauth: {{keys: [{tmp_path / 'secret'}]}}\n"
    with serving(tmp_path, settings) as broker, WebSocket(broker) as client:
        client.handshake()
        for fields, refusal in [({"Accept": "text/event-stream"}, 429), ({"Authorization": "Bearer none"}, 401)]:
            status, _ = ask(broker, method, "/channels/openapi", **fields)
            assert status == refusal
            assert str(status) in documented


def judge(broker, tmp_path, selection, checks):
    """Make requests for a part of the documentation; what is wrong with the answers is said by Schemathesis."""
    (tmp_path / "schemathesis.toml").write_text(CONFIGURATION)
    command = [*SCHEMATHESIS, "--url", broker.url(""), *selection, "--checks", ",".join(checks), *GENERATION]
    run = subprocess.run(
        [*map(str, command), "--no-color"], cwd=tmp_path, capture_output=True, encoding="utf-8", timeout=20 * PATIENCE
    )
    assert run.returncode == 0, run.stdout + run.stderr
