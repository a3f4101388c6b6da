"""/dashboard in a real browser: what it shows, and what an administrator does there."""

import re
import time
import urllib.request

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from bayeux import Peer
from broker import PATIENCE, Broker, serving
from kept_connection import ask
from page import PHONE, Page
from tokens import SECRET, token


class Dashboard(Page):
    """The dashboard, open, with its first numbers."""

    def __init__(self, browser, broker, token=None):
        self.browser = browser
        browser.get(broker.url("/dashboard"))
        if token:
            self.wait(lambda: self.element("token").is_displayed())
            self.element("token").send_keys(token + Keys.ENTER)
        self.wait(lambda: self.element("state").get_attribute("data-state") == "live")

    def tile(self, title):
        script = """return [...document.querySelectorAll(".tile")]
            .find((tile) => tile.firstChild.textContent == arguments[0])
            .lastChild.textContent"""
        return self.browser.execute_script(script, title)

    def latest(self, title, line):
        """The last number of a line of a chart."""
        script = """const chart = [...document.querySelectorAll(".chart")]
                .find((chart) => chart.querySelector("figcaption > b").textContent == arguments[0]);
            return [...chart.querySelectorAll(".key")]
                .find((key) => key.firstChild.textContent.trim() == arguments[1])
                .lastChild.textContent"""
        return self.browser.execute_script(script, title, line)


@pytest.fixture
def dashboard(browser, own_broker):
    return Dashboard(browser, own_broker)


def test_it_shows_what_happens(dashboard, own_broker):
    with Peer(own_broker) as subscriber, Peer(own_broker) as other:
        subscriber.listen("/chat/*", "/news/**")
        other.listen("/chat/*")
        tag = subscriber.client_id[:8]
        dashboard.wait(lambda: dashboard.tile("Sessions") == "2")
        assert dashboard.tile("Channels") == "2"
        dashboard.wait(lambda: tag in dashboard.texts("#sessions td.code"))
        assert subscriber.client_id not in dashboard.browser.page_source

        def channels():
            return sorted("".join(row.split()) for row in dashboard.texts("#channels tbody tr"))

        def shows_rate():
            # Again and again: of each reading the last seconds count.
            own_broker.publish("/chat/a", 1)
            return dashboard.tile("Messages/s") != "0"

        dashboard.wait(lambda: channels() == ["/chat/*2", "/news/**1"])
        dashboard.wait(shows_rate)
        # Two readings make a line; the first number of a rate comes with the second.
        script = "return document.querySelector('.chart path.two').getAttribute('d').split('L').length"
        dashboard.wait(lambda: dashboard.browser.execute_script(script) > 3)
        other.leave()
        dashboard.wait(lambda: "disconnect" in dashboard.texts("#ended td"))
        dashboard.screenshot("dashboard")
        dashboard.screenshot("dashboard-dark", scheme="dark")
        dashboard.screenshot("dashboard-phone", size=PHONE)
        width = dashboard.browser.execute_script("return document.documentElement.scrollWidth")
        assert width <= PHONE[0], "nothing is wider than a phone"
        dashboard.look_as_before()


def test_it_shows_connections_and_who_is_slow(browser, tmp_path):
    with serving(tmp_path, "limits: {congested-bytes: 256KiB}\n") as broker:
        dashboard = Dashboard(browser, broker)
        assert dashboard.tile("Slow consumers") == "0"
        with Peer(broker, compression=None) as sleeper:
            sleeper.listen("/flood")
            dashboard.wait(lambda: dashboard.latest("Connections", "websocket") == "1")
            # Those of the browser are among them.
            assert int(dashboard.tile("Connections")) >= 2
            # Of what is not asked for the client reads some frames ahead, and the system takes some megabytes.
            deadline = time.monotonic() + PATIENCE
            while broker.samples()["fanfare_slow_consumers"] == 0:
                assert time.monotonic() < deadline, "nobody is slow"
                broker.publish("/flood", "x" * 200_000)
            dashboard.wait(lambda: dashboard.tile("Slow consumers") == "1")
            assert dashboard.texts(".tile.warn p") == ["Slow consumers"]
            assert dashboard.latest("Waiting", "for connections") != "0 B"
            dashboard.wait(lambda: dashboard.texts("#sessions .badge.slow") == ["slow"])
            broker.publish("/flood", "last")
            while sleeper.next_message("/flood").get("data") != "last":
                pass
            dashboard.wait(lambda: dashboard.tile("Slow consumers") == "0")
            assert dashboard.texts(".tile.warn p") == []


def test_it_shows_what_the_store_does(dashboard, own_broker):
    def mebibytes():
        number, unit = dashboard.tile("Store").split()
        return float(number) if unit == "MiB" else 0

    def commits():
        # Again and again: of each reading the last two seconds count.
        own_broker.publish("/kept?retain=true", 1)
        return dashboard.latest("Store", "commit p99") != "0 ms"

    assert dashboard.tile("Store") != "0 B" and mebibytes() < 2.5
    for number in range(3):
        own_broker.publish(f"/kept/{number}?retain=true", "x" * 900_000)
    dashboard.wait(lambda: mebibytes() >= 2.5)
    dashboard.wait(commits)
    assert re.fullmatch(r"[\d.]+ m?s", dashboard.latest("Store", "event loops late p99"))


def test_a_session_is_kicked_with_the_keyboard(dashboard, own_broker):
    with Peer(own_broker) as peer:
        peer.listen("/a")
        tag = peer.client_id[:8]
        dashboard.wait(lambda: tag in dashboard.texts("#sessions td.code"))
        dashboard.element("session-filter").send_keys(tag + Keys.TAB)
        # The list is scrollable, so that the keyboard may stand on it first.
        focused = "return document.activeElement.dataset.id ?? ''"
        if dashboard.browser.execute_script(focused) != tag:
            dashboard.browser.switch_to.active_element.send_keys(Keys.TAB)
        assert dashboard.browser.execute_script(focused) == tag
        dashboard.browser.switch_to.active_element.send_keys(Keys.ENTER)
        dashboard.wait(lambda: dashboard.element("confirm").is_displayed())
        assert tag in dashboard.text("confirm-text")
        # Leave it is first.
        dashboard.browser.switch_to.active_element.send_keys(Keys.TAB)
        dashboard.browser.switch_to.active_element.send_keys(Keys.ENTER)
        dashboard.wait(lambda: dashboard.text("notice") == f"The session {tag} has ended.")
        dashboard.wait(lambda: "kicked" in dashboard.texts("#ended td"))
        assert dashboard.texts("#sessions tbody tr") == ["No session matches."]


def test_a_kick_can_be_left(dashboard, own_broker):
    with Peer(own_broker) as peer:
        peer.listen("/a")
        dashboard.wait(lambda: dashboard.texts("#sessions button"))
        dashboard.browser.execute_script("document.querySelector('#sessions button').click()")
        dashboard.wait(lambda: dashboard.element("confirm").is_displayed())
        dashboard.browser.switch_to.active_element.send_keys(Keys.ESCAPE)
        dashboard.wait(lambda: not dashboard.element("confirm").is_displayed())
        own_broker.publish("/a", "still there")
        assert peer.next_message("/a")["data"] == "still there"


def test_a_retained_message_is_cleared(dashboard, own_broker):
    own_broker.publish("/config/theme?retain=true", "<b>dark</b>")
    dashboard.fill("retained-channel", "/config/theme").send_keys(Keys.ENTER)
    dashboard.wait(lambda: dashboard.text("retained-value") == '"<b>dark</b>"')
    dashboard.element("retained-clear").click()
    dashboard.wait(lambda: dashboard.element("confirm").is_displayed())
    dashboard.element("confirm-yes").click()
    dashboard.wait(lambda: "is cleared" in dashboard.text("notice"))
    assert ask(own_broker, "GET", "/channels/config/theme")[0] == 404


def test_it_says_that_the_broker_is_gone_and_comes_back(dashboard, own_broker):
    own_broker.stop()
    dashboard.wait(lambda: dashboard.element("state").get_attribute("data-state") == "lost")
    own_broker.start()
    dashboard.wait(lambda: dashboard.element("state").get_attribute("data-state") == "live")


@pytest.mark.parametrize("path", ["/dashboard", "/dashboard.js", "/dashboard.css"])
def test_nothing_inline_and_nobody_else(own_broker, path):
    with urllib.request.urlopen(own_broker.url(path), timeout=PATIENCE) as response:
        policy = response.headers["Content-Security-Policy"]
        text = response.read().decode()
    assert "unsafe" not in policy and "default-src 'none'" in policy and "frame-ancestors 'none'" in policy
    assert "<style" not in text and " style=" not in text and "onclick=" not in text


@pytest.mark.parametrize("headers", [{"Origin": "http://127.0.0.1:1"}, {"X-Forwarded-For": "192.0.2.1"}])
@pytest.mark.parametrize("path", ["/dashboard", "/dashboard.js"])
def test_it_is_the_administrators(broker, path, headers):
    assert ask(broker, "GET", path, **headers)[0] == 403


def test_where_tokens_are_taken_it_asks_for_one(browser, tmp_path):
    (tmp_path / "secret").write_text(SECRET + "\n")
    options = ["--config", tmp_path / "fanfare.yaml"]
    options[1].write_text(f"auth:\n  keys: [{tmp_path / 'secret'}]\n")
    broker = Broker(tmp_path / "fanfare.db", tmp_path / "broker.log", *options).start()
    try:
        browser.get(broker.url("/dashboard"))
        browser.execute_script("sessionStorage.clear()")
        dashboard = Dashboard(browser, broker, token(admin=True))
        assert dashboard.tile("Sessions") == "0"
        # One that is nobody's is forgotten, and asked for again.
        browser.execute_script("sessionStorage.setItem('fanfare-dashboard-token', arguments[0])", token())
        dashboard.wait(lambda: dashboard.element("token").is_displayed())
        assert not browser.find_element(By.TAG_NAME, "main").is_displayed()
    finally:
        broker.kill()
