"""Schemathesis makes requests up from `/openapi.json`, right ones and wrong ones, and holds every
answer against it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from askfile import Server, png, run
from wire import Part, form, http

EVERYTHING = "asset:upload,media:read,media:attach,media:delete,admin"
# What a schema cannot say is refused too: a cap of the server's, the sum of all labels. And what is made
# on the way is not what the paths name, which is known from the start.
EXCLUDED = "positive_data_acceptance,ensure_resource_availability"


def things(server: Server, authorization: dict[str, str]) -> dict[str, str]:
    """What is there to be asked for."""
    ask = authorization | {"content-type": "application/json"}
    used, made = (http("POST", f"{server.url}/v1/links", b"{}", ask).json for _ in range(2))
    media = http("POST", used["upload_url"], *form(Part(png()))).json
    shown = http("GET", f"{server.url}/v1/media/{media['media_id']}", headers=authorization).json
    post = f"{server.url}/v1/targets/post/7/media"
    what = json.dumps({"media_id": media["media_id"]}).encode()
    attached = http("POST", post, what, ask).json["attachments"][0]
    declared = {
        "metadata": {"name": "A picture"},
        "spec": {"contentType": "image/png", "filename": "a.png", "sizeBytes": 9},
    }
    declared = http("POST", f"{server.url}/v1/uploads", json.dumps(declared).encode(), ask).json
    return {
        "id": declared["metadata"]["id"],
        "target_type": attached["target_type"],
        "target_id": attached["target_id"],
        "attachment_id": attached["attachment_id"],
        "upload_id": made["upload_id"],
        "media_id": media["media_id"],
        "handle": shown["handles"]["media"],
        "workspace_id": made["workspace_id"],
    }


@pytest.fixture
def settings() -> dict[str, str]:
    return {"auth": "keys", "max_wait": "1s"}


# It may close what the rest is tried in.
CLOSING = "changeWorkspace"


def made(folder: Path, *command: str) -> Any:
    return json.loads(run(folder, *command, "--json").stdout)


def tried(server: Server, folder: Path, key: str, known: dict[str, str], *options: str) -> None:
    lines = (f'"path.{name}" = "{value}"' for name, value in known.items())
    (folder / "schemathesis.toml").write_text("\n".join(["[parameters]", *lines]))
    done = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json"),
            *("--header", f"Authorization: Bearer {key}", "--mode", "all", "--checks", "all"),
            *("--exclude-checks", EXCLUDED, "--max-examples", "30", "--no-color", *options),
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert " 0 generated" not in done.stdout
    # Or the rest was tried in vain.
    keys = http("GET", f"{server.url}/v1/keys", headers={"authorization": f"Bearer {key}"})
    assert keys.status == 200, keys


def test_every_answer_is_as_it_is_described(server: Server, tmp_path: Path) -> None:
    # What is revoked on the way is another key than the one that the requests are made with.
    spare = made(tmp_path, "keys", "create", "--name", "spare")
    key = made(tmp_path, "keys", "create", "--name", "programs", "--allow", EVERYTHING)["key"]
    known = things(server, {"authorization": f"Bearer {key}"}) | {"key_id": spare["id"]}
    tried(server, tmp_path, key, known, "--exclude-operation-id", CLOSING)


def test_so_is_that_of_a_workspace_which_is_closed(server: Server, tmp_path: Path) -> None:
    other = made(tmp_path, "workspace", "create", "Other")
    both = ("--workspace", made(tmp_path, "workspace", "list")[0]["alias"])
    both += ("--workspace", other["alias"])
    create = ("keys", "create", "--name", "programs", "--allow", EVERYTHING, *both)
    known = {"workspace_id": other["id"]}
    tried(server, tmp_path, made(tmp_path, *create)["key"], known, "--include-operation-id", CLOSING)
