"""The protocol's own conformance suite on the product: what of it needs no fixtures. The rest of it calls
tools, prompts and resources that a test server has."""

from __future__ import annotations

import re
import subprocess

import pytest

from askfile import Server, node_folder

SCENARIOS = {
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


@pytest.mark.parametrize("version", SCENARIOS)
def test_the_conformance_suite_finds_no_fault(server: Server, version: str) -> None:
    package = node_folder() / "node_modules/@modelcontextprotocol/conformance/dist/index.js"
    command = ["node", str(package), "server", "--url", server.mcp_url, "--requirements", version]
    # It ends with a failure, for the scenarios that want fixtures.
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    summary = done.stdout.partition("=== SUMMARY ===")[2]
    found = re.findall(r"^✓ ([\w-]+): [1-9]\d* passed, 0 failed", summary, re.MULTILINE)
    assert SCENARIOS[version] <= set(found), summary + done.stderr
