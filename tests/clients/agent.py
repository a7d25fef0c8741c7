"""An agent: the official Python MCP client, SDK v1 or v2, behind calls that block."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from concurrent.futures import Future
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any

from anyio.from_thread import start_blocking_portal
from mcp import StdioServerParameters

SDK = version("mcp").split(".")[0]
LEGACY, MODERN = "2025-11-25", "2026-07-28"
ERAS = [LEGACY, MODERN] if SDK == "2" else [LEGACY]

if SDK == "2":
    from mcp import Client

    def connection(server: str | StdioServerParameters, era: str) -> Client:
        return Client(server, mode="legacy" if era == LEGACY else "auto")

else:
    from mcp import ClientSession, stdio_client
    from mcp.client.streamable_http import streamable_http_client

    @asynccontextmanager
    async def connection(
        server: str | StdioServerParameters, era: str
    ) -> AsyncIterator[ClientSession]:
        is_url = isinstance(server, str)
        transport = streamable_http_client(server) if is_url else stdio_client(server)
        async with transport as (read, write, *_), ClientSession(read, write) as session:
            session.protocol_version = (await session.initialize()).protocolVersion
            yield session


@dataclass(frozen=True)
class Call:
    """A call on its way."""

    _future: Future[dict[str, Any]]
    progress: list[str]
    """The progress messages so far."""

    def is_over(self) -> bool:
        return self._future.done()

    def result(self, seconds: float = 60) -> dict[str, Any]:
        """The answer, which must come within this time."""
        return self._future.result(seconds)

    def cancel(self) -> None:
        self._future.cancel()


class Agent:
    def __init__(self, server: str | StdioServerParameters, era: str) -> None:
        """Connects to an address, or starts a program and speaks on its standard streams."""
        self._stack = ExitStack()
        self._portal = self._stack.enter_context(start_blocking_portal())
        try:
            opening = self._portal.wrap_async_context_manager(connection(server, era))
            self._client = self._stack.enter_context(opening)
            assert self._client.protocol_version == era
        except BaseException:
            self._stack.close()
            raise

    def __enter__(self) -> Agent:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def tools(self) -> dict[str, dict[str, Any]]:
        """The tools by name, as they went over the wire."""
        listed = self._portal.call(self._client.list_tools)
        tools = [tool.model_dump(by_alias=True, exclude_none=True) for tool in listed.tools]
        return {tool["name"]: tool for tool in tools}

    def start(self, tool: str, **arguments: Any) -> Call:
        """A call that goes on while the story does."""
        progress: list[str] = []
        call = Call(self._portal.start_task_soon(self._call, tool, arguments, progress), progress)
        self._stack.callback(call.cancel)  # A story that fails leaves no call behind.
        return call

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """A call that succeeds."""
        answer = self.start(tool, **arguments).result()
        assert answer["ok"] is True, answer
        return answer

    def fail(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """A call that fails, in a way that a model can read."""
        answer = self.start(tool, **arguments).result()
        assert answer["ok"] is False, answer
        assert set(answer) == {"ok", "error_kind", "code", "message", "hint"}, answer
        assert answer["message"] and answer["hint"]
        return answer

    async def _call(
        self, tool: str, arguments: dict[str, Any], progress: list[str]
    ) -> dict[str, Any]:
        async def note(_progress: float, _total: float | None, message: str | None) -> None:
            progress.append(message or "")

        result = await self._client.call_tool(tool, arguments, progress_callback=note)
        result = result.model_dump(by_alias=True)
        answer = result["structuredContent"]
        assert bool(result["isError"]) is not answer["ok"], result
        # Agents that know nothing of structured content read the same as text.
        assert json.loads(result["content"][0]["text"]) == answer
        return answer
