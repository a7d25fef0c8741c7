"""People who let clients in, in mode `builtin`, and what such clients have: an address that people are
led back to, and a document that says what they are."""

from __future__ import annotations

import json
import queue
import ssl
import subprocess
import threading
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urljoin, urlsplit

from askfile import Server, run
from wire import PATIENCE, Answer, http

SCOPE = "asset:upload media:read media:attach media:delete"
EMPTY = ("text/html", b"<!doctype html><title>Back</title>")
FORM = {"content-type": "application/x-www-form-urlencoded"}


def sign_in_code(folder: Path, *options: str) -> str:
    """A code for Ana, as the operator makes it."""
    made = run(folder, "signin", "--for", "Ana", *options)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def grants(folder: Path, *options: str) -> list[dict[str, Any]]:
    """Who is let in."""
    listed = run(folder, "grants", "list", "--json", *options)
    assert listed.returncode == 0, listed.stderr
    return json.loads(listed.stdout)


def post(server: Server, path: str, **fields: str) -> Answer:
    """A form that a client sends."""
    return http("POST", f"{server.url}/oauth/{path}", urlencode(fields).encode(), FORM)


def revoke(server: Server, token: str, client: str) -> None:
    """As RFC 7009 has it."""
    assert post(server, "revoke", token=token, client_id=client).status == 200


class Site:
    """A web server of the test's own, on a thread."""

    def __init__(self, certificate: Path | None = None) -> None:
        self.seen: queue.Queue[str] = queue.Queue()
        self.pages: dict[str, tuple[str, bytes]] = {}
        """What else there is than an empty page, by path."""
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.seen.put(self.path)
                kind, body = site.pages.get(urlsplit(self.path).path, EMPTY)
                self.send_response(200)
                self.send_header("content-type", kind)
                self.send_header("content-length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if certificate:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate, certificate.with_suffix(".key"))
            # Shaken hands on the thread of the connection, so that nobody waits for another.
            self._server.socket = context.wrap_socket(
                self._server.socket, server_side=True, do_handshake_on_connect=False
            )
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        if certificate:
            self.url = f"https://localhost:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class WayBack(Site):
    """Where a program on this device is answered."""

    def __init__(self) -> None:
        super().__init__()
        self.address = f"{self.url}/callback"

    def answer(self) -> str:
        """The next answer: the query of the address that somebody was led to."""
        while True:
            path, _, query = self.seen.get(timeout=PATIENCE).partition("?")
            if path == "/callback":
                return query


class Documents(Site):
    """What clients say of themselves, over TLS."""

    def put(self, path: str, **more: Any) -> str:
        """Publishes a client's document, and gives its address: the client's id."""
        client_id = f"{self.url}{path}"
        document = json.dumps({"client_id": client_id} | more)
        self.pages[path] = ("application/json", document.encode())
        return client_id


def make_certificate(folder: Path) -> Path:
    """A certificate of this machine, which signed it itself; its key lies beside it."""
    path = folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-noenc", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
    command += ["-addext", "basicConstraints=critical,CA:FALSE"]
    command += ["-keyout", str(path.with_suffix(".key")), "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path
