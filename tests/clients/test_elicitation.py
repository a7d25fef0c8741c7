"""Clients that show the link to the person themselves: each story in each protocol era."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agent import LEGACY, MODERN, Agent, Person, Question
from agent_python import PythonAgent
from agent_typescript import TypeScriptAgent
from askfile import Link, Page, Server, message_of, png, until

KINDS = {
    "python-2-legacy": (partial(PythonAgent, era=LEGACY), LEGACY),
    "python-2-modern": (partial(PythonAgent, era=MODERN), MODERN),
    "typescript-1": (partial(TypeScriptAgent, "agent-v1.mjs", era=LEGACY), LEGACY),
    "typescript-2-legacy": (partial(TypeScriptAgent, "agent-v2.mjs", era=LEGACY), LEGACY),
    "typescript-2-modern": (partial(TypeScriptAgent, "agent-v2.mjs", era=MODERN), MODERN),
}


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> Any:
    return KINDS[request.param]


@pytest.fixture
def era(kind: Any) -> str:
    return kind[1]


@pytest.fixture
def person() -> Person:
    return Person()


@pytest.fixture(params=["http", "stdio"])
def agent(
    request: pytest.FixtureRequest, kind: Any, server: Server, person: Person
) -> Iterator[Agent]:
    make = kind[0]
    with make(way=getattr(server, request.param), person=person) as agent:
        yield agent


def link_of(question: Question) -> Link:
    """What the person has."""
    return Link(question.url, question.url.partition("?")[0].rpartition("/")[2], "")


def sessions(server: Server) -> int:
    """How many there are."""
    with closing(sqlite3.connect(server.data / "askfile.db")) as db:
        return db.execute("SELECT count(*) FROM upload_session").fetchone()[0]


def test_the_person_is_shown_the_link_and_sends(
    agent: Agent, era: str, person: Person, server: Server
) -> None:
    waiting = agent.start("upload_request", prompt="The photo of the <b>sea</b>")
    question = person.question()
    link = link_of(question)
    assert link.token not in question.message
    ours, _, agents = question.message.partition("\n\n")
    assert agents == "The agent's own words: The photo of the <b>sea</b>"
    words = ours.partition("“")[2].partition("”")[0]
    assert words and words in Page.open(link.url).text
    question.choose("accept")
    until("the call waits", lambda: "The person has opened the page" in waiting.progress)
    assert not waiting.is_over()
    photo = png()
    assert link.send(photo).status == 201
    answer = waiting.result(5)
    assert (answer["outcome"], answer["token"]) == ("uploaded", link.token)
    assert answer["result"]["media"][0]["original_size_bytes"] == len(photo)
    assert sessions(server) == 1
    if era == LEGACY:
        assert person.over() == question.elicitation_id == answer["upload_id"]


def test_who_agreed_and_does_not_send_is_not_waited_for_longer_than_asked(
    agent: Agent, era: str, person: Person, server: Server
) -> None:
    waiting = agent.start("upload_request", prompt="A photo", timeout=0.5)
    question = person.question()
    question.choose("accept")
    answer = waiting.result(10)
    assert (answer["outcome"], answer["status"]) == ("timeout", "pending")
    assert "nothing to relay" in answer["next_action"]
    # As the answer says: the call that waits.
    again = agent.start("upload_status", token=answer["token"], wait_seconds=30)
    assert Link.of(answer).send(png()).status == 201
    assert again.result(5)["status"] == "completed"
    assert sessions(server) == 1
    if era == LEGACY:
        assert person.over() == answer["upload_id"]


def test_who_declines_has_declined_everywhere(
    agent: Agent, person: Person, server: Server
) -> None:
    waiting = agent.start("upload_request", prompt="A photo")
    question = person.question()
    question.choose("decline")
    answer = waiting.result(10)
    assert (answer["outcome"], answer["status"]) == ("declined", "declined")
    assert link_of(question).send(png()).json["code"] == "DECLINED"
    assert sessions(server) == 1


def test_who_puts_the_question_away_can_still_be_given_the_link(
    agent: Agent, person: Person, server: Server
) -> None:
    waiting = agent.start("upload_request", prompt="A photo")
    question = person.question()
    question.choose("cancel")
    answer = waiting.result(10)
    assert (answer["outcome"], answer["status"]) == ("pending", "pending")
    assert question.url in answer["instruction"]
    assert link_of(question).send(png()).status == 201
    assert sessions(server) == 1


@pytest.mark.parametrize("transport", ["http", "stdio"])
@pytest.mark.parametrize("agrees", [False, True])
def test_a_client_that_goes_away_leaves_the_link_as_it_is(
    kind: Any, transport: str, agrees: bool, person: Person, server: Server
) -> None:
    with kind[0](way=getattr(server, transport), person=person) as agent:
        waiting = agent.start("upload_request", prompt="A photo")
        question = person.question()
        link = link_of(question)
        if agrees:
            question.choose("accept")
            Page.open(link.url)
            until("the call waits", lambda: "The person has opened the page" in waiting.progress)
    assert link.facts()["status"] == "pending"
    assert link.send(png()).status == 201
    assert sessions(server) == 1


def test_only_a_new_request_is_shown(agent: Agent, person: Person) -> None:
    link = Link.of(agent.call("upload_create"))
    agent.call("upload_create", wait=True, timeout=0.1)
    assert agent.call("upload_request", token=link.token, timeout=0.1)["outcome"] == "timeout"
    assert not person.is_asked


class Wire:
    """A client since 2026-07-28 that does as it likes."""

    def __init__(self, server: Server) -> None:
        self._server = server

    def round(self, **params: Any) -> dict[str, Any]:
        protocol = "io.modelcontextprotocol"
        meta = {
            f"{protocol}/protocolVersion": MODERN,
            f"{protocol}/clientCapabilities": {"elicitation": {"url": {}}},
            f"{protocol}/clientInfo": {"name": "wire", "version": "1"},
        }
        call = {"name": "upload_request", "arguments": {"prompt": "A photo"}, "_meta": meta}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call | params}
        headers = {
            "mcp-protocol-version": MODERN,
            "mcp-method": "tools/call",
            "mcp-name": "upload_request",
        }
        return message_of(self._server.post_mcp(json.dumps(body).encode(), headers))["result"]

    def choose(self, state: str, action: str, **params: Any) -> dict[str, Any]:
        responses = {"link": {"action": action}}
        result = self.round(requestState=state, inputResponses=responses, **params)
        return result["structuredContent"]


@pytest.mark.parametrize("settings", [{"max_wait": "1s"}])
def test_a_state_neither_mints_nor_closes_what_it_should_not(
    tmp_path: Path, server: Server, settings: dict[str, str]
) -> None:
    wire = Wire(server)
    asked = wire.round()
    state = asked["requestState"]
    params = asked["inputRequests"]["link"]["params"]
    link = link_of(Question(params["url"], params["message"], None, print))
    assert link.token not in state

    def refused(answer: dict[str, Any]) -> bool:
        return answer["error_kind"] == "validation_error" and "requestState" in answer["message"]

    last = "1" if state[-1] == "0" else "0"
    assert refused(wire.choose(state[:-1] + last, "decline"))
    assert refused(wire.choose(state, "decline", arguments={"prompt": "Another photo"}))
    assert wire.choose(state, "accept")["outcome"] == "pending"
    assert wire.choose(state, "accept")["outcome"] == "pending"
    assert refused(wire.choose(state, "decline"))

    # It is remembered.
    server.stop()
    again = Server(tmp_path, listen=server.url.removeprefix("http://"), **settings)
    try:
        wire = Wire(again)
        assert refused(wire.choose(state, "decline"))
        assert link.send(png()).status == 201
        for action in ["accept", "decline", "cancel"]:
            assert wire.choose(state, action)["outcome"] == "uploaded"
        assert sessions(again) == 1
    finally:
        again.stop()
