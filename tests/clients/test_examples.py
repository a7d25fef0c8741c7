"""The examples run as they are: a back end with posts, in Rust and in Python, beside a real askfile."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from askfile import REPOSITORY, BINARY, Server, free_address, png, run, until
from wire import Answer, Part, form, http

POSTS = {
    "python": [sys.executable, "-u", str(REPOSITORY / "examples/posts.py")],
    "rust": [str(BINARY.parent / "examples/posts")],
}


class Posts:
    """The back end, and the askfile that it leaves its files to."""

    def __init__(self, folder: Path, command: list[str]) -> None:
        secret = f"whsec_{base64.b64encode(os.urandom(32)).decode()}"
        listen = free_address()
        self.url = f"http://{listen}"
        config = folder / "askfile.toml"
        config.write_text(
            f'[webhook.posts]\nurl = "{self.url}/webhooks"\nsecrets = ["{secret}"]\n'
        )
        self.askfile = Server(folder, "--config", str(config), auth="keys")
        make = ("keys", "create", "--name", "posts", "--allow", "asset:upload,media:read,media:attach")
        made = run(folder, *make)
        assert made.returncode == 0, made.stderr
        environment = {
            "ASKFILE_URL": self.askfile.url,
            "ASKFILE_KEY": made.stdout.strip(),
            "WEBHOOK_SECRET": secret,
            "LISTEN": listen,
            "NO_PROXY": "*",
        }
        self._process = subprocess.Popen(command, env=os.environ | environment)
        until("the back end listens", self._is_there)

    def _is_there(self) -> bool:
        try:
            return http("GET", f"{self.url}/posts/0").status == 404
        except OSError:
            return False

    def post(self, text: str) -> Any:
        answer = http("POST", f"{self.url}/posts", text.encode(), {"content-type": "text/plain"})
        assert answer.status == 200, answer
        return answer.json

    def shown(self, post: int) -> Any:
        answer = http("GET", f"{self.url}/posts/{post}")
        assert answer.status == 200, answer
        return answer.json

    def hear(self, event: dict[str, Any], **headers: str) -> Answer:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        body = json.dumps(event).encode()
        return http("POST", f"{self.url}/webhooks", body, {"content-type": "application/json"} | named)

    def stop(self) -> None:
        self._process.kill()
        self._process.wait()
        self.askfile.stop()


@pytest.fixture(params=POSTS)
def posts(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Posts]:
    posts = Posts(tmp_path, POSTS[request.param])
    try:
        yield posts
    finally:
        posts.stop()


def test_a_picture_that_a_person_sends_is_on_its_post(posts: Posts) -> None:
    made = posts.post("Look at this")
    assert posts.shown(made["id"]) == {"id": made["id"], "text": "Look at this", "media": []}
    pictures = [png(3, 2), png(2, 3)]
    for picture in pictures:
        assert http("POST", made["upload_url"], *form(Part(picture))).status == 201
    done = made["upload_url"].replace("?", "/done?")
    assert http("POST", done).status in (200, 303)
    media = until("it is on its post", lambda: posts.shown(made["id"])["media"])
    assert len(media) == 2
    for one in media:
        assert one["type"] == "image/jpeg", "the purpose has pictures made JPEG"
        assert http("GET", one["url"]).body.startswith(b"\xff\xd8")


def test_nobody_else_tells_it_that_a_file_is_there(posts: Posts) -> None:
    made = posts.post("Look at this")
    event = {
        "type": "upload.completed",
        "data": {"upload_id": "upl_x", "metadata": {"external_id": str(made["id"])}},
    }
    assert posts.hear(event).status == 401
    signed = {"webhook_id": "msg_1", "webhook_timestamp": "1", "webhook_signature": "v1,AAAA"}
    assert posts.hear(event, **signed).status == 401
