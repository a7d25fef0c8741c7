"""A client that listens is told when its key allows other tools than before."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest

from askfile import Server, run
from wire import PATIENCE

CHANGED = "notifications/tools/list_changed"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path, auth="keys")
    yield server
    server.stop()


@pytest.fixture
def key(server: Server, tmp_path: Path) -> str:
    made = run(tmp_path, "keys", "create", "--name", "laptop", "--allow", "media:read")
    assert made.returncode == 0, made.stderr
    return made.stdout.strip()


def stream(server: Server, key: str, body: dict[str, Any] | None, **headers: str) -> Any:
    """The answer to a request, while it comes: a GET where there is no body."""
    standard = {
        "authorization": f"Bearer {key}",
        "content-type": "application/json",
        "accept": "application/json, text/event-stream" if body else "text/event-stream",
    }
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    data = json.dumps(body).encode() if body else None
    return urlopen(Request(server.mcp_url, data, standard | named), timeout=PATIENCE)


def methods(events: Any) -> Iterator[str]:
    """What is told, message by message."""
    for line in events:
        if line.startswith(b"data: {"):
            yield json.loads(line.removeprefix(b"data: ")).get("method", "")


def switch(folder: Path, way: str) -> None:
    switched = run(folder, "keys", way, "laptop", "asset:upload")
    assert switched.returncode == 0, switched.stderr


def begin(server: Server, key: str) -> dict[str, str]:
    """Begins a session of before 2026-07-28; gives the headers of what belongs to it."""
    info = {
        "protocolVersion": "2025-11-25",
        "capabilities": {},
        "clientInfo": {"name": "wire", "version": "1"},
    }
    hello = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": info}
    with stream(server, key, hello) as answer:
        session = {"mcp_session_id": answer.headers["mcp-session-id"]}
        [text] = [line for line in answer if b'"listChanged":true' in line]
        assert text
    session["mcp_protocol_version"] = "2025-11-25"
    ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    stream(server, key, ready, **session).close()
    return session


def test_a_session_of_before_2026_07_28_is_told(server: Server, key: str, tmp_path: Path) -> None:
    session = begin(server, key)
    with stream(server, key, None, **session) as events:
        told = methods(events)
        for way in ["allow", "deny"]:
            switch(tmp_path, way)
            assert CHANGED in told


def test_who_listens_since_2026_07_28_is_told(server: Server, key: str, tmp_path: Path) -> None:
    meta = {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "wire", "version": "1"},
    }
    wanted = {"notifications": {"toolsListChanged": True}, "_meta": meta}
    listen = {"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen", "params": wanted}
    headers = {"mcp_protocol_version": "2026-07-28", "mcp_method": "subscriptions/listen"}
    with stream(server, key, listen, **headers) as events:
        told = methods(events)
        assert next(told) == "notifications/subscriptions/acknowledged"
        for way in ["allow", "deny"]:
            switch(tmp_path, way)
            assert CHANGED in told
