"""Agents that people let in, by the OAuth clients of the SDKs."""

from __future__ import annotations

import asyncio
import json
import os
import queue
import subprocess
import threading
from abc import ABC, abstractmethod
from concurrent.futures import FIRST_COMPLETED, Future, wait
from contextlib import ExitStack
from typing import Any
from urllib.parse import parse_qsl

from anyio import sleep_forever
from anyio.from_thread import start_blocking_portal
from mcp import Client, MCPError
from mcp.client.auth import OAuthClientProvider
from mcp.client.streamable_http import create_mcp_http_client, streamable_http_client
from mcp.shared.auth import (
    AuthorizationCodeResult,
    OAuthClientInformationFull,
    OAuthClientMetadata,
    OAuthToken,
)

from agent_typescript import SCRIPTS
from askfile import Found, node_folder, until
from wire import PATIENCE


class LetInNoMore(Exception):
    """The agent wants a person to let it in anew."""


class OAuthAgent(ABC):
    """What the stories ask of an SDK."""

    def __enter__(self) -> OAuthAgent:
        return self

    @abstractmethod
    def __exit__(self, *_: object) -> None: ...

    @abstractmethod
    def begin(self) -> str:
        """Tries to connect, and gives the address to which it leads a person."""

    @abstractmethod
    def finish(self, answer: str) -> None:
        """Connects, with the query of the address that the person was led back to."""

    @abstractmethod
    def call(self, *tools: str) -> list[dict[str, Any]]:
        """Calls these tools at the same time.

        Raises `LetInNoMore`.
        """

    @property
    @abstractmethod
    def client(self) -> dict[str, Any]:
        """As what it is known to the server."""

    @property
    @abstractmethod
    def tokens(self) -> dict[str, Any]:
        """What it was given last."""

    @abstractmethod
    def expect_expiry(self) -> None:
        """Waits until it believes that its token has expired, where it has an opinion."""


class TypeScriptOAuthAgent(OAuthAgent):
    def __init__(self, script: str, url: str, redirect: str, document: str | None) -> None:
        self._process = subprocess.Popen(
            ["node", SCRIPTS / script],
            env=os.environ | {"ASKFILE_TEST_NODE": str(node_folder())},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lines: queue.Queue[str] = queue.Queue()
        threading.Thread(target=self._read).start()
        self._say(url=url, redirect=redirect, document=document)

    def __exit__(self, *_: object) -> None:
        self._process.stdin.close()
        try:
            self._process.wait(PATIENCE)
        finally:
            self._process.kill()

    def begin(self) -> str:
        self._say(do="connect")
        heard = self._hear()
        assert "leadsTo" in heard, heard
        return heard["leadsTo"]

    def finish(self, answer: str) -> None:
        self._do("finish", answer=answer)
        self._do("connect")

    def call(self, *tools: str) -> list[dict[str, Any]]:
        return [result["structuredContent"] for result in self._do("call", tools=tools)]

    @property
    def client(self) -> dict[str, Any]:
        return self._do("kept")["client"]

    @property
    def tokens(self) -> dict[str, Any]:
        return self._do("kept")["tokens"]

    def expect_expiry(self) -> None:
        """It has none: it goes by what the server says."""

    def _do(self, what: str, **more: Any) -> Any:
        self._say(do=what, **more)
        heard = self._hear()
        if "leadsTo" in heard:
            raise LetInNoMore(heard["leadsTo"])
        assert "error" not in heard, heard
        return heard["result"]

    def _say(self, **command: Any) -> None:
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()

    def _hear(self) -> dict[str, Any]:
        return json.loads(self._lines.get(timeout=PATIENCE))

    def _read(self) -> None:
        for line in self._process.stdout:
            self._lines.put(line)


class Memory:
    """What a client keeps, in memory."""

    tokens: OAuthToken | None = None
    client: OAuthClientInformationFull | None = None

    async def get_tokens(self) -> OAuthToken | None:
        return self.tokens

    async def set_tokens(self, tokens: OAuthToken) -> None:
        self.tokens = tokens

    async def get_client_info(self) -> OAuthClientInformationFull | None:
        return self.client

    async def set_client_info(self, client_info: OAuthClientInformationFull) -> None:
        self.client = client_info


class PythonOAuthAgent(OAuthAgent):
    def __init__(self, url: str, redirect: str, document: str | None) -> None:
        self._url = url
        self._memory = Memory()
        self._leads = 0
        self._leads_to: Future[str] = Future()
        self._answer: Future[str] = Future()
        self._connected: Future[Client] = Future()
        own = OAuthClientMetadata(client_name="An SDK", redirect_uris=[redirect])
        self._provider = OAuthClientProvider(
            url, own, self._memory, self._lead, self._take, client_metadata_url=document
        )
        self._stack = ExitStack()
        self._portal = self._stack.enter_context(start_blocking_portal())

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    async def _lead(self, url: str) -> None:
        self._leads += 1
        if self._leads > 1:
            raise LetInNoMore(url)
        self._leads_to.set_result(url)

    async def _take(self) -> AuthorizationCodeResult:
        brought = dict(parse_qsl(await asyncio.wrap_future(self._answer)))
        return AuthorizationCodeResult.model_validate(brought)

    async def _live(self) -> None:
        async with create_mcp_http_client(auth=self._provider) as http:
            async with Client(streamable_http_client(self._url, http_client=http)) as client:
                self._connected.set_result(client)
                await sleep_forever()

    def begin(self) -> str:
        self._life = self._portal.start_task_soon(self._live)
        self._stack.callback(self._life.cancel)
        return self._unless_it_ends(self._leads_to)

    def finish(self, answer: str) -> None:
        self._answer.set_result(answer)
        self._unless_it_ends(self._connected)

    def _unless_it_ends(self, wanted: Future[Found]) -> Found:
        """What is waited for; if the connection ends before, why."""
        wait([wanted, self._life], PATIENCE, FIRST_COMPLETED)
        if not wanted.done():
            self._life.result(0)
        return wanted.result(0)

    def call(self, *tools: str) -> list[dict[str, Any]]:
        try:
            return self._portal.start_task_soon(self._call, tools).result(PATIENCE)
        except MCPError as error:
            # All that the caller is told is that the connection is closed.
            if self._leads > 1:
                raise LetInNoMore from error
            raise

    async def _call(self, tools: tuple[str, ...]) -> list[dict[str, Any]]:
        client = self._connected.result(0)
        return await asyncio.gather(*(self._one(client, tool) for tool in tools))

    @staticmethod
    async def _one(client: Client, tool: str) -> dict[str, Any]:
        return (await client.call_tool(tool, {})).structured_content

    @property
    def client(self) -> dict[str, Any]:
        return self._memory.client.model_dump(exclude_none=True, mode="json")

    @property
    def tokens(self) -> dict[str, Any]:
        return self._memory.tokens.model_dump()

    def expect_expiry(self) -> None:
        context = self._provider.context
        until("the client knows that its token expired", lambda: not context.is_token_valid())
