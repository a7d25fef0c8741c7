"""HTTP/1.1 by hand: what a careless or hostile program sends, byte by byte."""

from __future__ import annotations

import json
import select
import socket
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlsplit

PATIENCE = 20.0
"""Seconds after which a silent server counts as broken."""


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes
    sent: int
    """Bytes of the body that were sent when the answer came."""

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def json(self) -> Any:
        assert self.headers["content-type"].startswith(
            ("application/json", "application/problem+json")
        ), self
        return json.loads(self.body)

    @property
    def is_html(self) -> bool:
        return self.headers.get("content-type", "").startswith("text/html")


def http(
    method: str,
    url: str,
    body: bytes | Iterable[bytes] = b"",
    headers: dict[str, str] | None = None,
) -> Answer:
    """Sends one request on a connection of its own and reads the answer.

    A body that is no `bytes` goes out piece by piece until an answer comes: chunked, unless the
    headers declare a length. Headers given here replace those made here, so that they can lie.
    """
    with connect(url) as connection:
        return converse(connection, method, url, body, headers)


def connect(url: str) -> socket.socket:
    parts = urlsplit(url)
    connection = socket.create_connection((parts.hostname, parts.port), timeout=PATIENCE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def converse(
    connection: socket.socket,
    method: str,
    url: str,
    body: bytes | Iterable[bytes] = b"",
    headers: dict[str, str] | None = None,
) -> Answer:
    head, pieces = request(method, url, body, headers)
    connection.sendall(head)
    sent = 0
    for piece in pieces:
        if not isinstance(body, bytes) and select.select([connection], [], [], 0)[0]:
            break  # The server has something to say already.
        try:
            connection.sendall(piece)
        except (BrokenPipeError, ConnectionResetError):
            break  # It has stopped listening; its answer is read below.
        sent += len(piece)
    return read_answer(connection, method, sent)


def request(
    method: str,
    url: str,
    body: bytes | Iterable[bytes] = b"",
    headers: dict[str, str] | None = None,
) -> tuple[bytes, Iterable[bytes]]:
    """The head of a request, and the pieces of its body as they go over the wire."""
    parts = urlsplit(url)
    fields = {"host": parts.netloc, "connection": "close"}
    given = {name.lower(): value for name, value in (headers or {}).items()}
    is_chunked = not isinstance(body, bytes) and "content-length" not in given
    if is_chunked:
        fields["transfer-encoding"] = "chunked"
    elif isinstance(body, bytes) and (body or method not in ("GET", "HEAD", "OPTIONS")):
        fields["content-length"] = str(len(body))
    lines = [f"{name}: {value}" for name, value in (fields | given).items()]
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    head = "\r\n".join([f"{method} {target} HTTP/1.1", *lines, "", ""]).encode()
    pieces = [body] if isinstance(body, bytes) else body
    return head, chunked(pieces) if is_chunked else pieces


def chunked(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for piece in pieces:
        yield b"%x\r\n%s\r\n" % (len(piece), piece)
    yield b"0\r\n\r\n"


def read_answer(connection: socket.socket, method: str, sent: int = 0) -> Answer:
    response = HTTPResponse(connection, method=method)
    response.begin()
    headers = {name.lower(): value for name, value in response.getheaders()}
    return Answer(response.status, headers, response.read(), sent)


@dataclass(frozen=True)
class Part:
    """One part of a multipart form; without a filename it is a plain field."""

    data: bytes
    name: str = "media"
    filename: str | None = "photo.png"
    content_type: str | None = "application/octet-stream"

    def encoded(self) -> bytes:
        lines = [f'Content-Disposition: form-data; name="{self.name}"']
        if self.filename is not None:
            lines[0] += f'; filename="{self.filename}"'
            lines.append(f"Content-Type: {self.content_type}")
        return "\r\n".join([*lines, "", ""]).encode() + self.data


def form(*parts: Part) -> tuple[bytes, dict[str, str]]:
    """The body of a multipart form, and the header that goes with it."""
    boundary = f"----{uuid.uuid4().hex}"
    delimiter = f"--{boundary}\r\n".encode()
    body = b"".join(delimiter + part.encoded() + b"\r\n" for part in parts)
    return body + f"--{boundary}--\r\n".encode(), {
        "content-type": f"multipart/form-data; boundary={boundary}"
    }


def pieces_of(body: bytes, size: int = 64 * 1024) -> Iterator[bytes]:
    return (body[at : at + size] for at in range(0, len(body), size))
