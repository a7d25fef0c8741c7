"""Agents in Python: the official client, SDK v1 or v2, or FastMCP's, whichever is installed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import Future
from contextlib import ExitStack, asynccontextmanager
from importlib.metadata import PackageNotFoundError, version
from queue import Queue
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
    async def connection(
        way: Way, era: str, heard: Queue[str], person: Person | None
    ) -> AsyncIterator[Client]:
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
        from anyio import CancelScope, create_task_group
        from mcp import Client as Sdk
        from mcp_types import (
            ElicitCompleteNotification,
            ElicitResult,
            ResourceUpdatedNotification,
        )

        class Following(SdkClient):
            """Follows resources: in a session, or since 2026-07-28 by listening."""

            def __init__(self, client: Any, version: str, heard: Queue[str], tasks: Any) -> None:
                super().__init__(client, version)
                self._heard, self._tasks = heard, tasks
                self._listening: dict[tuple[str, ...], CancelScope] = {}

            async def follow(self, *uris: str) -> None:
                if self.protocol_version == LEGACY:
                    for uri in uris:
                        await self._client.subscribe_resource(uri)
                else:
                    self._listening[uris] = await self._tasks.start(self._listen, uris)

            async def leave(self, *uris: str) -> None:
                if self.protocol_version == LEGACY:
                    for uri in uris:
                        await self._client.unsubscribe_resource(uri)
                else:
                    self._listening.pop(uris).cancel()

            async def _listen(self, uris: tuple[str, ...], *, task_status: Any) -> None:
                with CancelScope() as scope:
                    async with self._client.listen(resource_subscriptions=uris) as events:
                        task_status.started(scope)
                        async for event in events:
                            self._heard.put(event.uri)

            async def read(self, uri: str) -> str:
                return (await self._client.read_resource(uri)).contents[0].text

        def showing(person: Person) -> dict[str, Any]:
            """What makes a client show links."""

            async def ask(_: Any, params: Any) -> Any:
                choice: Future[str] = Future()
                question = Question(
                    params.url, params.message, params.elicitation_id, choice.set_result
                )
                person.show(question)
                return ElicitResult(action=await asyncio.wrap_future(choice))

            return {"elicitation_callback": ask}

        @asynccontextmanager
        async def connection(
            way: Way, era: str, heard: Queue[str], person: Person | None
        ) -> AsyncIterator[Client]:
            mode = "legacy" if era == LEGACY else "auto"
            to = reached(way) if way.url else started(way)
            shows = showing(person) if person else {}

            async def hear(message: Any) -> None:
                if isinstance(message, ResourceUpdatedNotification):
                    heard.put(str(message.params.uri))
                elif person and isinstance(message, ElicitCompleteNotification):
                    person.tell(message.params.elicitation_id)

            async with (
                Sdk(to, mode=mode, message_handler=hear, **shows) as client,
                create_task_group() as tasks,
            ):
                yield Following(client, client.protocol_version, heard, tasks)
                tasks.cancel_scope.cancel()

    else:
        from mcp import ClientSession, stdio_client

        @asynccontextmanager
        async def connection(
            way: Way, era: str, heard: Queue[str], person: Person | None
        ) -> AsyncIterator[Client]:
            to = reached(way) if way.url else stdio_client(started(way))
            async with to as (read, write, *_), ClientSession(read, write) as session:
                yield SdkClient(session, (await session.initialize()).protocolVersion)


def dumped(tools: list[Any]) -> list[dict[str, Any]]:
    return [tool.model_dump(by_alias=True, exclude_none=True) for tool in tools]


class PythonAgent(Agent):
    def __init__(self, way: Way, era: str, person: Person | None = None) -> None:
        super().__init__()
        self._way = way
        self._era = era
        self._person = person
        self._stack = ExitStack()

    def __enter__(self) -> PythonAgent:
        self._portal = self._stack.enter_context(start_blocking_portal())
        try:
            opened = connection(self._way, self._era, self.heard, self._person)
            opening = self._portal.wrap_async_context_manager(opened)
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

    def follow(self, *uris: str) -> None:
        self._portal.call(self._client.follow, *uris)

    def leave(self, *uris: str) -> None:
        self._portal.call(self._client.leave, *uris)

    def read(self, uri: str) -> Any:
        return json.loads(self._portal.call(self._client.read, uri))
