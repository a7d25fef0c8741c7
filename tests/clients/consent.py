"""People who let clients in, in mode `builtin`, and what such clients have: an address that people are
led back to, and a document that says what they are."""

from __future__ import annotations

import base64
import hashlib
import json
import queue
import secrets
import ssl
import subprocess
import threading
from html.parser import HTMLParser
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urlsplit

from askfile import Server, run
from wire import PATIENCE, Answer, http

if TYPE_CHECKING:
    from playwright.sync_api import Page

EMPTY = ("text/html", b"<!doctype html><title>Back</title>")
FORM = {"content-type": "application/x-www-form-urlencoded"}


def sign_in_code(folder: Path, *options: str) -> str:
    """A code for Ana, as the operator makes it."""
    made = run(folder, "signin", "--for", "Ana", *options)
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def type_code(page: Page, code: str) -> None:
    """As people do, on the first page."""
    page.get_by_label("Sign-in code").fill(code)
    page.get_by_role("button", name="Continue").click()


def grants(folder: Path) -> list[dict[str, Any]]:
    """Who is let in."""
    listed = run(folder, "grants", "list", "--json")
    assert listed.returncode == 0, listed.stderr
    return json.loads(listed.stdout)


def post(server: Server, path: str, **fields: str) -> Answer:
    """A form that a client sends."""
    return http("POST", f"{server.url}/oauth/{path}", urlencode(fields).encode(), FORM)


def register(server: Server, name: str, *redirects: str) -> str:
    """Registers a client, and gives its id."""
    body = json.dumps({"client_name": name, "redirect_uris": redirects}).encode()
    endpoint = f"{server.url}/oauth/register"
    answer = http("POST", endpoint, body, {"content-type": "application/json"})
    assert answer.status == 201, answer
    return answer.json["client_id"]


class Pkce:
    """What a client proves with that it is the one which asked (RFC 7636)."""

    def __init__(self) -> None:
        self.verifier = secrets.token_urlsafe(48)
        digest = hashlib.sha256(self.verifier.encode()).digest()
        self.challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")


def address(server: Server, client_id: str, redirect: str, **other: str) -> str:
    """Where a client leads a person, with nothing wrong but for what is given as `other`."""
    request = {
        "response_type": "code",
        "client_id": client_id,
        "redirect_uri": redirect,
        "state": "a state",
        "code_challenge": Pkce().challenge,
        "code_challenge_method": "S256",
        "resource": server.mcp_url,
    }
    return f"{server.url}/oauth/authorize?{urlencode(request | other)}"


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
        threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True).start()

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


def make_certificate(folder: Path, *names: str) -> Path:
    """A certificate of this machine (and these names), which signed it itself; its key lies beside it."""
    path = folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    command += ["-noenc", "-days", "2", "-subj", "/CN=localhost"]
    subjects = ",".join(["DNS:localhost", "IP:127.0.0.1", *(f"DNS:{name}" for name in names)])
    command += ["-addext", f"subjectAltName={subjects}"]
    command += ["-addext", "basicConstraints=critical,CA:FALSE"]
    command += ["-keyout", str(path.with_suffix(".key")), "-out", str(path)]
    subprocess.run(command, check=True, capture_output=True)
    return path


class Screen(HTMLParser):
    """A page as a browser without scripts understands it, and what it would send from there."""

    def __init__(self, answer: Answer) -> None:
        super().__init__()
        self.status = answer.status
        self.heading = ""
        self.hidden: dict[str, str] = {}
        self.links: list[str] = []
        self.leads_to: str | None = None
        """Where it goes on by itself."""
        self._is_heading = False
        assert answer.is_html, answer
        self.feed(answer.text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "h1":
            self._is_heading = True
        elif tag == "input" and given.get("type") == "hidden":
            self.hidden[given["name"]] = given["value"]
        elif tag == "a":
            self.links.append(given["href"])
        elif tag == "meta" and given.get("http-equiv") == "refresh":
            self.leads_to = given["content"].removeprefix("0; url=")

    def handle_endtag(self, tag: str) -> None:
        if tag == "h1":
            self._is_heading = False

    def handle_data(self, data: str) -> None:
        if self._is_heading:
            self.heading += data


class Visit:
    """A browser without scripts, on its way through the pages."""

    def __init__(self, url: str) -> None:
        self._url = url
        site = "{0.scheme}://{0.netloc}".format(urlsplit(url))
        self._own = {"origin": site, "accept": "text/html"} | FORM
        self.screen = self._see(http("GET", url, headers={"accept": "text/html"}))

    def send(self, **typed: str) -> Screen:
        """Sends the form of the page, with what was typed into it."""
        body = urlencode(self.screen.hidden | typed).encode()
        self.screen = self._see(http("POST", self._url, body, self._own))
        return self.screen

    def _see(self, answer: Answer) -> Screen:
        if cookie := answer.headers.get("set-cookie"):
            self._own["cookie"] = cookie.partition(";")[0]
        return Screen(answer)
