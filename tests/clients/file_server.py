"""File servers over TLS, good and hostile, and names that lead to them."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

Serve = Callable[[BaseHTTPRequestHandler], None]


class Files:
    """A file server that does to each request what the test says."""

    def __init__(self, certificate: Path, host: str = "127.0.0.1", port: int = 0) -> None:
        self.serve: Serve = lambda request: None
        self.seen: list[str] = []
        self.callers = 0
        """How many connections there were, whatever came over them."""
        self.is_over = threading.Event()
        files = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                files.seen.append(self.path)
                with suppress(OSError):
                    files.serve(self)

            def log_message(self, *_: object) -> None:
                pass

        class Counting(ThreadingHTTPServer):
            def get_request(self) -> tuple[socket.socket, object]:
                files.callers += 1
                return super().get_request()

        self._server = Counting((host, port), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.port = self._server.server_port
        self.url = f"https://localhost:{self.port}"
        threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True).start()

    def close(self) -> None:
        self.is_over.set()
        self._server.shutdown()
        self._server.server_close()


def sends(body: bytes, status: int = 200, **headers: str) -> Serve:
    """An answer to everything."""

    def serve(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in ({"content_length": str(len(body))} | headers).items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body)

    return serve


class Names:
    """A name server that leads every name to the first of `answers`, and each later look-up to the next;
    the last stays."""

    A, AAAA = 1, 28

    def __init__(self, host: str) -> None:
        self.host = host
        self.answers: list[list[str]] = []
        self.lookups = 0
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 53))
        self._thread = threading.Thread(target=self._answer_all, daemon=True)
        self._thread.start()

    @property
    def inside(self) -> tuple[str, ...]:
        """A command that runs another where this is the one name server."""
        mount = 'echo "nameserver $0" >resolv.conf && mount --bind resolv.conf /etc/resolv.conf && exec "$@"'
        return ("unshare", "--map-root-user", "--mount", "sh", "-c", mount, self.host)

    def close(self) -> None:
        with suppress(OSError):
            # It says that there is no connection, and wakes who waits for a query all the same.
            self._socket.shutdown(socket.SHUT_RD)
        self._thread.join()
        self._socket.close()

    def _answer_all(self) -> None:
        while True:
            query, who = self._socket.recvfrom(512)
            if not query:
                return
            self._socket.sendto(self._answer(query), who)

    def _answer(self, query: bytes) -> bytes:
        end = query.index(b"\0", 12) + 5
        [kind] = struct.unpack(">H", query[end - 4 : end - 2])
        # A look-up asks for both kinds of address.
        turn = min(self.lookups, len(self.answers) - 1)
        found = [packed for text in self.answers[turn] if (packed := self._of_kind(text, kind))]
        if kind == self.AAAA:
            self.lookups += 1
        # An answer without an error, from one who looks names up for others.
        head = query[:2] + struct.pack(">HHHHH", 0x8180, 1, len(found), 0, 0)
        # Of the name in the question, which lasts for no second.
        records = (
            struct.pack(">HHHIH", 0xC00C, kind, 1, 0, len(packed)) + packed for packed in found
        )
        return head + query[12:end] + b"".join(records)

    def _of_kind(self, text: str, kind: int) -> bytes | None:
        family = socket.AF_INET6 if ":" in text else socket.AF_INET
        is_wanted = kind == (self.AAAA if family == socket.AF_INET6 else self.A)
        return socket.inet_pton(family, text) if is_wanted else None
