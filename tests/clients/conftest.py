"""One server for each test, and an agent in each protocol era."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from agent import ERAS, Agent
from askfile import Server

# All that is talked to is on this machine, whatever proxy the machine has.
os.environ["NO_PROXY"] = os.environ["no_proxy"] = "*"


@pytest.fixture
def settings() -> dict[str, str]:
    """Settings of the server, for tests that want other ones: parametrise it."""
    return {}


@pytest.fixture
def flags() -> list[str]:
    """Flags of the server, likewise."""
    return []


@pytest.fixture
def server(tmp_path: Path, settings: dict[str, str], flags: list[str]) -> Iterator[Server]:
    server = Server(tmp_path, *flags, **settings)
    try:
        yield server
    finally:
        print(server.output)  # Shown if the test fails.
        server.stop()


@pytest.fixture(params=ERAS)
def agent(request: pytest.FixtureRequest, server: Server) -> Iterator[Agent]:
    with Agent(server.mcp_url, request.param) as agent:
        yield agent
