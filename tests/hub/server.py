"""HTTP/1.1 on loopback: reads requests, hands them to the Hub, sends its answers as they are meant to be sent."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Callable, List

from tests.hub.messages import Answer, Logged, Request

_CHUNK = 1 << 16
Respond = Callable[[Request], Answer]


class Side(ThreadingHTTPServer):
    """One of the two servers; ``name`` is the host name under which it is spoken to."""

    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, side: str, bind: str, port: int, name: str, respond: Respond, log: List[Logged]) -> None:
        super().__init__((bind, port), _Handler)
        self.side = side
        self.url = f"http://{name}:{self.server_address[1]}"
        self.respond = respond
        self.log = log
        self.latency = 0.0
        self.closing = threading.Event()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def close(self) -> None:
        """Stop listening."""
        self.closing.set()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that hang up; anything else is a fault of this Hub."""
        import sys

        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)  # type: ignore[arg-type]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = _CHUNK
    timeout = 60
    server: Side

    def _handle(self) -> None:
        side = self.server
        request = Request(self.command, self.path, self.headers, self._body(), side.side, side.url)
        logged = Logged(
            side.side,
            request.method,
            request.target,
            self.headers.get("Range"),
            "Authorization" in self.headers,
            len(request.body),
        )
        side.log.append(logged)
        answer = side.respond(request)
        logged.status = answer.status
        if side.closing.wait(side.latency + answer.delay) or answer.drop:
            self._hang_up()
        else:
            self._send(answer, logged)

    do_GET = do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = _handle

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() == "chunked":
            parts = []
            while True:
                size = int(self.rfile.readline().split(b";")[0], 16)
                parts.append(self.rfile.read(size))
                self.rfile.readline()
                if size == 0:
                    return b"".join(parts)
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def _send(self, answer: Answer, logged: Logged) -> None:
        if answer.drip_headers:
            self._drip(b"HTTP/1.1 200 OK\r\nX-Padding: " + b"x" * (1 << 16), answer.drip or 0.0)
            self._hang_up()
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            if value:
                self.send_header(name, value)
        self.send_header("Content-Length", str(answer.size if answer.length is None else answer.length))
        self.end_headers()
        if answer.drip is not None:
            self._drip(answer.read(0, answer.size), answer.drip)
        elif self.command != "HEAD":
            stop = answer.size if answer.cut_after is None else min(answer.cut_after, answer.size)
            for start in range(0, stop, _CHUNK):
                self._write(answer.read(start, min(start + _CHUNK, stop)), start, answer, logged)
            if answer.cut_after is not None:
                self._hang_up()
                return
        self.wfile.flush()

    def _write(self, chunk: bytes, start: int, answer: Answer, logged: Logged) -> None:
        pause_at = answer.stall_after
        logged.sent += len(chunk)
        if pause_at is not None and start <= pause_at < start + len(chunk):
            self.wfile.write(chunk[: pause_at - start])
            self.wfile.flush()
            self.server.closing.wait(answer.stall_seconds)
            chunk = chunk[pause_at - start :]
        self.wfile.write(chunk)

    def _drip(self, content: bytes, seconds: float) -> None:
        """Send a byte now and then, until the client hangs up or the Hub closes."""
        for number in range(len(content)):
            self.wfile.write(content[number : number + 1])
            self.wfile.flush()
            if self.server.closing.wait(seconds):
                return

    def _hang_up(self) -> None:
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, *args: object) -> None:
        """The Hub keeps its own log."""
