"""The try-out page at `/`, used as a person would use it."""

import json

from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from broker import Broker
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
    page.wait(lambda: page.browser.execute_script("return document.getAnimations().length === 0"))
    page.screenshot("page")
    page.screenshot("page-dark", scheme="dark")
    page.screenshot("page-phone", size=PHONE)


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
