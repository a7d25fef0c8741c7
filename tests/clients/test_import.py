"""`media_import` fetches from a real file server, good and hostile."""

from __future__ import annotations

import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pytest

from askfile import Server, png, sha256
from browser import photo
from consent import make_certificate
from file_server import Files, Serve, sends


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


WRONG = "validation_error"


@pytest.mark.parametrize(
    ("serve", "kind", "code"),
    [
        pytest.param(sends(b"", 302, location="https://localhost/x"), "http_error", "UNAVAILABLE", id="redirect"),
        pytest.param(sends(b"no", 404), "http_error", "UNAVAILABLE", id="nothing"),
        pytest.param(sends(b"\x1f\x8b", content_encoding="gzip"), "http_error", "UNAVAILABLE", id="coded"),
        pytest.param(lambda request: request.connection.close(), "network_error", "UNAVAILABLE", id="no answer"),
        pytest.param(sends(b"MZ\x90\0\3\0\0\0" * 50), WRONG, "MIME_NOT_ALLOWED", id="program"),
        pytest.param(sends(png() + b"\0" * 1_100_000), WRONG, "SIZE_EXCEEDED", id="large"),
        pytest.param(sends(b""), WRONG, "FILE_MISSING", id="empty"),
        pytest.param(sends(png()[:40], content_length="73"), WRONG, "MALFORMED_BODY", id="cut"),
    ],
)
def test_what_is_no_good_is_refused_and_leaves_nothing(
    server: Server, files: Files, serve: Serve, kind: str, code: str
) -> None:
    files.serve = serve
    refused = take_in(server, files)
    assert (refused["error_kind"], refused["code"]) == (kind, code), refused
    # There is no link by which it could be tried again.
    assert "link still works" not in refused["hint"] and "upload_create" in refused["hint"]
    assert len(files.seen) == 1
    assert not server.stored


def test_nothing_is_fetched_for_who_may_not_have_it(server: Server, files: Files) -> None:
    assert take_in(server, files, purpose="bananas")["code"] == "INVALID_ARGUMENT"
    assert take_in(server, files, workspace_id="w-none")["code"] == "NOT_FOUND"
    assert files.seen == []


@pytest.mark.parametrize(
    ("path", "headers", "more", "name"),
    [
        ("/a?b=c.md", {"content_disposition": 'attachment; filename="of-it.csv"'}, {}, "of-it.csv"),
        ("/of%20path.csv?sig=x.md", {}, {}, "of path.csv"),
        ("/a.md", {"content_disposition": 'inline; filename="b.md"'}, {"file_name": "own.csv"}, "own.csv"),
    ],
)
def test_a_file_is_called_as_it_is_there(
    server: Server, files: Files, path: str, headers: dict[str, str], more: dict[str, str], name: str
) -> None:
    files.serve = sends(b"a,b\n1,2\n", **headers)
    [media] = take_in(server, files, path, **more)["result"]["media"]
    assert (media["original_filename"], media["mime_type"]) == (name, "text/csv")


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
    assert (refused["error_kind"], refused["code"]) == ("network_error", "UNAVAILABLE"), refused
    assert "does not come within" in refused["message"]
    assert time.monotonic() - began < 6
    assert not server.stored


def test_what_the_operator_does_not_name_is_not_asked(server: Server, files: Files) -> None:
    elsewhere = files.url.replace("localhost", "127.0.0.1") + "/a.jpg"
    assert server.call("media_import", url=elsewhere)["code"] == "PERMISSION_DENIED"
    assert files.seen == []


def test_what_the_client_forwards_from_elsewhere_is_asked_of_the_person(
    server: Server, files: Files
) -> None:
    elsewhere = files.url.replace("localhost", "127.0.0.1") + "/report.pdf?sig=x"
    answer = server.call("media_import", file={"download_url": elsewhere, "file_id": "f"})
    assert answer["status"] == "pending"
    assert "does not fetch from 127.0.0.1" in answer["next_action"]
    assert "report.pdf" in answer["instruction"] and "sig=x" not in answer["instruction"]
    assert files.seen == []


@pytest.fixture
def limited(tmp_path: Path, files: Files, settings: dict[str, str]) -> Iterator[Server]:
    server = Server(tmp_path, **settings, rate_limit_uploads_per_minute="10")
    yield server
    server.stop()


def test_who_comes_too_often_has_nothing_fetched(limited: Server, files: Files) -> None:
    files.serve = sends(b"no", 404)
    codes = [take_in(limited, files)["code"] for _ in range(70)]
    assert codes[0] == "UNAVAILABLE" and codes[-1] == "RATE_LIMITED"
    assert len(files.seen) == codes.count("UNAVAILABLE") < 65
