"""Agents in Python: the official client, SDK v1 or v2, or FastMCP's, whichever is installed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from contextlib import ExitStack, asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Protocol

from anyio.from_thread import start_blocking_portal

from agent import LEGACY, MODERN, Agent, Call, Person, Question, Way

Note = Callable[[float, float | None, str | None], Awaitable[None]]


class Client(Protocol):
    """What the libraries have in common, once the names are the same."""

    protocol_version: str

    async def tools(self) -> list[dict[str, Any]]: ...

    async def call(self, tool: str, arguments: dict[str, Any], note: Note) -> dict[str, Any]: ...


def installed() -> str:
    try:
        return f"fastmcp-{version('fastmcp').split('.')[0]}"
    except PackageNotFoundError:
        return f"python-{version('mcp').split('.')[0]}"


LIBRARY = installed()
ERAS = [LEGACY] if LIBRARY == "python-1" else [LEGACY, MODERN]

if LIBRARY.startswith("fastmcp"):
    from fastmcp import Client as FastMcp
    from fastmcp.client.transports import StdioTransport, StreamableHttpTransport

    class FastMcpClient:
        def __init__(self, client: FastMcp) -> None:
            self._client = client
            self.protocol_version = client.protocol_version

        async def tools(self) -> list[dict[str, Any]]:
            return dumped(await self._client.list_tools())

        async def call(self, tool: str, arguments: dict[str, Any], note: Note) -> dict[str, Any]:
            result = await self._client.call_tool(
                tool, arguments, progress_handler=note, raise_on_error=False
            )
            return {
                "isError": result.is_error,
                "structuredContent": result.structured_content,
                "content": [part.model_dump() for part in result.content],
            }

    @asynccontextmanager
    async def connection(way: Way, era: str, person: Person | None) -> AsyncIterator[Client]:
        # Else it keeps the process for whoever asks for it next.
        transport = (
            StreamableHttpTransport(way.url, headers=way.headers)
            if way.url
            else StdioTransport(way.command[0], way.command[1:], way.env, keep_alive=False)
        )
        mode = "legacy" if era == LEGACY else "auto"
        async with FastMcp(transport, mode=mode) as client:
            yield FastMcpClient(client)

else:

    class SdkClient:
        def __init__(self, client: Any, protocol_version: str) -> None:
            self._client = client
            self.protocol_version = protocol_version

        async def tools(self) -> list[dict[str, Any]]:
            return dumped((await self._client.list_tools()).tools)

        async def call(self, tool: str, arguments: dict[str, Any], note: Note) -> dict[str, Any]:
            result = await self._client.call_tool(tool, arguments, progress_callback=note)
            return result.model_dump(by_alias=True)

    from mcp import StdioServerParameters
    from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client

    def started(way: Way) -> StdioServerParameters:
        return StdioServerParameters(command=way.command[0], args=way.command[1:], env=way.env)

    def reached(way: Way) -> Any:
        client = create_mcp_http_client(headers=way.headers)
        return streamable_http_client(way.url, http_client=client)

    if LIBRARY == "python-2":
        from mcp import Client as Sdk
        from mcp_types import ElicitCompleteNotification, ElicitResult

        def showing(person: Person) -> dict[str, Any]:
            """What makes a client show links."""

            async def ask(_: Any, params: Any) -> Any:
                choice: Future[str] = Future()
                question = Question(
                    params.url, params.message, params.elicitation_id, choice.set_result
                )
                person.show(question)
                return ElicitResult(action=await asyncio.wrap_future(choice))

            async def hear(message: Any) -> None:
                if isinstance(message, ElicitCompleteNotification):
                    person.tell(message.params.elicitation_id)

            return {"elicitation_callback": ask, "message_handler": hear}

        @asynccontextmanager
        async def connection(way: Way, era: str, person: Person | None) -> AsyncIterator[Client]:
            mode = "legacy" if era == LEGACY else "auto"
            to = reached(way) if way.url else started(way)
            shows = showing(person) if person else {}
            async with Sdk(to, mode=mode, **shows) as client:
                yield SdkClient(client, client.protocol_version)

    else:
        from mcp import ClientSession, stdio_client

        @asynccontextmanager
        async def connection(way: Way, era: str, person: Person | None) -> AsyncIterator[Client]:
            to = reached(way) if way.url else stdio_client(started(way))
            async with to as (read, write, *_), ClientSession(read, write) as session:
                yield SdkClient(session, (await session.initialize()).protocolVersion)


def dumped(tools: list[Any]) -> list[dict[str, Any]]:
    return [tool.model_dump(by_alias=True, exclude_none=True) for tool in tools]


class PythonAgent(Agent):
    def __init__(self, way: Way, era: str, person: Person | None = None) -> None:
        self._way = way
        self._era = era
        self._person = person
        self._stack = ExitStack()

    def __enter__(self) -> PythonAgent:
        self._portal = self._stack.enter_context(start_blocking_portal())
        try:
            connecting = connection(self._way, self._era, self._person)
            opening = self._portal.wrap_async_context_manager(connecting)
            self._client = self._stack.enter_context(opening)
            assert self._client.protocol_version == self._era
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def list_tools(self) -> list[dict[str, Any]]:
        return self._portal.call(self._client.tools)

    def start(self, tool: str, **arguments: Any) -> Call:
        progress: list[str] = []

        async def note(_progress: float, _total: float | None, message: str | None) -> None:
            progress.append(message or "")

        future = self._portal.start_task_soon(self._client.call, tool, arguments, note)
        self._stack.callback(future.cancel)  # A story that fails leaves no call behind.
        return Call(future, progress, future.cancel)
