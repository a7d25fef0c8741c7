"""Who subscribes to sessions is told of each change: in a session, or since 2026-07-28 by listening."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from queue import Empty

import pytest

from agent import LEGACY, MODERN, Agent, Way
from agent_typescript import TypeScriptAgent
from askfile import Link, Server, message_of, png, run, until
from test_tools_changed import begin, stream
from wire import PATIENCE, http

pytestmark = pytest.mark.filterwarnings("ignore:resources/(un)?subscribe is removed")

SILENCE = 0.7
"""Seconds in which whatever is told would have been heard."""


def uri_of(link: Link) -> str:
    """The address of a session, made as a client makes it."""
    workspace = link.url.partition("workspace_id=")[2].partition("&")[0]
    return f"askfile://{workspace}/uploads/{link.upload_id}"


def hear_until(agent: Agent, uri: str, status: str) -> None:
    """Hears of a resource until it reads so."""
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        if agent.heard.get(timeout=PATIENCE) == uri and agent.read(uri)["status"] == status:
            return
    raise AssertionError(f"{uri} is never {status}")


def is_silent(agent: Agent) -> bool:
    with suppress(Empty):
        return not agent.heard.get(timeout=SILENCE)
    return True


def send(link: Link) -> None:
    assert link.send(png()).status == 201


def decline(link: Link) -> None:
    assert http("POST", link.sub("decline")).status in (200, 303)


def test_no_last_state_of_a_hundred_sessions_is_missed(agent: Agent, server: Server) -> None:
    def cancel(link: Link) -> None:
        assert server.call("upload_cancel", token=link.token)["ok"]

    ends: list[tuple[Callable[[Link], None], str]] = [
        (send, "completed"),
        (send, "completed"),
        (decline, "declined"),
        (cancel, "cancelled"),
    ]
    links = [server.ask() for _ in range(100)]
    agent.follow(*map(uri_of, links))
    wanted = {}
    with ThreadPoolExecutor(8) as people:
        for n, link in enumerate(links):
            end, wanted[uri_of(link)] = ends[n % 4]
            people.submit(end, link)
    while wanted:
        uri = agent.heard.get(timeout=PATIENCE)
        if agent.read(uri)["status"] == wanted.get(uri):
            del wanted[uri]


def test_a_file_that_comes_while_somebody_subscribes_is_told(agent: Agent, server: Server) -> None:
    with ThreadPoolExecutor(1) as person:
        for n in range(12):
            link = server.ask()

            def soon(link: Link = link, seconds: float = n / 1000) -> None:
                time.sleep(seconds)
                send(link)

            sending = person.submit(soon)
            agent.follow(uri_of(link))
            # Whoever subscribes reads it then, as the protocol has it.
            if agent.read(uri_of(link))["status"] != "completed":
                hear_until(agent, uri_of(link), "completed")
            sending.result()


def test_who_leaves_is_told_no_more(agent: Agent, server: Server) -> None:
    left, kept = server.ask(), server.ask()
    agent.follow(uri_of(left))
    agent.follow(uri_of(kept))
    while not is_silent(agent):
        pass
    agent.leave(uri_of(left))
    send(left)
    assert is_silent(agent)
    decline(kept)
    hear_until(agent, uri_of(kept), "declined")


class TestWithKeys:
    @pytest.fixture
    def settings(self) -> dict[str, str]:
        return {"auth": "keys"}

    @staticmethod
    def key(folder: Path, name: str, workspace: str) -> dict[str, str]:
        """The header of a key of a new workspace."""
        created = run(folder, "workspace", "create", workspace, "--alias", workspace)
        assert created.returncode == 0, created.stderr
        made = run(folder, "keys", "create", "--name", name, "--workspace", workspace)
        assert made.returncode == 0, made.stderr
        return {"authorization": f"Bearer {made.stdout.strip()}"}

    @staticmethod
    def ask(server: Server, headers: dict[str, str]) -> Link:
        call = {"name": "upload_create", "arguments": {}}
        answer = server.rpc("tools/call", call, headers)
        return Link.of(message_of(answer)["result"]["structuredContent"])

    def test_others_sessions_tell_nothing(self, server: Server, tmp_path: Path) -> None:
        ana, bo = self.key(tmp_path, "ana", "st-one"), self.key(tmp_path, "bo", "st-two")
        anas, bos = self.ask(server, ana), self.ask(server, bo)
        way = Way(server.mcp_url, [], {}, ana)
        with TypeScriptAgent("agent-v1.mjs", way, LEGACY) as agent:
            agent.follow(uri_of(anas))
            refusals = []
            for uri in (uri_of(bos), uri_of(bos)[:-1] + "Z"):
                with pytest.raises(RuntimeError) as refused:
                    agent.follow(uri)
                refusals.append(str(refused.value))
            assert refusals[0] == refusals[1] and "not" in refusals[0].lower()
            send(bos)
            send(anas)
            hear_until(agent, uri_of(anas), "completed")
        with TypeScriptAgent("agent-v2.mjs", way, MODERN) as agent:
            agent.follow(uri_of(anas), uri_of(bos))
            assert agent.heard.get(timeout=PATIENCE) == uri_of(anas)
            assert is_silent(agent)

    def test_a_revoked_key_ends_what_it_subscribed_to(
        self, server: Server, tmp_path: Path
    ) -> None:
        laptop = self.key(tmp_path, "laptop", "st-one")
        made = run(tmp_path, "keys", "create", "--name", "other", "--workspace", "st-one")
        other = {"authorization": f"Bearer {made.stdout.strip()}"}
        link = self.ask(server, other)
        way = Way(server.mcp_url, [], {}, laptop)
        with (
            TypeScriptAgent("agent-v1.mjs", way, LEGACY) as before,
            TypeScriptAgent("agent-v2.mjs", way, MODERN) as since,
        ):
            before.follow(uri_of(link))
            since.follow(uri_of(link))
            assert http("GET", link.url).status == 200
            until("it is told", lambda: before.heard.qsize() and since.heard.qsize() > 1)
            assert run(tmp_path, "keys", "revoke", "laptop").returncode == 0
            assert since.ended(uri_of(link)) == "graceful"
            before.heard.queue.clear()
            send(link)
            assert is_silent(before)

    def test_who_comes_back_is_told_what_they_missed(self, server: Server, tmp_path: Path) -> None:
        headers = self.key(tmp_path, "laptop", "st-one")
        key = headers["authorization"].removeprefix("Bearer ")
        session = begin(server, key)
        links = [self.ask(server, headers) for _ in range(40)]
        for n, link in enumerate(links):
            ask = {"jsonrpc": "2.0", "id": n, "method": "resources/subscribe"}
            ask["params"] = {"uri": uri_of(link)}
            with stream(server, key, ask, **session) as answer:
                assert b'"result":{}' in answer.read()
        # Of what is told while nobody hears, the library keeps sixteen messages.
        for link in links:
            decline(link)
        for _ in range(2):
            missed = {uri_of(link) for link in links}
            deadline = time.monotonic() + PATIENCE
            with stream(server, key, None, **session) as events:
                while missed:
                    line = events.readline()
                    assert line and time.monotonic() < deadline, missed
                    if line.startswith(b"data: {"):
                        missed -= {json.loads(line[6:])["params"]["uri"]}
