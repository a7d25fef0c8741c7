"""`media_import` fetches from a real file server, good and hostile."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from askfile import Server, png, sha256
from browser import photo
from consent import make_certificate

Serve = Callable[[BaseHTTPRequestHandler], None]


class Files:
    """A file server over TLS that does to each request what the test says."""

    def __init__(self, certificate: Path) -> None:
        self.serve: Serve = lambda request: None
        self.seen: list[str] = []
        self.is_over = threading.Event()
        files = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                files.seen.append(self.path)
                with suppress(OSError):
                    files.serve(self)

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, certificate.with_suffix(".key"))
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )
        self.url = f"https://localhost:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=[0.01], daemon=True).start()

    def close(self) -> None:
        self.is_over.set()
        self._server.shutdown()
        self._server.server_close()


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Files]:
    certificate = make_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    files = Files(certificate)
    yield files
    files.close()


@pytest.fixture
def settings(files: Files) -> dict[str, str]:
    """The certificate must be there before the server is."""
    return {
        "import_hosts": "localhost",
        "fetch_private_networks": "127.0.0.0/8",
        "max_wait": "3s",
        "max_file_size": "1MB",
    }


def sends(body: bytes, status: int = 200, **headers: str) -> Serve:
    def serve(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in ({"content_length": str(len(body))} | headers).items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body)

    return serve


def take_in(server: Server, files: Files, path: str = "/a.jpg", **more: Any) -> Any:
    return server.call("media_import", url=files.url + path, **more)


def test_a_file_is_taken_in_byte_for_byte(server: Server, files: Files) -> None:
    data = photo(300, 200)
    files.serve = sends(data, content_type="text/html", content_encoding="identity")
    forwarded = {"download_url": f"{files.url}/a?sig=x", "file_id": "f", "file_name": "Ana.jpg"}
    answer = server.call("media_import", file=forwarded)
    [media] = answer["result"]["media"]
    assert (media["original_sha256"], media["mime_type"]) == (sha256(data), "image/jpeg")
    assert media["original_filename"] == "Ana.jpg"
    assert files.seen == ["/a?sig=x"]
    assert "sig=x" not in server.output


@pytest.mark.parametrize(
    ("serve", "code"),
    [
        pytest.param(sends(b"", 302, location="https://localhost/x"), "UNAVAILABLE", id="redirect"),
        pytest.param(sends(b"no", 404), "UNAVAILABLE", id="nothing"),
        pytest.param(sends(b"MZ\x90\0\3\0\0\0" * 50), "MIME_NOT_ALLOWED", id="program"),
        pytest.param(sends(png() + b"\0" * 1_100_000), "SIZE_EXCEEDED", id="large"),
        pytest.param(sends(b""), "FILE_MISSING", id="empty"),
        pytest.param(sends(png()[:40], content_length="73"), "MALFORMED_BODY", id="cut"),
    ],
)
def test_what_is_no_good_is_refused_and_leaves_nothing(
    server: Server, files: Files, serve: Serve, code: str
) -> None:
    files.serve = serve
    refused = take_in(server, files)
    assert (refused["ok"], refused["code"]) == (False, code), refused
    assert len(files.seen) == 1
    assert not server.stored


def test_an_endless_body_ends_at_the_limit(server: Server, files: Files) -> None:
    sent = 0

    def serve(request: BaseHTTPRequestHandler) -> None:
        nonlocal sent
        request.send_response(200)
        request.end_headers()
        request.wfile.write(png())
        while not files.is_over.is_set():
            sent += request.wfile.write(b"\0" * 65_536)

    files.serve = serve
    assert take_in(server, files)["code"] == "SIZE_EXCEEDED"
    assert sent < 30_000_000
    assert server.peak_memory < 60_000_000


def test_a_slow_body_has_an_end(server: Server, files: Files) -> None:
    def serve(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("content-length", "1000")
        request.end_headers()
        for byte in png():
            request.wfile.write(bytes([byte]))
            if files.is_over.wait(0.2):
                return

    files.serve = serve
    began = time.monotonic()
    refused = take_in(server, files)
    assert refused["ok"] is False, refused
    assert time.monotonic() - began < 8
    assert not server.stored


def test_what_the_operator_does_not_name_is_not_asked(server: Server, files: Files) -> None:
    elsewhere = files.url.replace("localhost", "127.0.0.1") + "/a.jpg"
    assert server.call("media_import", url=elsewhere)["code"] == "PERMISSION_DENIED"
    assert files.seen == []
