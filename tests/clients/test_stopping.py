"""A server that is asked to end lets a file on its way arrive."""

from __future__ import annotations

import base64
import json
import shutil
import sqlite3
import threading
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from agent import LEGACY
from askfile import Server, large_text, message_of, png, sha256, until
from clamd import Impostor
from wire import Answer, connect, read_answer, request


def test_a_file_on_its_way_arrives_before_the_server_ends(server: Server) -> None:
    link = server.ask()
    text = large_text(100_000)
    head, [body] = request("PUT", link.url, text)
    with connect(link.url) as connection:
        connection.sendall(head + body[:50_000])
        until("it is on its way", lambda: link.facts()["phase"] == "receiving")
        assert server.is_ready
        server.ask_to_stop()
        until("no other is taken", lambda: not server.is_ready)
        connection.sendall(body[50_000:])
        answer = read_answer(connection, "PUT")
    assert (answer.status, answer.json["sha256"]) == (201, sha256(text))
    [stored] = server.stored
    assert stored.read_bytes() == text


def holds(folder: Path, data: Path) -> int:
    """How many links are in the database's one file, without those beside it."""
    copy = folder / "copy.db"
    shutil.copy(data / "askfile.db", copy)
    with closing(sqlite3.connect(copy)) as db:
        [(count,)] = db.execute("SELECT count(*) FROM upload_session")
    return count


def test_a_server_that_has_ended_leaves_all_in_one_file(server: Server, tmp_path: Path) -> None:
    link = server.ask()
    head, _ = request("GET", link.sub("events"))
    with connect(link.url) as page:
        page.sendall(head)
        assert page.recv(1)
        server.stop()
    assert [path.name for path in server.data.glob("askfile.db*")] == ["askfile.db"]
    assert holds(tmp_path, server.data) == 1


def test_who_reads_the_database_does_not_hold_up_the_end(server: Server, tmp_path: Path) -> None:
    server.ask()
    with closing(sqlite3.connect(server.data / "askfile.db")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM upload_session").fetchone()
        told = time.monotonic()
        server.stop()
        assert time.monotonic() - told < 2
        assert reader.execute("SELECT count(*) FROM upload_session").fetchone() == (1,)
        reader.execute("COMMIT")
    assert holds(tmp_path, server.data) == 1, "the reader closes last"


def test_a_call_that_takes_long_is_answered_before_the_server_ends(tmp_path: Path) -> None:
    asked = threading.Event()

    def takes_long(connection: Any) -> None:
        while not connection.recv(65536).endswith(b"\0\0\0\0"):
            pass
        asked.set()
        time.sleep(1.5)
        connection.sendall(b"stream: OK\0")

    scanner = Impostor(takes_long)
    server = Server(tmp_path, scan_clamd=scanner.address)
    try:
        # Answers come as streams to who speaks as clients did before 2026-07-28.
        session = begin_session(server)
        answers: list[Answer] = []
        data = {"data": base64.b64encode(png()).decode()}
        call = {"name": "media_import", "arguments": data}
        calling = threading.Thread(target=lambda: answers.append(say(server, session, "tools/call", call)))
        calling.start()
        assert asked.wait(10)
        server.ask_to_stop()
        calling.join(10)
        assert message_of(answers[0])["result"]["structuredContent"]["status"] == "completed"
    finally:
        server.stop()
        scanner.stop()


def begin_session(server: Server) -> dict[str, str]:
    """The headers of a session."""
    client = {"name": "wire", "version": "1"}
    hello = {"protocolVersion": LEGACY, "capabilities": {}, "clientInfo": client}
    answer = say(server, {}, "initialize", hello)
    session = {
        "mcp-session-id": answer.headers["mcp-session-id"],
        "mcp-protocol-version": LEGACY,
    }
    ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    assert server.post_mcp(json.dumps(ready).encode(), session).status == 202
    return session


def say(server: Server, session: dict[str, str], method: str, params: dict[str, Any]) -> Answer:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    return server.post_mcp(json.dumps(body).encode(), session)
