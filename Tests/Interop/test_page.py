"""The try-out page at `/`, used as a person would use it."""

import json
import urllib.error
import urllib.request

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from broker import PATIENCE, Broker
from page import DESK, PHONE, Page
from proxy import Network


def test_page_receives(page, broker):
    """What the shell publishes is shown, newest first."""
    for document in ('{"text":"Hello from a shell","n":1}', '{"text":"and again","tags":["a","b"]}'):
        assert broker.run_cli("publish", "/demo/shell", document).returncode == 0
    page.wait(lambda: len(page.texts("#messages li")) == 2)
    assert page.texts("#messages .channel") == ["/demo/shell", "/demo/shell"]
    assert [json.loads(text) for text in page.texts("#messages .data")] == [
        {"text": "and again", "tags": ["a", "b"]},
        {"text": "Hello from a shell", "n": 1},
    ]
    broker.publish("/demo/theme?retain=true", "dark")
    for number in range(12):
        broker.publish(f"/demo/room-{number % 3}", {"n": number})
    page.wait(lambda: page.texts("#retained dd") == ['"dark"'])

    def shows_rate():
        # Again and again: only the last whole second counts.
        broker.publish("/demo/room-0", {"n": 12})
        return page.text("rate-now") != "0"

    page.wait(shows_rate)
    page.wait(lambda: page.browser.execute_script("return document.getAnimations().length === 0"))
    for suffix, size in (("", DESK), ("-phone", PHONE)):
        for scheme in ("light", "dark"):
            page.screenshot(f"page{suffix}{'-dark' if scheme == 'dark' else ''}", size, scheme)
    messages = page.browser.find_element(By.CSS_SELECTOR, "[aria-labelledby=messages-title]")
    page.browser.execute_script("arguments[0].scrollIntoView({ behavior: 'instant' })", messages)
    page.screenshot("page-phone-messages-dark", PHONE, "dark")
    page.look_as_before()
    broker.publish("/demo/theme?retain=true", None)


def test_page_publishes(page, broker):
    """What the page publishes comes out of a shell."""
    # Not below /demo, where the page itself listens.
    channel = "/from-the-page"
    with broker.cli("subscribe", channel, "--count", "2") as subscriber:
        broker.publish_until_matched(channel, "ready")
        assert json.loads(subscriber.lines.next())["data"] == "ready"
        page.publish(channel, '{"text": "Grüße \\ud83c\\udfba"}')
        document = json.loads(subscriber.lines.next())
        assert subscriber.wait() == 0
    assert (document["channel"], document["data"]) == (channel, {"text": "Grüße \N{TRUMPET}"})
    page.wait(lambda: page.text("status") == f"Published to {channel}: 1 subscriber now, not kept")
    page.element("publish-retain").click()
    page.publish(channel, '"kept"')
    page.wait(lambda: page.text("status").startswith(f"Published to {channel}: 0 subscribers now, kept as number "))
    broker.publish(channel + "?retain=true", None)


def test_page_refuses_what_is_no_json(page):
    page.publish("/demo/page", "{text: 1}")
    assert page.text("status").startswith("This is not JSON:")
    assert "bad" in page.element("status").get_attribute("class")


def test_page_shows_the_refusal(page):
    page.publish("/foo.bar", "1")
    page.wait(lambda: page.text("status") == "405:/foo.bar:Invalid channel")
    page.fill("subscribe-channel", "/meta/**").send_keys(Keys.ENTER)
    page.wait(lambda: page.text("status") == "403:/meta/**:Forbidden channel")
    assert page.texts("#subscriptions li") == ["/demo/**✕"]


def test_page_shows_strangers_text_as_text(page, broker):
    attack = '<img src=x onerror="window.attacked = true"><script>window.attacked = true</script>'
    broker.publish("/demo/attack", {attack: attack})
    page.wait(lambda: page.texts("#messages li"))
    assert json.loads(page.texts("#messages .data")[0]) == {attack: attack}
    script = "return [window.attacked, document.querySelectorAll('#messages img, #messages script').length]"
    assert page.browser.execute_script(script) == [None, 0]


def test_page_keeps_the_last_messages_only(page, broker):
    for number in range(230):
        broker.publish("/demo/flood", number)
    page.wait(lambda: page.texts("#messages .data")[:1] == ["229"])
    assert page.texts("#messages .data") == [str(number) for number in range(229, 29, -1)]
    assert (page.text("received"), page.text("count")) == ("230", "the last 200")
    page.element("clear-button").click()
    assert page.texts("#messages li") == []


def test_page_survives_a_restart(browser, own_broker):
    """The broker goes and comes back: the page shows it, connects by itself, and is subscribed as before."""
    page = Page(browser, own_broker)
    own_broker.stop()
    page.wait(lambda: page.text("state") in ("reconnecting", "connecting"))
    page.publish("/demo/outbox", '"published while the broker was away"')
    own_broker.start()
    page.wait_until_connected()
    page.wait(lambda: page.texts("#messages .data") == ['"published while the broker was away"'])
    own_broker.publish("/demo/live", 1)
    page.wait(lambda: page.texts("#messages .channel") == ["/demo/live", "/demo/outbox"])


def test_page_gets_a_new_session_when_the_old_one_is_lost(browser, tmp_path):
    """A broker that keeps nothing forgets the session: the page shakes hands anew and subscribes again."""
    broker = Broker(":memory:", tmp_path / "broker.log").start()
    try:
        page = Page(browser, broker)
        broker.stop()
        broker.start()
        page.wait_until_connected()
        broker.publish_until_matched("/demo/new", "new")
        page.wait(lambda: page.texts("#messages .data") == ['"new"'])
        assert page.texts("#subscriptions li") == ["/demo/**✕"]
    finally:
        broker.kill()


def test_page_shows_channels_and_what_they_retain(page):
    """A retained message is published, changed from elsewhere, cleared; a channel is chosen to publish to it."""
    page.element("publish-retain").click()
    page.publish("/demo/theme", '"dark"')
    page.wait(lambda: page.texts("#retained dt, #retained dd") == ["/demo/theme", '"dark"'])
    assert page.texts("#channels button span") == ["/demo/theme", "1"]
    page.browser.execute_script("fetch('/channels/demo/theme?retain=true', { method: 'POST', body: '\"light\"' })")
    page.wait(lambda: page.texts("#retained dd") == ['"light"'])
    page.fill("publish-channel", "/elsewhere")
    page.browser.find_element(By.CSS_SELECTOR, "#channels button").send_keys(Keys.ENTER)
    assert page.element("publish-channel").get_attribute("value") == "/demo/theme"
    page.publish("/demo/theme", "null")
    page.wait(lambda: page.texts("#retained dd") == [])
    assert page.texts("#channels button span") == ["/demo/theme", "3"]


def test_page_shows_the_rate(page, broker):
    for number in range(20):
        broker.publish("/demo/rate", number)
    page.wait(lambda: int(page.text("rate-peak")) > 0)
    points = page.browser.execute_script("return document.querySelector('#rate polyline').getAttribute('points')")
    assert len({point.split(",")[1] for point in points.split()}) > 1


def test_page_says_what_is_missing(browser, tmp_path):
    """Messages that were never kept, by their number; a log that began anew."""
    settings = tmp_path / "settings.yaml"
    settings.write_text("limits: { queued-messages: 5 }\n")
    broker = Broker(":memory:", tmp_path / "broker.log", "--config", settings).start()
    try:
        with Network(broker) as network:
            page = Page(browser, broker, network.url("/"))
            broker.publish("/demo/kept?retain=true", 1)
            page.wait(lambda: page.texts("#messages .data") == ["1"])
            network.cut()
            page.wait(lambda: page.text("state") in ("reconnecting", "connecting"))
            # What is written to a connection that has ended is lost.
            broker.wait_until_none('fanfare_connections{transport="websocket"}')
            for number in range(8):
                broker.publish("/demo/live", number)
            network.mend()
            page.wait(lambda: len(page.texts("#messages .data")) == 6)
            assert page.texts("#messages .gap") == ["Missed on /demo/live: 3 messages"]
            broker.kill()
            broker.start()
            page.wait_until_connected()
            page.wait(lambda: broker.publish("/demo/kept?retain=true", 2)["matched"] == 1)
            page.wait(lambda: len(page.texts("#messages .gap")) == 2)
            assert page.texts("#messages .gap")[0].startswith("The broker's log began anew: what came on /demo/kept")
            assert "bad" in page.element("status").get_attribute("class")
    finally:
        broker.kill()


def test_page_keeps_to_its_policy(page, broker):
    """Nothing that the page does is against its Content-Security-Policy, which lets no script in its text run."""
    page.browser.execute_script(
        """
        window.violations = [];
        addEventListener("securitypolicyviolation", ({ violatedDirective }) => violations.push(violatedDirective));
        """
    )
    page.publish("/demo/policy", '"a"')
    page.wait(lambda: page.texts("#messages .data") == ['"a"'])
    assert page.browser.execute_script("return violations") == []
    page.browser.execute_script(
        """
        const script = Object.assign(document.createElement("script"), { textContent: "window.attacked = true" });
        document.body.append(script);
        document.body.append(Object.assign(document.createElement("img"), { src: "http://127.0.0.1:1/x.png" }));
        """
    )
    page.wait(lambda: page.browser.execute_script("return violations.length === 2"))
    assert page.browser.execute_script("return [violations.sort(), window.attacked ?? null]") == [
        ["img-src", "script-src-elem"],
        None,
    ]


def test_page_can_be_switched_off(tmp_path):
    """Then there is nothing at /, and the banner does not speak of it; the client is still there."""
    settings = tmp_path / "settings.yaml"
    settings.write_text("page: false\n")
    broker = Broker(":memory:", tmp_path / "broker.log", "--config", settings).start()
    try:
        status = []
        for path in ("/", "/fanfare.js"):
            try:
                with urllib.request.urlopen(broker.url(path), timeout=PATIENCE) as response:
                    status.append(response.status)
            except urllib.error.HTTPError as error:
                status.append(error.code)
                error.close()
        assert status == [404, 200]
        assert not any("page" in line for line in broker.banner)
    finally:
        broker.kill()
