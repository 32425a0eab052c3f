"""A web server of the tests' own, on the loopback, that can be slow, unreliable, or without ranges."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


@dataclass
class Behaviour:
    """What the server does to its objects on the way."""

    ranges: bool = True
    says_ranges: bool = True  # in Accept-Ranges, where it has none
    sizes: bool = True  # Content-Length
    every: int = 0  # of so many requests one fails with `status`
    status: int = 503
    cut_after: int = 0  # bytes of an answer, the first time that a part is asked for
    always_cut: bool = False
    pause: float = 0  # seconds between two pieces
    piece: int = 16384
    password: str = ""  # user:password in base64


@dataclass
class Served:
    """A server that runs, and what it was asked."""

    url: str
    objects: dict[str, bytes]
    behaviour: Behaviour
    requests: list[tuple[str, str, str | None]] = field(default_factory=list)  # method, path, range
    sent: int = 0


@contextmanager
def serving(objects: dict[str, bytes], behaviour: Behaviour | None = None) -> Iterator[Served]:
    """Serve these objects, by their paths; a path that ends with a slash lists those below it."""
    cut: set[tuple[str, str | None]] = set()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self) -> None:
            self.answer(body=False)

        def do_GET(self) -> None:
            self.answer(body=True)

        def answer(self, body: bool) -> None:
            how, asked = served.behaviour, self.headers.get("Range")
            path = self.path.partition("?")[0]
            served.requests.append((self.command, self.path, asked))
            if how.every and len(served.requests) % how.every == 0:
                return self.refuse(how.status)
            if how.password and self.headers.get("Authorization") != f"Basic {how.password}":
                return self.refuse(401)
            if any(name.startswith(path + "/") for name in served.objects):
                return self.refuse(301, path + "/")
            whole = listing(path) if path.endswith("/") else served.objects.get(path)
            if whole is None:
                return self.refuse(404)
            part = re.fullmatch(r"bytes=(\d+)-(\d+)", asked or "") if how.ranges else None
            start, end = (int(part[1]), int(part[2]) + 1) if part else (0, len(whole))
            octets = whole[start:end]
            self.send_response(206 if part else 200)
            if part:
                self.send_header("Content-Range", f"bytes {start}-{end - 1}/{len(whole)}")
            elif not how.ranges and how.says_ranges:
                self.send_header("Accept-Ranges", "none")
            if path.endswith("/"):
                self.send_header("Content-Type", "text/html")
            if how.sizes:
                self.send_header("Content-Length", str(len(octets)))
            else:
                self.send_header("Connection", "close")
                self.close_connection = True
            self.end_headers()
            if body:
                self.send(octets, path, asked)

        def send(self, octets: bytes, path: str, asked: str | None) -> None:
            how = served.behaviour
            short = how.cut_after and len(octets) > how.cut_after and (how.always_cut or (path, asked) not in cut)
            cut.add((path, asked))
            left = octets[: how.cut_after] if short else octets
            for at in range(0, len(left), how.piece):
                time.sleep(how.pause)
                self.wfile.write(left[at : at + how.piece])
                served.sent += len(left[at : at + how.piece])
            if short:
                self.wfile.flush()
                self.connection.shutdown(2)
                self.close_connection = True

        def refuse(self, status: int, location: str = "") -> None:
            self.send_response(status)
            if location:
                self.send_header("Location", location)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    def listing(path: str) -> bytes:
        below = sorted({name[len(path) :].partition("/")[0] + ("/" if "/" in name[len(path) :] else "")
                        for name in served.objects if name.startswith(path)})  # fmt: skip
        return b"".join(f'<a href="{name}">{name}</a>\n'.encode() for name in below)

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """A reader that has enough hangs up."""

    server = Server(("127.0.0.1", 0), Handler)
    served = Served(f"http://127.0.0.1:{server.server_port}", objects, behaviour or Behaviour())
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield served
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
