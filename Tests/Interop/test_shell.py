"""Publishing and subscribing from a shell: broker-cli and curl."""

import json
import subprocess

import pytest

from bayeux import Peer
from broker import PATIENCE

MANY = 10_000


def curl(*arguments):
    """Run curl; the status and the body of the answer."""
    command = ["curl", "--silent", "--show-error", "--write-out", "\n%{http_code}", *arguments]
    output = subprocess.run(command, check=True, capture_output=True, text=True, timeout=PATIENCE).stdout
    body, _, status = output.rpartition("\n")
    return int(status), body


@pytest.fixture
def listener(broker):
    with Peer(broker) as listener:
        yield listener.listen("/shell/**")
        listener.leave()


@pytest.mark.parametrize("data", ['{"text":"héllo \\"w\\""}', "[1,null,true]", '"text"', "0.5", "null"])
def test_curl(broker, listener, data):
    status, body = curl("--json", data, broker.url("/channels/shell/curl"))
    answer = json.loads(body)
    assert status == 200
    assert answer.keys() == {"id", "channel", "seq", "matched"}
    assert (answer["channel"], answer["seq"], answer["matched"]) == ("/shell/curl", None, 1)
    assert listener.next_message() == {"channel": "/shell/curl", "data": json.loads(data)}


def test_curl_as_the_page_says_it(broker, listener):
    """`curl -d` without a content type is what people try first."""
    assert curl("-d", '{"text":"hello"}', broker.url("/channels/shell/curl"))[0] == 200
    assert listener.next_message()["data"] == {"text": "hello"}


def test_curl_to_nobody(broker):
    _, body = curl("--json", "1", broker.url("/channels/shell-nobody"))
    assert json.loads(body)["matched"] == 0


@pytest.mark.parametrize(
    ("path", "data"),
    [
        ("/channels/shell/curl", "{not JSON"),
        ("/channels/shell/curl", ""),
        ("/channels/foo.bar", "1"),
        ("/channels/a//b", "1"),
        ("/channels/a/*", "1"),
        ("/channels/meta/connect", "1"),
    ],
)
def test_curl_is_refused(broker, listener, path, data):
    status, _ = curl("--path-as-is", "--globoff", "--json", data, broker.url(path))
    assert 400 <= status < 500
    broker.publish("/shell/next", "next")
    assert listener.next_message()["data"] == "next", "what was refused must not be delivered"


def test_publish(broker, listener, tmp_path):
    """One document from the command line, from a file, and one per line from a pipe."""
    file = tmp_path / "document.json"
    file.write_text('{"from": "a file"}\n', encoding="utf-8")
    for argument in ('{"from":"the command line"}', f"@{file}"):
        assert broker.run_cli("publish", "/shell/cli", argument).returncode == 0
    assert broker.run_cli("publish", "/shell/cli", "-", input='{"from":"a pipe"}\n[2]\n').returncode == 0
    received = [listener.next_message()["data"] for _ in range(4)]
    assert received == [{"from": "the command line"}, {"from": "a file"}, {"from": "a pipe"}, [2]]


def test_publish_is_refused(broker):
    """A wrong channel and a text that is no JSON end with a status that says so, and a reason on stderr."""
    for channel, text in (("/foo.bar", "1"), ("/shell/cli", "{not JSON")):
        ended = broker.run_cli("publish", channel, text)
        assert ended.returncode != 0
        assert ended.stderr != ""


def test_subscribe(broker):
    """It prints one JSON document per line and ends by itself after as many as it was asked for."""
    with broker.cli("subscribe", "/shell-a/*", "/shell-b", "--count", "3") as subscriber:
        broker.publish_until_matched("/shell-b", "first")
        broker.publish("/shell-a/x", {"text": "line\nbreak"})
        broker.publish("/shell-c", "not asked for")
        broker.publish("/shell-a/y", None)
        documents = [json.loads(subscriber.lines.next()) for _ in range(3)]
        assert subscriber.wait() == 0
    assert [(document["channel"], document["data"]) for document in documents] == [
        ("/shell-b", "first"),
        ("/shell-a/x", {"text": "line\nbreak"}),
        ("/shell-a/y", None),
    ]


def test_many_in_order(broker):
    """What one pipe publishes, another process gets: all of it, once, in order."""
    with broker.cli("subscribe", "/shell-many", "--count", str(MANY + 1)) as subscriber:
        broker.publish_until_matched("/shell-many", "ready")
        assert json.loads(subscriber.lines.next())["data"] == "ready"
        documents = "".join(f"{number}\n" for number in range(MANY))
        assert broker.run_cli("publish", "/shell-many", "-", input=documents).returncode == 0
        assert [json.loads(subscriber.lines.next())["data"] for _ in range(MANY)] == list(range(MANY))
        assert subscriber.wait() == 0
