"""The broker's page in a real browser, headless Chromium.

Pictures of the page go to .build/artifacts, or to the folder that SCREENSHOTS names.
"""

import os
import pathlib
import shutil

from selenium import webdriver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.wait import WebDriverWait

from broker import PATIENCE, REPOSITORY

PHONE, DESK = (375, 812), (1120, 820)
ELSEWHERE = "fanfare.test"


def start_browser(*flags):
    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    # A name that is not this machine's own, for browsers do not count that as a network. The last such flag counts.
    options.add_argument(f"--host-resolver-rules=MAP {ELSEWHERE} 127.0.0.1")
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", *flags):
        options.add_argument(flag)
    driver = webdriver.Chrome(options, webdriver.ChromeService(shutil.which("chromedriver")))
    driver.set_script_timeout(PATIENCE)
    return driver


class Page:
    """The try-out page, open, connected, and subscribed to /demo/**."""

    def __init__(self, browser, broker, url=None):
        self.browser = browser
        self.browser.get(url or broker.url("/"))
        self.wait_until_connected()
        self.wait(lambda: self.texts("#subscriptions li"))

    def wait(self, condition):
        return WebDriverWait(self.browser, PATIENCE, poll_frequency=0.05).until(lambda _: condition())

    def wait_until_connected(self):
        self.wait(lambda: self.text("state") == "connected")

    def element(self, name):
        return self.browser.find_element(By.ID, name)

    def text(self, name):
        return self.element(name).text

    def texts(self, selector):
        # In one step, for the page may change between two.
        script = "return [...document.querySelectorAll(arguments[0])].map((element) => element.textContent)"
        return self.browser.execute_script(script, selector)

    def fill(self, name, text):
        element = self.element(name)
        element.clear()
        element.send_keys(text)
        return element

    def publish(self, channel, text):
        self.fill("publish-channel", channel)
        self.fill("publish-data", text)
        self.element("publish-button").click()

    def look(self, size=DESK, scheme="light"):
        """As on a screen of that size, with a preference for light or dark."""
        width, height = size
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": size == PHONE}
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def look_as_before(self):
        self.browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        self.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})

    def screenshot(self, name, size=DESK, scheme="light"):
        folder = os.environ.get("SCREENSHOTS", REPOSITORY / ".build" / "artifacts")
        pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
        self.look(size, scheme)
        self.browser.save_screenshot(str(pathlib.Path(folder) / f"{name}.png"))
