"""`askfile stdio`: MCP on standard streams, and the page beside it."""

from __future__ import annotations

import fcntl
import json
import re
import signal
import socket
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from agent import LEGACY, Agent, Way
from agent_python import ERAS, PythonAgent
from askfile import (
    BINARY, Link, Server, environment, free_address, large_text, png, sha256, until
)
from wire import connect, http, read_answer, request

POST = {"target_type": "post", "target_id": "1"}


@pytest.fixture
def settings() -> dict[str, str]:
    """A server beside is found by its address."""
    return {"listen": free_address()}


@pytest.fixture(params=ERAS)
def local(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Agent]:
    """An agent that started askfile itself."""
    log = tmp_path / "stderr.log"
    way = Way(
        None,
        ["bash", "-c", 'exec "$0" stdio 2>"$1"', str(BINARY), str(log)],
        environment(tmp_path, listen=free_address(), log="debug"),
    )
    with PythonAgent(way, request.param) as agent:
        yield agent
    assert "panicked" not in log.read_text()


def test_an_agent_gets_a_file_on_standard_streams(local: Agent) -> None:
    assert len(local.tools()) == 9
    session = local.call("upload_create", prompt="Your logo")
    link = Link.of(session)
    status = local.call("upload_status", token=link.token)
    assert (status["status"], status["phase"]) == ("pending", "waiting")

    waiting = local.start("upload_status", token=link.token, wait_seconds=30)
    until("the call waits", lambda: waiting.progress)
    photo = png()
    assert link.send(photo).status == 201
    arrived = time.monotonic()
    status = waiting.result(5)
    assert time.monotonic() - arrived < 1
    assert status["status"] == "completed"
    assert status["result"]["media"][0]["sha256"] == sha256(photo)
    attached = local.call("attach_media", upload_token=link.token, **POST)
    assert attached["status"] == "consumed"


@pytest.mark.parametrize(
    ("tool", "arguments", "code"),
    [
        ("upload_create", {"max_files": 51}, "INVALID_ARGUMENT"),
        ("upload_request", {}, "INVALID_ARGUMENT"),
        ("upload_status", {"token": "not-a-token"}, "NOT_FOUND"),
        ("upload_cancel", {"token": "not-a-token"}, "NOT_FOUND"),
        ("attach_media", {"upload_token": "not-a-token", **POST}, "NOT_FOUND"),
    ],
)
def test_a_failure_on_standard_streams_is_an_answer(
    local: Agent, tool: str, arguments: dict[str, Any], code: str
) -> None:
    assert local.fail(tool, **arguments)["code"] == code


SHOWS_LINKS = {"elicitation": {"url": {}}}
"""What a chat app declares that shows links to the person itself."""


class Chat:
    """A chat app that starts `askfile stdio` and speaks JSON-RPC with it, line by line."""

    def __init__(
        self,
        folder: Path,
        listen: str,
        capabilities: dict[str, Any] | None = None,
        *,
        by_sockets: bool = False,
        **settings: str,
    ) -> None:
        began = time.monotonic()
        theirs: list[Any] = [subprocess.PIPE, subprocess.PIPE]
        if by_sockets:
            ours, theirs = zip(socket.socketpair(), socket.socketpair(), strict=True)
        with (folder / "stderr.log").open("ab") as log:
            self.process = subprocess.Popen(
                [BINARY, "stdio"],
                env=environment(folder, listen=listen, **settings),
                cwd=folder,
                stdin=theirs[0],
                stdout=theirs[1],
                stderr=log,
            )
        if by_sockets:
            for one in theirs:
                one.close()
            self.process.stdin = open(ours[0].detach(), "wb")
            self.process.stdout = open(ours[1].detach(), "rb")
        self.heard: list[dict[str, Any]] = []
        client = {"name": "chat", "version": "1"}
        hello = {
            "protocolVersion": LEGACY, "capabilities": capabilities or {}, "clientInfo": client
        }
        self.ask("initialize", hello)
        self.listen()
        self.took = time.monotonic() - began
        self.say({"method": "notifications/initialized"})

    def say(self, message: dict[str, Any]) -> None:
        line = json.dumps({"jsonrpc": "2.0", **message}).encode()
        self.process.stdin.write(line + b"\n")
        self.process.stdin.flush()

    def listen(self) -> dict[str, Any]:
        self.heard.append(json.loads(self.process.stdout.readline()))
        return self.heard[-1]

    def ask(self, method: str, params: dict[str, Any]) -> None:
        self.say({"id": len(self.heard), "method": method, "params": params})

    def begin(self, tool: str, *, watched: bool = False, **arguments: Any) -> None:
        """A call whose answer is listened for later; of one that is watched, progress is told before."""
        meta = {"progressToken": "p"} if watched else {}
        self.ask("tools/call", {"name": tool, "arguments": arguments, "_meta": meta})

    def answer(self) -> dict[str, Any]:
        """What the call came to that runs, whatever is told before."""
        while "result" not in (heard := self.listen()):
            pass
        return heard["result"]["structuredContent"]

    def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        self.begin(tool, **arguments)
        return self.listen()["result"]["structuredContent"]

    def link(self) -> Link:
        return Link.of(self.call("upload_create"))

    def leave(self) -> tuple[int, float]:
        """Hangs up; gives the exit code, and how long it took."""
        began = time.monotonic()
        self.process.stdin.close()
        return self.process.wait(20), time.monotonic() - began

    def told(self, signal_number: int) -> tuple[int, float]:
        """The same, by a signal."""
        began = time.monotonic()
        self.process.send_signal(signal_number)
        return self.process.wait(20), time.monotonic() - began

    def unread(self) -> int:
        """How many bytes of what it said nobody has read yet."""
        count = fcntl.ioctl(self.process.stdout, termios.FIONREAD, b"\0" * 4)
        return int.from_bytes(count, "little")

    def sleeps(self) -> int:
        """How often its threads went to sleep so far: each time was woken for something."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/status")
        count = re.compile(r"^voluntary_ctxt_switches:\s*(\d+)", re.MULTILINE)
        return sum(int(count.search(task.read_text()).group(1)) for task in tasks)

    def memory(self, key: str) -> int:
        """Megabytes."""
        lines = Path(f"/proc/{self.process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) // 1024 for line in lines if line.startswith(key))


@contextmanager
def chat(folder: Path, listen: str, **settings: Any) -> Iterator[Chat]:
    chat = Chat(folder, listen, **settings)
    try:
        yield chat
    finally:
        chat.process.kill()
        chat.process.wait()


def base(link: Link) -> str:
    """Where a link's page is."""
    return link.url.partition("/uploads/")[0]


def answers(url: str) -> bool:
    try:
        return http("GET", url).status == 200
    except ConnectionError:
        return False


def test_standard_output_carries_the_protocol_and_nothing_else(tmp_path: Path) -> None:
    with chat(tmp_path, free_address(), log="debug") as one:
        link = one.link()
        assert link.send(png()).status == 201
        one.call("upload_status", token="not-a-token")
        assert one.leave()[0] == 0
        rest = one.process.stdout.read()
    assert rest == b""
    assert all(message["jsonrpc"] == "2.0" for message in one.heard)
    log = (tmp_path / "stderr.log").read_text()
    assert "the upload session moved" in log and link.token not in log


def test_the_first_answer_comes_at_once_and_rest_costs_little(tmp_path: Path) -> None:
    listen = free_address()
    with chat(tmp_path, listen) as first, chat(tmp_path, listen) as second:
        # The second one does not wait for the page that the first one serves.
        print(f"first answers after {first.took * 1000:.0f} and {second.took * 1000:.0f} ms")
        assert max(first.took, second.took) < 1
        print(f"resident: {first.memory('VmRSS')} MB, of which {first.memory('RssAnon')} its own")
        assert first.memory("RssAnon") < 15


def test_a_chat_at_rest_sleeps(tmp_path: Path) -> None:
    listen = free_address()
    with chat(tmp_path, listen), chat(tmp_path, listen) as second:
        second.link()
        time.sleep(1)
        before = second.sleeps()
        time.sleep(2)
        assert second.sleeps() - before < 5, "it waits for its turn without looking for it"


def test_a_second_chat_uses_the_page_of_the_first_and_takes_it_over(tmp_path: Path) -> None:
    listen = free_address()
    with chat(tmp_path, listen) as first, chat(tmp_path, listen) as second:
        links = [first.link(), second.link()]
        assert all(link.url.startswith(f"http://{listen}/uploads/") for link in links)
        assert links[1].send(png()).status == 201
        assert second.call("upload_status", token=links[1].token)["status"] == "completed"
        assert first.leave()[0] == 0
        until("the page is back", lambda: links[0].is_served, 2)
        assert links[0].send(png()).status == 201
        assert second.call("upload_status", token=links[0].token)["status"] == "completed"


def test_a_chat_beside_a_server_waits_for_its_uploads(
    tmp_path: Path, server: Server
) -> None:
    with chat(tmp_path, server.url.removeprefix("http://")) as one:
        link = one.link()
        assert link.url.startswith(server.url)
        one.begin("upload_status", token=link.token, wait_seconds=30)
        time.sleep(0.5)
        assert link.send(png()).status == 201
        arrived = time.monotonic()
        assert one.listen()["result"]["structuredContent"]["status"] == "completed"
        assert time.monotonic() - arrived < 1


def test_a_page_hears_within_a_second_what_a_chat_elsewhere_did(
    tmp_path: Path, server: Server
) -> None:
    with chat(tmp_path, server.url.removeprefix("http://")) as one:
        link = one.link()
        head, _ = request("GET", link.sub("events"))
        with connect(link.url) as page:
            page.sendall(head)
            with page.makefile("rb") as events:
                assert any(b'"pending"' in line for line in events)
                time.sleep(0.5)  # By then its regular look at the database is far away.
                one.call("upload_cancel", token=link.token)
                cancelled = time.monotonic()
                assert any(b'"cancelled"' in line for line in events)
        assert time.monotonic() - cancelled < 1


def test_the_card_knows_from_the_first_where_links_lead(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        # The page is there late, where another program has its address.
        with chat(tmp_path, f"127.0.0.1:{other.getsockname()[1]}") as one:
            one.ask("resources/read", {"uri": "ui://askfile/card.html"})
            [card] = one.listen()["result"]["contents"]
            [allowed] = card["_meta"]["ui"]["csp"]["connectDomains"]
            assert one.link().url.startswith(f"{allowed}/uploads/")


def test_links_work_where_another_program_has_the_address(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        listen = f"127.0.0.1:{other.getsockname()[1]}"
        with chat(tmp_path, listen) as first, chat(tmp_path, listen) as second:
            links = [first.link(), second.link()]
            assert not links[0].url.startswith(f"http://{listen}/")
            assert links[0].send(png()).status == 201
            # What the first one's page is reached at, the second one knows, and then inherits.
            first.told(signal.SIGKILL)
            until("the page is back", lambda: links[1].is_served, 5)
            assert links[1].send(png()).status == 201
    assert f"{listen} is taken by another program" in (tmp_path / "stderr.log").read_text()


def test_links_work_on_once_the_other_program_has_gone(tmp_path: Path) -> None:
    with ExitStack() as chats:
        with socket.create_server(("127.0.0.1", 0)) as other:
            listen = f"127.0.0.1:{other.getsockname()[1]}"
            first, second = (chats.enter_context(chat(tmp_path, listen)) for _ in range(2))
            links = [first.link(), second.link()]
        assert first.leave()[0] == 0
        until("the page is back", lambda: links[1].is_served, 5)
        assert [link.send(png()).status for link in links] == [201, 201]
        assert base(second.link()) == base(links[1])
        assert second.leave()[0] == 0
    # Nobody is there any more who was given a link to the other address.
    with chat(tmp_path, listen) as third:
        assert base(third.link()) == f"http://{listen}"


def test_links_of_a_page_with_an_address_of_its_own_outlive_a_chat(tmp_path: Path) -> None:
    settings = {"listen": free_address(), "page_listen": "127.0.0.1:0"}
    with chat(tmp_path, **settings) as first, chat(tmp_path, **settings) as second:
        links = [first.link(), second.link()]
        assert first.leave()[0] == 0
        until("the page is back", lambda: links[1].is_served, 5)
        assert [link.send(png()).status for link in links] == [201, 201]


def test_who_forwards_to_the_page_finds_it_once_the_other_program_has_gone(tmp_path: Path) -> None:
    with ExitStack() as chats:
        with socket.create_server(("127.0.0.1", 0)) as other:
            listen = f"127.0.0.1:{other.getsockname()[1]}"
            start = partial(chat, tmp_path, listen, public_url="https://files.example.com")
            first, second = (chats.enter_context(start()) for _ in range(2))
            assert base(first.link()) == base(second.link()) == "https://files.example.com"
        assert first.leave()[0] == 0
        until("the page is at its address", lambda: answers(f"http://{listen}/healthz"), 5)


@pytest.mark.parametrize("way", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("watched", [False, True])
def test_it_ends_when_told_and_answers_who_waits(tmp_path: Path, way: str, watched: bool) -> None:
    with chat(tmp_path, free_address()) as one:
        link = one.link()
        one.begin("upload_status", watched=watched, token=link.token, wait_seconds=30)
        time.sleep(0.3)
        code, took = one.told(getattr(signal, way))
        assert one.answer()["status"] == "pending"
    assert code == 0 and took < 1


@pytest.mark.parametrize("is_told", [True, False])
def test_it_ends_as_fast_by_sockets(tmp_path: Path, is_told: bool) -> None:
    """Programs in Node speak by those."""
    with chat(tmp_path, free_address(), by_sockets=True) as one:
        one.begin("upload_status", watched=True, token=one.link().token, wait_seconds=30)
        one.listen()
        code, took = one.told(signal.SIGTERM) if is_told else one.leave()
        assert one.answer()["status"] == "pending"
    assert code == 0 and took < 1


def test_it_ends_when_told_and_answers_who_is_shown_a_link(tmp_path: Path) -> None:
    for _ in range(5):
        with chat(tmp_path, free_address(), capabilities=SHOWS_LINKS) as one:
            one.begin("upload_request", prompt="a photo", timeout=30)
            assert one.listen()["method"] == "elicitation/create"
            code, took = one.told(signal.SIGTERM)
            assert one.answer()["outcome"] == "pending"
        assert code == 0 and took < 1


@pytest.mark.parametrize("hears", [True, False])
@pytest.mark.parametrize("tool", [None, "upload_status", "upload_request"])
def test_it_ends_at_once_when_the_chat_hangs_up(
    tmp_path: Path, tool: str | None, hears: bool
) -> None:
    with chat(tmp_path, free_address(), capabilities=SHOWS_LINKS) as one:
        if tool == "upload_status":
            one.begin(tool, watched=True, token=one.link().token, wait_seconds=30)
        elif tool == "upload_request":
            one.begin(tool, watched=True, prompt="a photo", timeout=30)
        if tool and hears:
            one.listen()
        code, took = one.leave()
    assert code == 0 and took < 1
    left = (tmp_path / "data").glob("askfile.db*")
    assert [path.name for path in left] == ["askfile.db"], "all is in one file"


@pytest.mark.parametrize("is_told", [True, False])
def test_it_ends_though_the_chat_reads_no_answer(tmp_path: Path, is_told: bool) -> None:
    with chat(tmp_path, free_address()) as one:
        session = one.call("upload_create")
        sent = Link.of(session).send(large_text(300_000), "long.txt").json
        uri = f"askfile://{session['workspace_id']}/media/{sent['media_id']}"
        one.ask("resources/read", {"uri": uri})
        full = fcntl.fcntl(one.process.stdout, fcntl.F_GETPIPE_SZ)
        until("nothing more fits in", lambda: one.unread() == full)
        code, took = one.told(signal.SIGTERM) if is_told else one.leave()
    print(f"ends after {took:.2f} s")
    assert code == 0 and took < 4


def test_a_file_on_its_way_arrives_though_the_chat_is_gone(tmp_path: Path) -> None:
    with chat(tmp_path, free_address()) as one:
        link = one.link()
        head, [body] = request("PUT", link.url, png(400, 400) * 40)
        with connect(link.url) as connection:
            connection.sendall(head + body[:5_000])
            until("it is on its way", lambda: link.facts()["phase"] == "receiving")
            one.process.stdin.close()
            time.sleep(0.3)
            connection.sendall(body[5_000:])
            assert read_answer(connection, "PUT").status == 201
        assert one.process.wait(2) == 0


def test_one_that_cannot_serve_its_page_says_why_and_ends(tmp_path: Path) -> None:
    log = tmp_path / "stderr.log"
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [BINARY, "stdio"],
            env=environment(tmp_path, listen="203.0.113.9:8787", i_know_this_is_open="true"),
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=stderr,
        )
    try:
        assert process.wait(10) == 1
    finally:
        process.kill()
    assert "askfile: cannot listen on 203.0.113.9:8787" in log.read_text()
