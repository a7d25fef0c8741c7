"""Agents that show a key: each works in its own workspace, whatever client it has."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest

from agent import Agent, Way
from askfile import Link, Server, png, run, until
from conftest import kinds

KINDS = dict(kinds())


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path, auth="keys")
    yield server
    server.stop()


def command(folder: Path, *words: str) -> str:
    done = run(folder, *words)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def make_key(folder: Path, name: str, *more: str) -> str:
    return command(folder, "keys", "create", "--name", name, *more)


def with_key(server: Server, key: str) -> Way:
    return Way(server.mcp_url, [], {}, {"Authorization": f"Bearer {key}"})


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_two_workspaces_with_two_agents_each_work_side_by_side(
    server: Server, tmp_path: Path, kind: Callable[[Way], Agent]
) -> None:
    agents: list[tuple[str, Agent]] = []
    with ExitStack() as stack:
        for alias in ["st-one", "st-two"]:
            command(tmp_path, "workspace", "create", f"Study {alias}", "--alias", alias)
            for name in ["a", "b"]:
                key = make_key(tmp_path, f"{alias}-{name}", "--workspace", alias)
                agent = stack.enter_context(kind(with_key(server, key)))
                agents.append((alias, agent))

        def work(place: tuple[str, Agent]) -> tuple[str, str, str]:
            alias, agent = place
            link = Link.of(agent.start("upload_create", prompt="A photo").result())
            waiting = agent.start("upload_status", token=link.token, wait_seconds=30)
            assert link.send(png()).status == 201
            done = waiting.result()
            assert done["status"] == "completed", done
            return alias, link.token, done["result"]["media"][0]["media_id"]

        with ThreadPoolExecutor(len(agents)) as pool:
            made = list(pool.map(work, agents))
        for alias, agent in agents:
            mine = {media for of, _, media in made if of == alias}
            listed = agent.start("media_list").result()["items"]
            assert {item["media_id"] for item in listed} == mine
            for of, token, media in made:
                for tool, which in [
                    ("upload_status", {"token": token}),
                    ("media_get", {"media_id": media}),
                ]:
                    answer = agent.start(tool, **which).result()
                    assert answer.get("code") == (None if of == alias else "NOT_FOUND"), answer


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_the_inspector_shows_a_key(server: Server, tmp_path: Path, era: str) -> None:
    key = make_key(tmp_path, "laptop", "--allow", "media:read")

    def inspect(*words: str, header: str = f"Authorization: Bearer {key}") -> Any:
        done = subprocess.run(
            ["mcp-inspector", "--cli", server.mcp_url, "--header", header]
            + ["--protocol-era", era, "--format", "json", *words],
            env=os.environ | {"HOME": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        return json.loads(done.stdout)["result"] if done.returncode == 0 else done

    listed = inspect("--method", "tools/list")["tools"]
    assert {tool["name"] for tool in listed} == {"upload_status", "media_list", "media_get"}
    called = inspect("--method", "tools/call", "--tool-name", "media_list")
    assert called["structuredContent"] == {"ok": True, "items": []}
    stranger = inspect("--method", "tools/list", header="Authorization: Bearer askfile_x")
    assert stranger.returncode != 0
    command(tmp_path, "keys", "revoke", "laptop")
    assert inspect("--method", "tools/list").returncode != 0


def test_a_key_is_made_listed_replaced_and_ended(server: Server, tmp_path: Path) -> None:
    made = make_key(
        tmp_path, "laptop", "--for", "Ana", "--email", "ana@example.com", "--expires", "90d", "--json"
    )
    made = json.loads(made)
    assert made["key"].startswith(made["prefix"]) and made["principal"]["name"] == "Ana"
    again = run(tmp_path, "keys", "create", "--name", "laptop")
    assert (again.returncode, again.stdout) == (1, "")
    assert "Another key has that name." in again.stderr
    for words in [("keys", "list"), ("keys", "list", "--json"), ("keys", "list", "--all")]:
        listed = command(tmp_path, *words)
        assert "laptop" in listed and made["key"] not in listed
    rotated = command(tmp_path, "keys", "rotate", made["prefix"], "--overlap", "1h")
    assert rotated != made["key"]
    denied = command(tmp_path, "keys", "deny", made["id"], "asset:upload", "media:attach")
    assert denied == "“laptop” may media:read, media:delete now."
    assert "is revoked" in command(tmp_path, "keys", "revoke", "laptop")
    gone = run(tmp_path, "keys", "allow", "laptop", "admin")
    assert gone.returncode == 1 and "Create it first" in gone.stderr
    assert "laptop" not in command(tmp_path, "keys", "list")
    wrong = run(tmp_path, "keys", "create", "--name", "x", "--allow", "fly")
    assert wrong.returncode == 2 and "`fly` is no capability" in wrong.stderr
    assert made["key"] not in server.output and rotated not in server.output


def test_a_workspace_is_made_renamed_limited_and_archived(server: Server, tmp_path: Path) -> None:
    command(tmp_path, "workspace", "create", "Study", "--alias", "st-one")
    taken = run(tmp_path, "workspace", "create", "Other", "--alias", "ST-ONE")
    assert taken.returncode == 1 and "Another workspace has that alias." in taken.stderr
    command(tmp_path, "workspace", "rename", "st-one", "Study of birds", "--alias", "st-bird")
    command(tmp_path, "workspace", "set", "st-bird", "--stored", "1GB", "--links", "none")
    shown = json.loads(command(tmp_path, "workspace", "show", "st-bird", "--json"))
    assert shown["name"] == "Study of birds"
    assert shown["quota"] == {
        "stored_bytes": 1 << 30,
        "in_flight_bytes": None,
        "open_links": None,
    }
    assert "archived" in command(tmp_path, "workspace", "archive", "st-bird")
    assert "st-bird" not in command(tmp_path, "workspace", "list")
    assert "st-bird" in command(tmp_path, "workspace", "list", "--all")
    command(tmp_path, "workspace", "archive", "st-bird", "--undo")
    assert "st-bird" in command(tmp_path, "workspace", "list")


NAMES_A_WORKSPACE = [
    "keys create --name a --workspace st-none",
    "signin --for Ana --workspace st-none",
    "workspace show st-none",
    "workspace set st-none --links 1",
    "workspace rename st-none Study",
    "workspace archive st-none",
    "audit --workspace st-none",
]


@pytest.mark.parametrize("line", NAMES_A_WORKSPACE)
def test_an_unknown_workspace_is_told_by_its_name(
    server: Server, tmp_path: Path, line: str
) -> None:
    done = run(tmp_path, *line.split())
    assert (done.returncode, done.stdout) == (1, "")
    lists = "askfile workspace list lists them"
    assert done.stderr == f"askfile: There is no workspace `st-none`: {lists}.\n"


@pytest.mark.parametrize("line", NAMES_A_WORKSPACE[:2])
def test_an_archived_workspace_is_taken_up_by_what_is_told(
    server: Server, tmp_path: Path, line: str
) -> None:
    command(tmp_path, "workspace", "create", "Study", "--alias", "st-none")
    command(tmp_path, "workspace", "archive", "st-none")
    refused = run(tmp_path, *line.split())
    assert refused.returncode == 1
    _, _, told = refused.stderr.strip().rstrip(".").rpartition("with askfile ")
    command(tmp_path, *told.split())
    command(tmp_path, *line.split())


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS.keys())
def test_what_a_key_may_changes_under_an_agent_that_is_connected(
    server: Server, tmp_path: Path, kind: Callable[[Way], Agent]
) -> None:
    uploading = {"upload_create", "upload_request", "upload_cancel"}
    key = make_key(tmp_path, "laptop")
    with kind(with_key(server, key)) as agent:
        link = Link.of(agent.call("upload_create"))
        assert uploading <= set(agent.tools())
        command(tmp_path, "keys", "deny", "laptop", "asset:upload")
        refused = agent.fail("upload_create")
        assert (refused["error_kind"], refused["code"]) == ("not_enabled", "TOOL_NOT_ENABLED")
        assert agent.call("upload_status", token=link.token)["status"] == "pending"
        until("the tools are gone", lambda: not uploading & set(agent.tools()))
        command(tmp_path, "keys", "allow", "laptop", "asset:upload")
        agent.call("upload_create")
    command(tmp_path, "keys", "revoke", "laptop")
    for way in (with_key(server, key), server.http):
        with pytest.raises(Exception), kind(way):
            pass
    assert link.send(png()).status == 409
    assert server.stored == []


def test_a_database_that_somebody_holds_gives_no_key(server: Server, tmp_path: Path) -> None:
    with closing(sqlite3.connect(server.data / "askfile.db")) as holder:
        holder.execute("BEGIN IMMEDIATE")
        refused = run(tmp_path, "keys", "create", "--name", "laptop")
    assert (refused.returncode, refused.stdout) == (1, ""), refused
    assert "panicked" not in refused.stderr and "askfile_" not in refused.stderr
    assert make_key(tmp_path, "laptop")


def test_names_of_keys_harm_no_terminal(server: Server, tmp_path: Path) -> None:
    def create(name: str) -> tuple[int, str]:
        done = run(tmp_path, "keys", "create", "--name", name)
        return done.returncode, done.stderr

    for name in ("", " ", "\u200b", "x" * 10_000):
        status, said = create(name)
        assert status == 1 and len(said) < 1_000, said
    for name in ("\x1b[31mred", "a\u202eb", "one\ntwo"):
        status, said = create(name)
        shown = said + command(tmp_path, "keys", "list")
        assert status == 0 and not {"\x1b", "\u202e"} & set(shown), shown
    # The header, and a line for each of the three.
    assert len(command(tmp_path, "keys", "list").splitlines()) == 4
    assert create("a\u200bb")[0] == 1, "it looks like one that there is"
