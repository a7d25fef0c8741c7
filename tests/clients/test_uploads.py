"""A program sends files of its own, with plain `fetch`, by the shapes that its kind of client uses."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from askfile import Server, png, run, sha256

PROGRAM = Path(__file__).parent / "typescript/uploads.mjs"


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    server = Server(tmp_path, auth="keys")
    try:
        yield server
    finally:
        server.stop()


def sent(server: Server, folder: Path, picture: bytes) -> dict[str, Any]:
    made = run(folder, "keys", "create", "--name", "scanner", "--allow", "asset:upload")
    assert made.returncode == 0, made.stderr
    command = ["node", str(PROGRAM), server.url, made.stdout.strip()]
    done = subprocess.run(command, input=picture, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_a_program_declares_puts_and_retrieves(server: Server, tmp_path: Path) -> None:
    picture = png(5, 4)
    told = sent(server, tmp_path, picture)
    created = told["created"]["body"]
    assert told["created"]["status"] == 201
    assert created["metadata"]["name"] == "Scan of page 7"
    assert created["metadata"]["externalId"] == "page-7"
    assert created["metadata"]["labels"] == {"book": "atlas"}
    assert created["metadata"]["accountId"].startswith("acct_")
    assert created["spec"] == {
        "contentType": "image/png",
        "filename": "page-7.png",
        "sizeBytes": str(len(picture)),
    }
    assert created["info"]["status"] == "UPLOAD_STATUS_PENDING"
    by = created["info"]["createdBy"]
    assert by["spec"] == {"type": "PROFILE_TYPE_API_KEY", "name": "scanner"}
    assert by["metadata"]["profileId"] == created["metadata"]["profileId"]
    for refused in ("otherType", "otherLength"):
        assert told[refused]["status"] == 422, told[refused]
        assert told[refused]["body"]["code"] == "SPEC_MISMATCH"
    assert told["pending"]["body"] == created, "what was refused changes nothing"

    assert told["sent"]["status"] == 201
    assert told["sent"]["body"]["original_sha256"] == sha256(picture)
    complete = told["complete"]["body"]
    assert complete["info"]["status"] == "UPLOAD_STATUS_COMPLETE"
    assert "uploadUrl" not in complete["info"]
    assert complete["metadata"] == created["metadata"]

    assert told["picture"]["status"] == 200
    assert told["picture"]["body"]["upload_key"].startswith("medias/")
    assert told["preview"] == {"status": 200, "type": "image/jpeg"}, "a small copy to look at"
