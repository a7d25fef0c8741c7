"""MCP Inspector's command line, which holds tools and answers against their schemas."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from agent import Way
from askfile import Link, Server, png

ERAS = ["legacy", "modern"]


class Inspector:
    def __init__(self, way: Way, era: str, home: Path) -> None:
        # What the Inspector complains about must stand alone on standard error.
        env = way.env | {"ASKFILE_LOG": "warn"}
        settings = [f"{name}={value}" for name, value in env.items() if "ASKFILE" in name]
        given = [word for setting in settings for word in ("-e", setting)]
        where = [way.url] if way.url else given
        self._before = ["mcp-inspector", "--cli", *where, "--protocol-era", era, "--format", "json"]
        self._after = ["--", *way.command] if way.command else []
        self._env = os.environ | {"HOME": str(home)}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [*self._before, *arguments, *self._after]
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


@pytest.fixture(params=["http", "stdio"])
def way(request: pytest.FixtureRequest, server: Server) -> Way:
    return getattr(server, request.param)


@pytest.fixture(params=ERAS)
def inspector(request: pytest.FixtureRequest, way: Way, tmp_path: Path) -> Inspector:
    return Inspector(way, request.param, tmp_path)


def test_the_inspector_finds_no_fault_with_the_tools(inspector: Inspector) -> None:
    tools = inspector.list_tools()
    assert {tool["name"] for tool in tools} == {
        "upload_create",
        "upload_request",
        "upload_status",
        "upload_cancel",
        "attach_media",
        "media_list",
        "media_get",
        "media_import",
        "media_delete",
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
