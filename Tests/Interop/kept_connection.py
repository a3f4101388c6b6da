"""An HTTP connection to a broker that is kept for one request after the other."""

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
