"""Schemathesis makes requests up from `/openapi.json`, right ones and wrong ones, and holds every
answer against it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from askfile import Server, png, run
from wire import Part, form, http

EVERYTHING = "asset:upload,media:read,media:attach,media:delete,admin"
# What a schema cannot say is refused too: a cap of the server's, the sum of all labels.
EXCLUDED = "positive_data_acceptance"


def things(server: Server, authorization: dict[str, str]) -> dict[str, str]:
    """What is there to be asked for."""
    ask = authorization | {"content-type": "application/json"}
    made = http("POST", f"{server.url}/v1/links", b'{"max_files": 2}', ask).json
    media = http("POST", made["upload_url"], *form(Part(png()))).json
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


def test_every_answer_is_as_it_is_described(server: Server, tmp_path: Path) -> None:
    make = ("keys", "create", "--name", "programs", "--allow", EVERYTHING)
    key = run(tmp_path, *make).stdout.strip()
    known = things(server, {"authorization": f"Bearer {key}"})
    lines = (f'"path.{name}" = "{value}"' for name, value in known.items())
    (tmp_path / "schemathesis.toml").write_text("\n".join(["[parameters]", *lines]))
    tried = subprocess.run(
        [
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{server.url}/openapi.json"),
            *("--header", f"Authorization: Bearer {key}", "--mode", "all", "--checks", "all"),
            *("--exclude-checks", EXCLUDED, "--max-examples", "30", "--no-color"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert tried.returncode == 0, tried.stdout + tried.stderr
    assert " 0 generated" not in tried.stdout
