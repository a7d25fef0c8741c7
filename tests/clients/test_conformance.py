"""The protocol's own conformance suite: all of it on the example that has its fixtures, and on the product
itself what needs none."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from askfile import BINARY, Server, free_address, node_folder, until
from wire import PATIENCE, http

VERSIONS = ["2025-11-25", "2026-07-28"]

NO_FIXTURES = {
    "2025-11-25": {
        "server-initialize",
        "ping",
        "tools-list",
        "resources-list",
        "prompts-list",
        "server-sse-multiple-streams",
        "server-sse-polling",
        "server-session-lifecycle",
        "dns-rebinding-protection",
    },
    "2026-07-28": {
        "tools-list",
        "resources-list",
        "prompts-list",
        "caching",
        "server-sse-multiple-streams",
        "sep-2164-resource-not-found",
        "dns-rebinding-protection",
        "http-header-validation",
    },
}
# Tasks are an extension, which is not scored, and which askfile does not have: its calls end within
# `max_wait`, and a session is what can be followed for longer.
FAILING = {
    "2025-11-25": set(),
    "2026-07-28": {
        "tasks-lifecycle",
        "tasks-capability-negotiation",
        "tasks-wire-fields",
        "tasks-request-state-removal",
        "tasks-mrtr-input",
        "tasks-request-headers",
        "tasks-dispatch-and-envelope",
        "tasks-required-task-error",
        "tasks-mrtr-composition",
    },
}


@pytest.fixture
def example(tmp_path: Path) -> Iterator[str]:
    """The address of the example, which adds the fixtures to the product's own server."""
    listen = free_address()
    command = [BINARY.parent / "examples/conformance"]
    process = subprocess.Popen(command, env=os.environ | {"LISTEN": listen})

    def is_there() -> bool:
        try:
            return http("GET", f"http://{listen}/healthz").status == 200
        except OSError:
            return False

    try:
        until("the example listens", is_there)
        yield f"http://{listen}/mcp"
        process.terminate()
        assert process.wait(PATIENCE) == 0
    finally:
        process.kill()


def held_against(url: str, version: str) -> tuple[subprocess.CompletedProcess[str], set[str], set[str]]:
    """How the suite ended, and the scenarios that passed and that failed."""
    package = node_folder() / "node_modules/@modelcontextprotocol/conformance/dist/index.js"
    command = ["node", str(package), "server", "--url", url, "--requirements", version]
    done = subprocess.run(command, capture_output=True, text=True, timeout=240)
    summary = done.stdout.partition("=== SUMMARY ===")[2]
    passed = re.findall(r"^✓ ([\w-]+): [1-9]\d* passed, 0 failed", summary, re.MULTILINE)
    failed = re.findall(r"^✗ ([\w-]+): ", summary, re.MULTILINE)
    return done, set(passed), set(failed)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_conformance_suite_finds_no_fault(example: str, version: str) -> None:
    done, passed, failed = held_against(example, version)
    assert done.returncode == 0, done.stdout + done.stderr
    assert failed == FAILING[version], done.stdout
    assert NO_FIXTURES[version] <= passed and len(passed) > 30, done.stdout


@pytest.mark.parametrize("version", VERSIONS)
def test_nor_does_it_in_the_product(server: Server, version: str) -> None:
    # It ends with a failure, for the scenarios that want fixtures.
    done, passed, _ = held_against(server.mcp_url, version)
    assert NO_FIXTURES[version] <= passed, done.stdout + done.stderr
