"""deploy/prometheus and deploy/grafana: what they name is what the broker tells; alerts fire when they should."""

import json
import re
import subprocess

from broker import REPOSITORY
from kept_connection import ask

ALERTS = REPOSITORY / "deploy" / "prometheus" / "alerts.yml"
BOARD = REPOSITORY / "deploy" / "grafana" / "fanfare.json"
# Told by the machine's exporter or by Prometheus itself.
OTHERS = {"up", "node_filesystem_avail_bytes"}
# Only there with TLS, or once something went wrong.
SOMETIMES = {"fanfare_certificate_not_after_timestamp_seconds", "fanfare_store_errors_total"}
METRIC = re.compile(r"\b((?:fanfare|process|node)_[a-z_]+|up)\b(?=[\[{ ])")


def names_of(broker):
    """All names of samples that /metrics tells of a broker with a store that has been used."""
    broker.publish("/monitoring/a", 1)
    status, text = ask(broker, "GET", "/metrics")
    assert status == 200
    return {re.split("[{ ]", line)[0] for line in text.splitlines() if not line.startswith("#")} | SOMETIMES


def promtool(*arguments):
    run = subprocess.run(
        ["promtool", *arguments], cwd=ALERTS.parent, capture_output=True, encoding="utf-8", timeout=60
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def test_promtool_accepts_the_alerts():
    assert "15 rules found" in promtool("check", "rules", "alerts.yml")


def test_each_alert_fires_and_none_while_all_is_well():
    promtool("test", "rules", "alerts-test.yml")
    alerts = re.findall(r"- alert: (\w+)", ALERTS.read_text())
    tested = re.findall(r"- name: (\w+)", (ALERTS.parent / "alerts-test.yml").read_text())
    assert set(alerts) <= set(tested)


def test_each_alert_is_documented_and_no_other():
    page = (REPOSITORY / "docs" / "monitoring.md").read_text()
    assert set(re.findall(r"`(Fanfare[A-Z]\w+)`", page)) == set(re.findall(r"- alert: (\w+)", ALERTS.read_text()))


def test_alerts_are_about_metrics_that_there_are(own_broker):
    expressions = re.sub(r"(?m)^ *(action|summary):.*$", "", ALERTS.read_text())
    used = set(METRIC.findall(expressions)) - OTHERS
    assert len(used) > 10
    assert used - names_of(own_broker) == set()


def test_the_board_shows_metrics_that_there_are(own_broker):
    board = json.loads(BOARD.read_text())
    expressions = [target["expr"] for panel in board["panels"] for target in panel.get("targets", [])]
    assert len(expressions) > 30
    used = {name for expression in expressions for name in METRIC.findall(expression)}
    assert used - names_of(own_broker) == set()
    documented = re.findall(r"^\| `(fanfare_[a-z_]+)`", (REPOSITORY / "docs" / "monitoring.md").read_text(), re.M)
    shown = {re.sub("_(bucket|sum|count)$", "", name) for name in used} | {"fanfare_build_info"}
    # The number of the last publication and the configuration's time are shown as what is made of them.
    assert set(documented) - shown - {"fanfare_config_last_reload_success_timestamp_seconds"} == set()
