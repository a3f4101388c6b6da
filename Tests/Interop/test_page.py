"""The try-out page at `/`, used as a person would use it."""

import json
import urllib.error
import urllib.request

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from broker import PATIENCE, Broker
from page import PHONE, Page


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
    # A second with messages lies behind.
    page.wait(lambda: not page.text("rate-text").startswith("0"))
    page.wait(lambda: page.browser.execute_script("return document.getAnimations().length === 0"))
    page.screenshot("page")
    page.screenshot("page-dark", scheme="dark")
    page.screenshot("page-phone", size=PHONE)
    page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
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
    page.wait(lambda: page.text("status") == f"Published to {channel}")


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


def test_page_with_the_keyboard(page, broker):
    """Subscribing by Enter, publishing by Ctrl+Enter, unsubscribing by the button of the subscription."""
    page.fill("subscribe-channel", "/keys/*").send_keys(Keys.ENTER)
    page.wait(lambda: page.texts("#subscriptions li") == ["/demo/**✕", "/keys/*✕"])
    page.fill("publish-channel", "/keys/a")
    page.fill("publish-data", "[1]").send_keys(Keys.CONTROL, Keys.ENTER)
    page.wait(lambda: page.texts("#messages .channel") == ["/keys/a"])
    page.browser.find_element(By.CSS_SELECTOR, "#subscriptions li:last-child button").send_keys(Keys.ENTER)
    page.wait(lambda: page.texts("#subscriptions li") == ["/demo/**✕"])
    page.wait(lambda: broker.publish("/keys/a", 2)["matched"] == 0)


def test_page_keeps_the_last_messages_only(page, broker):
    for number in range(230):
        broker.publish("/demo/flood", number)
    page.wait(lambda: page.texts("#messages .data")[:1] == ["229"])
    assert page.texts("#messages .data") == [str(number) for number in range(229, 29, -1)]
    assert page.text("count") == "230 received, the last 200 shown"
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
    page.wait(lambda: not page.text("rate-text").endswith("peak 0"))
    points = page.browser.execute_script("return document.querySelector('#rate polyline').getAttribute('points')")
    assert len({point.split(",")[1] for point in points.split()}) > 1


def test_everything_on_the_page_has_a_name(page):
    """For those who do not see it: each control, list and picture is named, and can be reached with the keyboard."""
    unnamed = page.browser.execute_script(
        """
        const controls = [...document.querySelectorAll("input, textarea, button, svg[role=img], section, ol, ul")];
        return controls.filter((control) => !(control.labels?.length || control.ariaLabel || control.textContent.trim()
            || document.getElementById(control.getAttribute("aria-labelledby")))).map((control) => control.outerHTML);
        """
    )
    assert unnamed == []
    reached = []
    page.browser.execute_script("document.activeElement.blur()")
    for _ in range(20):
        page.browser.switch_to.active_element.send_keys(Keys.TAB)
        reached.append(page.browser.execute_script("return document.activeElement.id"))
    wanted = [
        *("subscribe-channel", "subscribe-button", "publish-channel", "publish-data", "publish-retain"),
        *("publish-button", "clear-button"),
    ]
    assert [name for name in reached if name in wanted][: len(wanted)] == wanted


def test_page_fits_a_phone(page, broker):
    """Nothing is wider than the screen, whatever is published."""
    broker.publish("/demo/" + "long" * 40, {"text": "x" * 500})
    page.wait(lambda: page.texts("#messages li"))
    width, height = PHONE
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    assert page.browser.execute_script("return document.documentElement.scrollWidth") <= width
    page.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


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
