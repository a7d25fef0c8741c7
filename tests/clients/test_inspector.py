"""MCP Inspector's command line, which holds tools and answers against their schemas."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from askfile import BINARY, Link, Server, free_address, png

ERAS = ["legacy", "modern"]


class Inspector:
    def __init__(self, era: str, env: dict[str, str], *server: str) -> None:
        """`server` is an address, or `--` and a command."""
        self._base = ["mcp-inspector", "--cli", "--protocol-era", era, "--format", "json"]
        self._server = server
        self._env = env

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*self._base, *arguments, *self._server]
        return subprocess.run(command, env=self._env, capture_output=True, text=True, timeout=60)

    def list_tools(self) -> Any:
        done = self.run("--method", "tools/list", "--strict")
        # Whatever it has to complain about, it says there.
        assert (done.returncode, done.stderr) == (0, ""), done
        return json.loads(done.stdout)["result"]["tools"]

    def call(self, tool: str, **arguments: Any) -> Any:
        done = self.run(
            *("--method", "tools/call", "--tool-name", tool),
            *("--tool-args-json", json.dumps(arguments)),
        )
        return done, json.loads(done.stdout)["result"]


@pytest.fixture(params=ERAS)
def inspector(request: pytest.FixtureRequest, server: Server, tmp_path: Path) -> Inspector:
    return Inspector(request.param, os.environ | {"HOME": str(tmp_path)}, server.mcp_url)


def test_the_inspector_finds_no_fault_with_the_tools(inspector: Inspector) -> None:
    tools = inspector.list_tools()
    assert {tool["name"] for tool in tools} == {
        "upload_create",
        "upload_request",
        "upload_status",
        "upload_cancel",
        "attach_media",
    }


def test_the_inspector_gets_a_file_from_a_person(inspector: Inspector) -> None:
    done, answer = inspector.call("upload_create", prompt="Your logo", max_files=1)
    assert (done.returncode, done.stderr) == (0, ""), done
    link = Link.of(answer["structuredContent"])
    assert link.send(png()).status == 201
    done, answer = inspector.call("upload_status", token=link.token, wait_seconds=5)
    assert (done.returncode, done.stderr) == (0, ""), done
    assert answer["structuredContent"]["result"]["media"][0]["mime_type"] == "image/png"
    target = {"target_type": "post", "target_id": "1"}
    done, answer = inspector.call("attach_media", upload_token=link.token, **target)
    assert (done.returncode, done.stderr) == (0, ""), done
    assert answer["structuredContent"]["status"] == "consumed"


def test_the_inspector_takes_a_failure_for_an_answer(inspector: Inspector) -> None:
    _, answer = inspector.call("upload_status", token="not-a-token")
    assert answer["isError"] is True
    assert answer["structuredContent"]["code"] == "NOT_FOUND"


@pytest.mark.parametrize("era", ERAS)
def test_the_inspector_speaks_with_it_on_standard_streams(era: str, tmp_path: Path) -> None:
    # It passes on next to nothing of its environment, and all that the server logs.
    flags = ["--data-dir", str(tmp_path / "data"), "--listen", free_address(), "--log", "error"]
    env = os.environ | {"HOME": str(tmp_path)}
    inspector = Inspector(era, env, "--", str(BINARY), "stdio", *flags)
    assert len(inspector.list_tools()) == 5
    done, answer = inspector.call("upload_create", prompt="Your logo")
    assert (done.returncode, done.stderr) == (0, ""), done
    token = answer["structuredContent"]["token"]
    # Each call is a process of its own, on the same data folder.
    _, answer = inspector.call("upload_status", token=token)
    assert answer["structuredContent"]["status"] == "pending"
