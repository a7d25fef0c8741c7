"""Tokens of a real OpenID provider, in mode `oauth`."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from askfile import Server, free_port, node_folder, run, until
from wire import Answer, http

PROGRAM = Path(__file__).parent / "typescript/provider.mjs"


class Provider:
    """One at a port; each start has a key of its own."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, algorithm: str, *workspaces: str) -> None:
        self.stop()
        command = ["node", str(PROGRAM), str(self.port), algorithm, *workspaces]
        environment = os.environ | {"ASKFILE_TEST_NODE": str(node_folder())}
        quiet = subprocess.DEVNULL
        self._process = subprocess.Popen(command, env=environment, stdout=quiet, stderr=quiet)
        until("the provider answers", self._is_there)

    def _is_there(self) -> bool:
        try:
            return http("GET", f"{self.url}/.well-known/openid-configuration").status == 200
        except OSError:
            return False

    def token(self, resource: str, scope: str) -> str:
        """As RFC 8707 has it: made for one resource."""
        asked = {
            "grant_type": "client_credentials",
            "client_id": "agent",
            "client_secret": "the-agents-secret",
            "resource": resource,
            "scope": scope,
        }
        form = {"content-type": "application/x-www-form-urlencoded"}
        answer = http("POST", f"{self.url}/token", urlencode(asked).encode(), form)
        assert answer.status == 200, answer
        return answer.json["access_token"]

    def stop(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture
def provider() -> Iterator[Provider]:
    provider = Provider()
    yield provider
    provider.stop()


@pytest.fixture
def server(tmp_path: Path, provider: Provider) -> Iterator[Server]:
    flags = ("--oauth-issuer", provider.url, "--oauth-workspace-claim", "workspaces")
    server = Server(tmp_path, *flags, auth="keys, oauth")
    try:
        yield server
    finally:
        print(server.output)  # Shown if the test fails.
        server.stop()


def ask(server: Server, token: str, path: str = "/v1/media") -> Answer:
    return http("GET", server.url + path, headers={"authorization": f"Bearer {token}"})


def call(server: Server, token: str, tool: str) -> Any:
    message = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {
            "name": tool,
            "arguments": {},
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": {"name": "x", "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        },
    }
    headers = {
        "authorization": f"Bearer {token}",
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2026-07-28",
        "mcp-method": "tools/call",
        "mcp-name": tool,
    }
    answer = http("POST", f"{server.url}/mcp", json.dumps(message).encode(), headers)
    assert answer.status == 200, answer
    return answer.json["result"]


def workspace(folder: Path, name: str) -> str:
    made = run(folder, "workspace", "create", name, "--json")
    assert made.returncode == 0, made.stderr
    return json.loads(made.stdout)["alias"]


@pytest.mark.parametrize("algorithm", ["RS256", "PS256", "ES256"])
def test_a_token_of_the_provider_opens_what_it_says(
    server: Server, provider: Provider, tmp_path: Path, algorithm: str
) -> None:
    mine, other = (workspace(tmp_path, name) for name in ("Mine", "Other"))
    provider.start(algorithm, mine)
    metadata = http("GET", f"{server.url}/.well-known/oauth-protected-resource/mcp").json
    assert metadata["authorization_servers"] == [provider.url]
    token = provider.token(metadata["resource"], "asset:upload media:read")
    assert call(server, token, "upload_create")["structuredContent"]["ok"] is True
    assert ask(server, token, f"/v1/media?workspace_id={mine}").status == 200
    assert ask(server, token, f"/v1/media?workspace_id={other}").status == 404
    narrow = provider.token(metadata["resource"], "media:read")
    refused = call(server, narrow, "upload_create")
    assert refused["structuredContent"]["code"] == "TOOL_NOT_ENABLED"
    (challenge,) = refused["_meta"]["mcp/www_authenticate"]
    assert 'error="insufficient_scope"' in challenge and 'scope="asset:upload"' in challenge
    elsewhere = ask(server, provider.token("https://elsewhere.example/mcp", "media:read"))
    assert elsewhere.status == 401
    assert 'error="invalid_token"' in elsewhere.headers["www-authenticate"]


def test_the_provider_changes_its_key_while_askfile_runs(
    server: Server, provider: Provider, tmp_path: Path
) -> None:
    mine = workspace(tmp_path, "Mine")
    provider.start("ES256", mine)
    resource = f"{server.url}/mcp"
    assert ask(server, provider.token(resource, "media:read")).status == 200
    provider.start("ES256", mine)
    assert ask(server, provider.token(resource, "media:read")).status == 200
    provider.stop()
    made = run(tmp_path, "keys", "create", "--name", "program")
    assert ask(server, made.stdout.strip()).status == 200, "keys open while the provider is away"
