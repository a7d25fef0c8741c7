"""Webhooks, to a receiver that checks them with the official library of Standard Webhooks."""

from __future__ import annotations

import base64
import json
import os
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from askfile import Server, free_port, png, run, until

Reply = tuple[int, dict[str, str]]
OK: Reply = (204, {})


def secret() -> str:
    return "whsec_" + base64.b64encode(os.urandom(32)).decode()


@dataclass
class Got:
    """One request that came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]

    def event(self, secret: str) -> dict[str, Any]:
        """What is told, once the library believes it."""
        Webhook(secret).verify(self.body, self.headers)
        return json.loads(self.body)


@dataclass
class Receiver:
    """A back end that listens for webhooks."""

    port: int = field(default_factory=free_port)
    secret: str = field(default_factory=secret)
    reply: Callable[[Got], Reply] = lambda got: OK
    got: list[Got] = field(default_factory=list)
    _server: ThreadingHTTPServer | None = None

    def start(self) -> None:
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                headers = {name.lower(): value for name, value in self.headers.items()}
                got = Got(self.path, headers, body)
                status, headers = receiver.reply(got)
                receiver.got.append(got)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                if status != 204:
                    self.send_header("content-length", "0")
                self.end_headers()

            def do_HEAD(self) -> None:
                self.send_response(405)
                self.send_header("content-length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", self.port), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def stop(self) -> None:
        if self._server:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hooks"

    def settings(self, name: str = "shop", *more: str) -> str:
        lines = [f"[webhook.{name}]", f"url = '{self.url}'", f"secrets = '{self.secret}'", *more]
        return "\n".join(lines) + "\n"

    def events(self) -> list[dict[str, Any]]:
        """What was told, each once, in the order of upload and sequence."""
        each = {got.id: got.event(self.secret) for got in list(self.got)}
        place = lambda event: (event["data"]["upload_id"], event["data"]["sequence"])
        return sorted(each.values(), key=place)

    def until(self, *types: str) -> list[dict[str, Any]]:
        """Waits until exactly these are told."""
        until(f"{types}", lambda: len(self.events()) >= len(types))
        events = self.events()
        assert [event["type"] for event in events] == list(types)
        return events


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    receiver = Receiver()
    receiver.start()
    yield receiver
    receiver.stop()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Server]]:
    """Starts a server on this settings file."""
    servers: list[Server] = []

    def start(settings: str, **variables: str) -> Server:
        (tmp_path / "askfile.toml").write_text(settings)
        servers.append(Server(tmp_path, **variables))
        return servers[-1]

    yield start
    for server in servers:
        print(server.output)  # Shown if the test fails.
        if server.runs:
            server.stop()


def listed(folder: Path, *flags: str) -> list[dict[str, Any]]:
    done = run(folder, "webhooks", "list", "--json", *flags)
    assert (done.returncode, done.stderr) == (0, ""), done
    return json.loads(done.stdout)


def test_the_life_of_an_upload_is_told(start: Any, receiver: Receiver) -> None:
    server = start(receiver.settings())
    link = server.ask(metadata={"external_id": "order-7"})
    media = link.send(png(), "Ä.png").json["media_id"]
    [completed] = receiver.until("upload.completed")
    assert set(completed) == {"type", "timestamp", "data"}
    data = completed["data"]
    assert (data["upload_id"], data["sequence"]) == (link.upload_id, 1)
    assert data["metadata"]["external_id"] == "order-7"
    assert data["result"] == server.status(link)["result"]
    assert data["result"]["media"][0]["original_filename"] == "Ä.png"

    target = {"upload_token": link.token, "target_type": "post", "target_id": "7"}
    server.rpc("tools/call", {"name": "attach_media", "arguments": target})
    deletion = {"media_id": media, "force": True}
    server.rpc("tools/call", {"name": "media_delete", "arguments": deletion})
    types = ["upload.completed", "upload.consumed", "media.attached", "media.deleted"]
    events = receiver.until(*types)
    assert [event["data"]["sequence"] for event in events] == [1, 2, 3, 4]
    assert events[1]["data"]["target_id"] == "7"
    assert events[2]["data"]["media"]["handles"] == {
        name: values[0] for name, values in data["result"]["handles"].items()
    }
    assert events[3]["data"]["deleted_because"] == "request"
    for got in receiver.got:
        assert got.headers["content-type"] == "application/json"
        assert got.headers["user-agent"].startswith("askfile/")
        assert link.token.encode() not in got.body
    changed = receiver.got[0]
    changed.body += b" "
    with pytest.raises(WebhookVerificationError):
        changed.event(receiver.secret)


def test_while_a_secret_is_replaced_either_verifies(start: Any, receiver: Receiver) -> None:
    new = secret()
    both = f"{new}, {receiver.secret}"
    server = start(
        receiver.settings().replace(receiver.secret, secret()),
        webhook_shop_secrets=both,
    )
    server.ask().send(png())
    until("it is told", lambda: receiver.got)
    [got] = receiver.got
    assert got.event(new) == got.event(receiver.secret)
    with pytest.raises(WebhookVerificationError):
        got.event(secret())


def test_what_a_receiver_missed_while_it_was_down_comes_when_it_is_up(
    start: Any, tmp_path: Path
) -> None:
    receiver = Receiver()
    server = start(receiver.settings())
    link = server.ask()
    link.send(png())
    until("a try failed", lambda: listed(tmp_path)[0]["problem"])
    receiver.start()
    receiver.until("upload.completed")
    [webhook] = listed(tmp_path)
    assert (webhook["tries"], webhook["problem"]) == (2, None)
    receiver.stop()


def test_a_server_that_stops_and_starts_loses_nothing(start: Any, tmp_path: Path) -> None:
    receiver = Receiver()
    server = start(receiver.settings())
    links = [server.ask() for _ in range(5)]
    for link in links:
        link.send(png())
    server.stop()
    receiver.start()
    start(receiver.settings())
    receiver.until(*["upload.completed"] * 5)
    receiver.stop()


def test_one_that_fails_for_a_while_gets_the_same_again(start: Any, receiver: Receiver) -> None:
    answers = iter([(500, {}), (307, {"location": receiver.url + "/elsewhere"})])
    receiver.reply = lambda got: next(answers, OK)
    server = start(receiver.settings())
    server.ask().send(png())
    until("the first try failed", lambda: receiver.got)
    run(server.data.parent, "webhooks", "replay", receiver.got[0].id)
    until("the second try failed", lambda: len(receiver.got) > 1)
    run(server.data.parent, "webhooks", "replay", receiver.got[0].id)
    until("it is told", lambda: len(receiver.got) > 2)
    assert len({(got.id, got.body) for got in receiver.got}) == 1
    assert [got.path for got in receiver.got] == ["/hooks"] * 3, "no redirect is followed"
    receiver.until("upload.completed")


def test_a_receiver_is_left_alone_for_as_long_as_it_asks(
    start: Any, receiver: Receiver, tmp_path: Path
) -> None:
    receiver.reply = lambda got: (429, {"retry-after": "3600"})
    start(receiver.settings()).ask().send(png())
    until("a try failed", lambda: listed(tmp_path)[0]["problem"])
    [webhook] = listed(tmp_path)
    assert webhook["problem"].startswith("answered 429")
    due = time.mktime(time.strptime(webhook["due_at"], "%Y-%m-%dT%H:%M:%SZ")) - time.timezone
    assert 3_500 < due - time.time() < 4_400


def test_one_that_is_slow_holds_up_none_but_itself(
    start: Any, receiver: Receiver, tmp_path: Path
) -> None:
    slow = Receiver()
    slow.reply = lambda got: time.sleep(3) or OK
    slow.start()
    server = start(receiver.settings() + slow.settings("slow", "timeout = '1s'"))
    for _ in range(40):
        link = server.ask()
        link.send(png())
    receiver.until(*["upload.completed"] * 40)
    until("a try failed", lambda: any(it["problem"] for it in listed(tmp_path)))
    problems = {it["problem"] for it in listed(tmp_path) if it["endpoint"] == "slow"}
    assert "no answer in time" in problems
    slow.stop()


def test_what_is_given_up_is_listed_and_sent_again(
    start: Any, receiver: Receiver, tmp_path: Path
) -> None:
    receiver.reply = lambda got: (410, {})
    server = start(receiver.settings())
    server.ask().send(png())
    until("it is given up", lambda: listed(tmp_path, "--dead"))
    [dead] = listed(tmp_path, "--dead")
    assert (dead["state"], dead["problem"]) == ("dead", "answered 410 Gone")
    told = run(tmp_path, "webhooks", "list").stdout
    assert dead["id"] in told and "upload.completed" in told and "410" in told
    receiver.reply = lambda got: OK
    again = run(tmp_path, "webhooks", "replay", "--dead")
    assert again.stdout.startswith("One webhook is sent again"), again
    receiver.until("upload.completed")
    until("it is known", lambda: listed(tmp_path)[0]["state"] == "delivered")
    assert run(tmp_path, "webhooks", "replay", "--dead").stdout.startswith("There is none")
    assert run(tmp_path, "webhooks", "replay", "--since", "1h").stdout.startswith("One")
    until("it is told again", lambda: len(receiver.got) == 3)
    unknown = run(tmp_path, "webhooks", "replay", "msg_01KDVDNA000000000000000000")
    assert unknown.returncode == 1 and "nothing here by that name" in unknown.stderr
    assert run(tmp_path, "webhooks", "replay").returncode == 2


def test_an_endpoint_is_tried_without_an_event(
    start: Any, receiver: Receiver, tmp_path: Path
) -> None:
    start(receiver.settings() + Receiver().settings("gone"))
    tried = run(tmp_path, "webhooks", "test", "shop")
    assert (tried.returncode, tried.stdout) == (0, "✓ shop: answered 204 No Content\n")
    [got] = receiver.got
    assert got.event(receiver.secret)["type"] == "webhook.test"
    both = run(tmp_path, "webhooks", "test")
    assert both.returncode == 1 and "✗ gone: " in both.stdout, both
    assert "one endpoint did not take it" in both.stderr
    unknown = run(tmp_path, "webhooks", "test", "bank")
    assert "[webhook.bank]" in unknown.stderr
    doctor = json.loads(run(tmp_path, "doctor", "--json").stdout)
    found = {it["found"]: it["verdict"] for it in doctor["checks"] if it["check"] == "webhook"}
    assert found.pop("shop is there") == "ok"
    [(gone, verdict)] = found.items()
    assert verdict == "wrong" and gone.startswith("gone cannot be reached")
    assert len(receiver.got) == 2, "the doctor posts nothing"


def test_no_secret_is_printed(start: Any, receiver: Receiver, tmp_path: Path) -> None:
    server = start(receiver.settings("shop", "events = ['upload.*']"))
    server.ask().send(png())
    receiver.until("upload.completed")
    for flags in ([], ["--json"]):
        shown = run(tmp_path, "config", *flags)
        assert "(hidden, 1 key)" in shown.stdout and receiver.url in shown.stdout
        assert receiver.secret[8:] not in shown.stdout + shown.stderr + server.output
