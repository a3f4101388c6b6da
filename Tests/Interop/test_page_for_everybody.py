"""The try-out page with a keyboard, on a phone, with a screen reader, in light and in dark."""

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from page import PHONE


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
    """Nothing is wider than a screen of 375 px, or of 320, whatever is published; all can be read and used there."""
    broker.publish("/demo/" + "long" * 40, {"text": "x" * 500})
    page.wait(lambda: page.texts("#messages li"))
    try:
        for size in (PHONE, (320, 568)):
            page.look(size)
            wider = page.browser.execute_script(
                """
                const wide = [...document.querySelectorAll("body *")].filter((element) => {
                    const { left, right } = element.getBoundingClientRect();
                    return left < 0 || right > innerWidth;
                });
                const shown = wide.map((element) => element.outerHTML.slice(0, 80));
                return [document.documentElement.scrollWidth <= innerWidth, shown];
                """
            )
            assert wider == [True, []]
        page.look(PHONE, "dark")
        page.publish("/demo/phone", '"by thumb"')
        page.wait(lambda: page.texts("#messages .data")[:1] == ['"by thumb"'])
    finally:
        page.look_as_before()


CONTRAST = """
    const channels = (colour) => {
        const context = document.createElement("canvas").getContext("2d");
        context.fillStyle = colour;
        context.fillRect(0, 0, 1, 1);
        return [...context.getImageData(0, 0, 1, 1).data];
    };
    const luminance = ([red, green, blue]) => [red, green, blue].map((value) => value / 255)
        .map((value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4))
        .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0);
    const ground = (element) => {
        for (; element; element = element.parentElement) {
            const colour = channels(getComputedStyle(element).backgroundColor);
            if (colour[3] === 255) return colour;
        }
        return channels("white");
    };
    const faint = [];
    for (const element of document.querySelectorAll("body *")) {
        const isText = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
        if (!isText || !element.offsetParent) continue;
        const [one, other] = [luminance(channels(getComputedStyle(element).color)), luminance(ground(element))];
        const contrast = (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05);
        if (contrast < 4.5) faint.push([element.outerHTML.slice(0, 80), contrast]);
    }
    return faint;
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_everything_can_be_read(page, broker, scheme):
    """The contrast that WCAG 2 asks of texts (level AA), in light and in dark."""
    broker.publish("/demo/colours", {"text": "x", "number": 1, "word": None})
    page.wait(lambda: page.texts("#messages .word") == ["null"])
    page.wait(lambda: page.browser.execute_script("return document.getAnimations().length === 0"))
    try:
        page.look(scheme=scheme)
        assert page.browser.execute_script(CONTRAST) == []
    finally:
        page.look_as_before()
