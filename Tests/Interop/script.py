"""Pieces of JavaScript in a page of the broker: what a test has them do, and what came of it."""

from selenium.webdriver.support.wait import WebDriverWait

from broker import PATIENCE

PREPARE = """
    const [done] = [...arguments].slice(-1);
    import("/fanfare.js").then((client) => {
        Object.assign(window, client, { got: [], gaps: [], states: [], errors: [] });
        window.until = async (condition) => {
            while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5));
        };
        // A client whose events, and deliveries to `note`, can be looked at.
        window.start = (options) => {
            const fanfare = connect(options);
            window.fanfare = fanfare;
            fanfare.addEventListener("state", ({ detail: { state, reason } }) => states.push([state, reason ?? null]));
            fanfare.addEventListener("gap", ({ detail }) => gaps.push(detail));
            fanfare.addEventListener("error", ({ detail }) => errors.push(detail.message));
            return fanfare;
        };
        window.note = (data) => got.push(data);
    }).then(() => done(null), (error) => done(String(error)));
"""


class Script:
    """A page without anything on it, at `url`, with `start`, `note`, `got`, `states`, `gaps`, `errors` at hand."""

    def __init__(self, browser, url):
        self.browser = browser
        self.open(url)

    def open(self, url):
        self.browser.get(url)
        self._prepare()

    def reload(self):
        self.browser.refresh()
        self._prepare()

    def _prepare(self):
        assert self.browser.execute_async_script(PREPARE) is None

    def run(self, body, *arguments):
        """What an async function with this body returns, or `{"error": …}`."""
        script = """
            const done = [...arguments].at(-1);
            (async (...arguments) => { BODY })(...arguments)
                .then((value) => done(value), (error) => done({ error: `${error.name}: ${error.message}` }));
        """
        return self.browser.execute_async_script(script.replace("BODY", body), *arguments)

    def wait(self, expression):
        """Wait until a JavaScript expression is true; its value."""
        script = f"return {expression}"
        try:
            return WebDriverWait(self.browser, PATIENCE, poll_frequency=0.02).until(
                lambda browser: browser.execute_script(script)
            )
        except Exception as error:
            state = self.browser.execute_script("return [states, window.fanfare?.transport, got.slice(-5), errors]")
            raise AssertionError(f"not within {PATIENCE} s: {expression}; {state}") from error
