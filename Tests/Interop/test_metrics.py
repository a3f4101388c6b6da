"""/metrics as Prometheus reads it: checked by promtool, scraped by a real Prometheus, and right in its numbers."""

import json
import os
import pathlib
import re
import socket
import subprocess
import time
import urllib.parse
import urllib.request

import pytest

from bayeux import Peer
from broker import PATIENCE, REPOSITORY, Broker, serving
from kept_connection import KeptConnection, ask, respond
from others import free_port, running
from tokens import SECRET, bearer


def wait_for(condition):
    """Ask again until it holds: a number that nobody tells of otherwise."""
    deadline = time.monotonic() + PATIENCE
    while not (result := condition()):
        assert time.monotonic() < deadline, f"not within {PATIENCE} s"
    return result


def test_promtool_has_no_complaint(own_broker):
    own_broker.publish("/metrics/kept", 1)
    _, text = ask(own_broker, "GET", "/metrics")
    check = subprocess.run(["promtool", "check", "metrics"], input=text, capture_output=True, text=True)
    assert (check.returncode, check.stdout, check.stderr) == (0, "", "")


def test_the_numbers_are_those_of_what_happened(own_broker):
    before = own_broker.samples()
    with Peer(own_broker) as subscriber:
        subscriber.listen("/metrics/*")
        for number in range(3):
            assert own_broker.publish("/metrics/a", number)["matched"] == 1
        for number in range(3):
            assert subscriber.next_message()["data"] == number
        during = own_broker.samples()

        def grown(name):
            return during[name] - before.get(name, 0)

        assert during['fanfare_connections{transport="websocket"}'] == 1
        assert during['fanfare_sessions{state="connected"}'] == 1
        assert during['fanfare_subscriptions{kind="pattern"}'] == during["fanfare_channels"] == 1
        assert during['fanfare_subscriptions{kind="channel"}'] == 0
        assert during["fanfare_engine_up"] == 1 and during["fanfare_engine_lag_messages"] == 0
        assert grown('fanfare_messages_received_total{transport="http",kind="publish"}') == 3
        assert grown('fanfare_messages_received_total{transport="websocket",kind="subscribe"}') == 1
        assert grown('fanfare_messages_delivered_total{transport="websocket"}') == 3
        assert grown('fanfare_http_requests_total{route="channels",method="POST",code="200"}') == 3
        assert grown('fanfare_sent_bytes_total{transport="websocket"}') > 3 * len('{"channel":"/metrics/a","data":0}')
    closed = 'fanfare_connections_closed_total{transport="websocket",reason="%s"}'
    wait_for(lambda: sum(own_broker.samples()[closed % reason] for reason in ("peer", "done")) == 1)
    assert own_broker.samples()['fanfare_connections{transport="websocket"}'] == 0


def test_connections_are_counted_as_they_are_opened(own_broker):
    """By transport, and each once: an event stream is one of HTTP that becomes one of events."""

    def opened():
        name = 'fanfare_connections_opened_total{transport="%s"}'
        found = own_broker.samples()
        return {transport: found[name % transport] for transport in ("websocket", "eventsource", "http")}

    before = opened()
    with Peer(own_broker), Peer(own_broker), KeptConnection(own_broker) as kept:
        for _ in range(3):
            assert kept.exchange("GET", "/health/live")[0] == 200
        response, _ = respond(own_broker, "GET", "/channels/metrics/a", Accept="text/event-stream")
        assert response.status == 200
        during = opened()
    # The one that is kept, the stream's, and the one by which the numbers came.
    grown = {"websocket": 2, "eventsource": 1, "http": 3}
    assert {transport: during[transport] - before[transport] for transport in during} == grown
    # Their ends take nothing away.
    assert opened() == {**during, "http": during["http"] + 1}


def processor_seconds(pid):
    """What the kernel says that a process has taken, as the user and as the system (proc_pid_stat(5))."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def resident_bytes(pid):
    """What it has in memory (proc_pid_statm(5))."""
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_the_process_takes_what_the_kernel_says(own_broker):
    """The kernel counts in ticks, and pages come and go meanwhile: the bounds are for mistaken units and dead numbers."""
    pid, margin = own_broker.pid, 0.1
    # So much that nothing at all would be outside of the bounds.
    wait_for(lambda: own_broker.publish("/metrics/a", 1) and processor_seconds(pid) > 2 * margin)
    times, sizes = [processor_seconds(pid)], [resident_bytes(pid)]
    found = own_broker.samples()
    times.append(processor_seconds(pid))
    sizes.append(resident_bytes(pid))
    assert times[0] - margin < found["process_cpu_seconds_total"] < times[1] + margin
    assert min(sizes) / 2 < found["process_resident_memory_bytes"] < max(sizes) * 2
    assert own_broker.samples()["process_cpu_seconds_total"] > found["process_cpu_seconds_total"]


def test_stored_publications_are_timed(own_broker):
    name = 'fanfare_publish_duration_seconds_count{durability="normal"}'
    own_broker.publish("/metrics/kept?retain=true", 1)
    after = own_broker.samples()
    assert after[name] == 1
    assert after["fanfare_store_commit_messages_count"] >= 1
    assert after["fanfare_last_sequence"] == 1


def test_labels_are_not_what_users_choose(own_broker):
    for path in ("/channels/secret/name", "/nowhere/secret", "/secret"):
        ask(own_broker, "GET", path)
    connection = socket.create_connection(("127.0.0.1", own_broker.port), PATIENCE)
    with connection:
        connection.sendall(b"SECRET /secret HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        connection.recv(4096)
    _, text = ask(own_broker, "GET", "/metrics")
    assert "secret" not in text.lower()


@pytest.mark.parametrize("headers", [{"Origin": "http://127.0.0.1:1"}, {"X-Forwarded-For": "192.0.2.1"}])
def test_they_are_the_administrators(broker, headers):
    status, _ = ask(broker, "GET", "/metrics", **headers)
    assert status == 403


def test_prometheus_scrapes(own_broker, tmp_path):
    address = f"127.0.0.1:{free_port()}"
    configuration = tmp_path / "prometheus.yml"
    configuration.write_text(
        "global: {scrape_interval: 100ms, scrape_timeout: 100ms}\n"
        "scrape_configs: [{job_name: fanfare, static_configs: [{targets: ['127.0.0.1:%d']}]}]\n" % own_broker.port
    )
    command = ["prometheus", f"--config.file={configuration}", f"--storage.tsdb.path={tmp_path / 'data'}"]
    command.append(f"--web.listen-address={address}")

    def query(expression):
        url = f"http://{address}/api/v1/query?" + urllib.parse.urlencode({"query": expression})
        with urllib.request.urlopen(url, timeout=PATIENCE) as response:
            return json.load(response)["data"]["result"]

    with running(command, tmp_path / "prometheus.log", "Server is ready to receive web requests"):
        assert wait_for(lambda: query("up == 1"))
        assert wait_for(lambda: query('fanfare_build_info{version!=""}'))[0]["value"][1] == "1"
        assert wait_for(lambda: query('fanfare_event_loop_lag_seconds_bucket{le="+Inf"}'))


def test_every_family_is_documented(broker):
    _, text = ask(broker, "GET", "/metrics")
    families = re.findall(r"^# TYPE (\S+)", text, re.M)
    assert families and len(families) == len(set(families))
    documentation = (REPOSITORY / "docs" / "monitoring.md").read_text()
    assert [family for family in families if f"`{family}" not in documentation] == []


def handshake(broker, path="/bayeux", **headers):
    """A WebSocket handshake; the status of the answer."""
    lines = {
        "Host": f"127.0.0.1:{broker.port}",
        "Upgrade": "websocket",
        "Connection": "Upgrade",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
        **headers,
    }
    with socket.create_connection(("127.0.0.1", broker.port), PATIENCE) as connection:
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
        connection.sendall(f"GET {path} HTTP/1.1\r\n{head}\r\n".encode())
        answer = connection.recv(4096).decode()
        # Bytes that come behind the refusal are no second one.
        connection.sendall(b"\x81\x80abcd")
        return int(answer.split()[1])


@pytest.mark.parametrize(
    ("reason", "request_"),
    [
        ("handshake", {"path": "/nowhere"}),
        ("handshake", {"Sec-WebSocket-Key": "short"}),
        ("handshake", {"Host": "rebound.example"}),
        ("origin", {"Origin": "https://elsewhere.example"}),
    ],
)
def test_a_refused_handshake_counts_once(own_broker, reason, request_):
    name = "fanfare_connections_rejected_total"
    before = own_broker.samples()
    assert handshake(own_broker, **request_) >= 400
    after = own_broker.samples()
    grown = {key: after[key] - before[key] for key in after if key.startswith(name)}
    assert {key: count for key, count in grown.items() if count} == {f'{name}{{reason="{reason}"}}': 1}


def test_refused_tokens_and_what_is_denied(tmp_path):
    (tmp_path / "secret").write_text(SECRET + "\n")
    (tmp_path / "fanfare.yaml").write_text(
        f"auth:\n  keys: [{tmp_path / 'secret'}]\nmetrics: all\n"
        "channels:\n  /never/**: {publish: nobody, subscribe: nobody}\n"
    )
    options = ["--config", tmp_path / "fanfare.yaml"]
    broker = Broker(tmp_path / "fanfare.db", tmp_path / "broker.log", *options).start()
    try:
        for claims in ({"seconds": -5}, {"algorithm": "none"}):
            assert ask(broker, "POST", "/channels/a", "1", **bearer(**claims))[0] == 401
        assert handshake(broker, **bearer(seconds=-5)) == 401
        assert ask(broker, "POST", "/channels/never/a", "1", **bearer())[0] == 403
        assert ask(broker, "GET", "/channels/never/a", **bearer())[0] == 403
        found = broker.samples()
        assert found['fanfare_auth_failures_total{reason="expired"}'] == 1
        assert found['fanfare_auth_failures_total{reason="token"}'] == 1
        assert found['fanfare_denied_total{action="publish"}'] == 1
        assert found['fanfare_denied_total{action="subscribe"}'] == 1
        assert found['fanfare_connections_rejected_total{reason="auth"}'] == 1
    finally:
        broker.kill()


def test_recoveries_deliveries_files_and_the_configuration(own_broker):
    before = time.time()
    with Peer(own_broker) as early:
        early.listen("/metrics/kept")
        own_broker.publish("/metrics/kept?retain=true", 1)
        early.next_message("/metrics/kept")
    with Peer(own_broker) as late:
        late.listen("/metrics/kept")
        late.next_message("/metrics/kept")
    found = own_broker.samples()
    assert found['fanfare_recoveries_total{result="complete"}'] >= 1
    assert found['fanfare_recoveries_total{result="gap"}'] == 0
    assert found["fanfare_delivery_lag_seconds_count"] >= 1
    assert 0 < found["fanfare_delivery_lag_seconds_sum"] < PATIENCE
    assert found['fanfare_store_bytes{file="database"}'] > 0
    assert found['fanfare_store_bytes{file="wal"}'] > 0
    assert abs(found["fanfare_config_last_reload_success_timestamp_seconds"] - before) < PATIENCE


def test_gaps_endings_and_descriptors(tmp_path):
    with serving(tmp_path, "channels:\n  /kept/**: {history: 2}\n") as broker:
        before = broker.samples()
        for number in range(3):
            broker.publish("/kept/a", number)
        with Peer(broker) as late, Peer(broker) as other:
            late.handshake()
            late.connect()
            late.ask(
                "/meta/subscribe", clientId=late.client_id, subscription="/kept/a", ext={"replay": {"/kept/a": 0}}
            )
            gap = late.take(lambda message: "gap" in message.get("ext", {}))
            assert (gap["channel"], gap["ext"]["gap"]) == ("/kept/a", {"from": 1, "to": 1})
            assert [late.next_message()["data"] for _ in range(2)] == [1, 2]
            # It is through with that a moment after it has written it.
            broker.wait_for_sample('fanfare_recoveries_total{result="gap"}', 1)
            during = broker.samples()
            assert during['fanfare_recoveries_total{result="gap"}'] == 1
            assert during['fanfare_recoveries_total{result="complete"}'] == 0
            assert during["process_open_fds"] >= before["process_open_fds"] + 2
            assert during["process_open_fds"] < during["process_max_fds"]

            other.listen("/a")
            late.leave()
            assert ask(broker, "DELETE", f"/admin/sessions/{other.client_id[:8]}")[0] == 200
            ended = broker.samples()
            name = "fanfare_sessions_ended_total"
            grown = {key: ended[key] - before[key] for key in ended if key.startswith(name)}
            assert {key: count for key, count in grown.items() if count} == {
                f'{name}{{reason="disconnect"}}': 1,
                f'{name}{{reason="kicked"}}': 1,
            }
        wait_for(lambda: broker.samples()["process_open_fds"] < during["process_open_fds"])


def test_a_flood_of_probes_costs_one_commit_in_a_second(own_broker):
    name = "fanfare_store_commit_messages_count"
    start = time.monotonic()
    before = own_broker.samples().get(name, 0)
    for _ in range(200):
        status, text = ask(own_broker, "GET", "/health/ready")
        # The answer of one that stood still for a while.
        assert status == 200 or "has not answered for" in text
    grown = own_broker.samples()[name] - before
    assert 1 <= grown <= 2 + (time.monotonic() - start)
