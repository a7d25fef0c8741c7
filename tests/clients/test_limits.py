"""Limits by address, with real proxies between."""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from askfile import REPOSITORY, Link, Server, free_port, png
from proxy import EXAMPLE, caddy, example, nginx
from wire import PATIENCE, Answer, converse

Proxy = Callable[[Path, int, str], AbstractContextManager[None]]

PROXIES = {
    "nginx": (nginx, EXAMPLE),
    "caddy": (caddy, REPOSITORY / "examples/Caddyfile"),
}


def send(link: Link, address: str, headers: dict[str, str]) -> Answer:
    """Sends a file from this one of the machine's own addresses."""
    parts = urlsplit(link.url)
    to = (parts.hostname, parts.port)
    with socket.create_connection(to, PATIENCE, source_address=(address, 0)) as connection:
        return converse(connection, "PUT", link.url, png(), headers)


@pytest.mark.parametrize("name", PROXIES)
def test_behind_a_proxy_everybody_has_a_budget_whatever_they_say(tmp_path: Path, name: str) -> None:
    proxy, config = PROXIES[name]
    port, page_port = free_port(), free_port()
    settings = {
        "public_url": f"http://127.0.0.1:{port}",
        "page_listen": f"127.0.0.1:{page_port}",
        "trusted_proxies": "127.0.0.1",
        "rate_limit_uploads_per_minute": "2",
    }
    server = Server(tmp_path, **settings)
    try:
        with proxy(tmp_path / name, port, example(config, port, page_port)):
            for address in ["127.0.0.2", "127.0.0.3"]:
                statuses = []
                for n in range(3):
                    claims = {
                        "x-forwarded-for": f"203.0.113.{n}",
                        "forwarded": f"for=203.0.113.{n}",
                    }
                    statuses.append(send(server.ask(), address, claims).status)
                assert statuses == [201, 201, 429], address
    finally:
        server.stop()


@pytest.mark.parametrize("settings", [{"rate_limit_uploads_per_minute": "2"}])
def test_without_a_trusted_proxy_nobody_is_believed(server: Server) -> None:
    claims = [{"x-forwarded-for": f"203.0.113.{n}"} for n in range(3)]
    statuses = [send(server.ask(), "127.0.0.2", claim).status for claim in claims]
    assert statuses == [201, 201, 429]
    late = send(server.ask(), "127.0.0.2", {})
    assert late.headers["ratelimit-limit"] == "2"
    assert late.headers["ratelimit-remaining"] == "0"
    assert late.headers["ratelimit-reset"] == late.headers["retry-after"]
