"""Requests over HTTP: one, or one after the other over a connection that is kept."""

import contextlib
import http.client

from broker import PATIENCE


class KeptConnection:
    """Leaving the `with` block closes it."""

    def __init__(self, broker):
        self._http = http.client.HTTPConnection("127.0.0.1", broker.port, timeout=PATIENCE)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._http.close()

    def exchange(self, method, path, body=None, headers=()):
        """The status and the text of the answer."""
        self._http.request(method, path, body, dict(headers))
        response = self._http.getresponse()
        return response.status, response.read().decode()


def respond(broker, method, path, body=None, **headers):
    """One request over a connection of its own: its response, and the text of that unless it does not end."""
    connection = http.client.HTTPConnection("127.0.0.1", broker.port, timeout=PATIENCE)
    with contextlib.closing(connection):
        connection.request(method, path, body, {name.replace("_", "-"): value for name, value in headers.items()})
        response = connection.getresponse()
        is_stream = response.headers["Content-Type"] == "text/event-stream"
        return response, "" if is_stream else response.read().decode()


def ask(broker, method, path, body=None, **headers):
    """The same; the status of the response, and its text."""
    response, text = respond(broker, method, path, body, **headers)
    return response.status, text
