"""A web server of the test run: for pages of other sites, and whatever else a page or a program fetches."""

import dataclasses
import http.server
import mimetypes
import threading


@dataclasses.dataclass
class Answer:
    """What a request is answered with."""

    body: bytes = b""
    status: int = 200
    type: str = "text/html; charset=utf-8"
    fields: dict = dataclasses.field(default_factory=dict)


class WebServer(http.server.ThreadingHTTPServer):
    """Answers GET on a free port within a `with` block, as `answer` says: it gets the path, and returns an `Answer`."""

    def __init__(self, answer):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answer = answer
        self._thread = threading.Thread(target=self.serve_forever, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.shutdown()
        self._thread.join()
        self.server_close()

    def url(self, path="/", host="127.0.0.1"):
        return f"http://{host}:{self.server_port}{path}"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        answer = self.server.answer(self.path)
        self.send_response(answer.status)
        fields = {"Content-Type": answer.type, "Content-Length": len(answer.body), **answer.fields}
        for name, value in fields.items():
            self.send_header(name, str(value))
        self.end_headers()
        self.wfile.write(answer.body)

    def log_message(self, *_):
        pass


def files(folder):
    """Answers with the files of a folder."""

    def answer(path):
        name = path.partition("?")[0].removeprefix("/") or "index.html"
        file = folder / name
        if not file.is_file():
            return Answer(status=404)
        return Answer(file.read_bytes(), type=mimetypes.guess_type(name)[0] or "application/octet-stream")

    return answer
