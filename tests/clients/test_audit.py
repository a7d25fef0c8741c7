"""`askfile audit`: who did what, for people and for programs."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from askfile import BINARY, Server, environment, png, run, until


def audit(folder: Path, *flags: str) -> str:
    done = run(folder, "audit", *flags)
    assert (done.returncode, done.stderr) == (0, ""), done
    return done.stdout


def lines(folder: Path, *flags: str) -> list[dict[str, Any]]:
    """What programs read."""
    return [json.loads(line) for line in audit(folder, "--json", *flags).splitlines()]


def test_what_was_done_is_printed_oldest_first(server: Server, tmp_path: Path) -> None:
    link = server.ask()
    link.send(png())
    made, sent, completed = lines(tmp_path)[1:]
    assert made["action"] == "upload.created"
    assert made["actor"]["kind"] == "system"
    assert (made["subject"], made["detail"]["purpose"]) == (link.upload_id, "general")
    assert sent["action"] == "media.uploaded"
    assert sent["actor"] == {"kind": "link", "id": None, "name": None, "api_key_id": None}
    assert sent["detail"]["mime_type"] == "image/png"
    assert completed["action"] == "upload.completed"
    assert [line["id"] for line in (made, sent, completed)] == [2, 3, 4]

    head, _, *told = audit(tmp_path).splitlines()
    what = head.index("WHAT")
    assert told[0][what:] == f"made the link {link.upload_id} for the purpose general"
    assert told[1][what:].startswith(f"sent the file {sent['subject']} (image/png, ")
    assert told[2][head.index("WHO") :].startswith("whoever has the link  completed")


def test_a_part_of_the_log_is_asked_for_by_name(server: Server, tmp_path: Path) -> None:
    server.ask()
    run(tmp_path, "workspace", "create", "Acme", "--alias", "w-acme")
    run(tmp_path, "keys", "create", "--name", "CI", "--workspace", "w-acme")
    run(tmp_path, "keys", "deny", "CI", "media:delete", "admin")
    [made] = lines(tmp_path, "--action", "upload.*")
    assert made["action"] == "upload.created"
    of_acme = [line["action"] for line in lines(tmp_path, "--workspace", "w-acme")]
    assert of_acme == ["workspace.created", "key.created", "key.denied"]
    assert audit(tmp_path, "--action", "key.denied").splitlines()[1].endswith(") media:delete")
    assert lines(tmp_path, "--since", "1h", "--until", made["at"]) == lines(tmp_path)[:1]
    assert lines(tmp_path, "--actor", "askfile workspace")[0]["action"] == "workspace.created"
    for wrong, part in [
        (["--workspace", "w-nobody"], "no workspace `w-nobody`"),
        (["--action", "uploads"], "upload.created"),
        (["--since", "yesterday"], "7d"),
    ]:
        refused = run(tmp_path, "audit", *wrong)
        assert refused.returncode != 0 and part in refused.stderr, refused
        assert not refused.stdout


def test_what_an_agent_says_cannot_pass_for_a_line(server: Server, tmp_path: Path) -> None:
    link = server.ask()
    link.send(b"text", "a.txt")
    forged = "7\n2026-01-01T00:00:00Z  w-acme     Ana                   deleted \x1b[2J\u202eall"
    target = {"upload_token": link.token, "target_type": "post", "target_id": forged}
    server.rpc("tools/call", {"name": "attach_media", "arguments": target})
    told = audit(tmp_path)
    assert len(told.splitlines()) == 1 + len(lines(tmp_path))
    assert "\x1b" not in told and "\u202e" not in told
    assert lines(tmp_path)[-1]["detail"]["target_id"] == forged


def test_who_follows_is_told_as_it_is_done_and_nothing_twice(
    server: Server, tmp_path: Path
) -> None:
    before = server.ask()
    with (tmp_path / "followed").open("wb") as output:
        following = subprocess.Popen(
            [BINARY, "audit", "--follow", "--json", "--since", "1h"],
            cwd=tmp_path,
            env=environment(tmp_path),
            stdout=output,
        )

    def told() -> list[str]:
        text = (tmp_path / "followed").read_text()
        return [json.loads(line)["subject"] for line in text.splitlines()[1:]]

    try:
        until("what was done before", lambda: told() == [before.upload_id])
        after = [server.ask().upload_id for _ in range(3)]
        until("what is done", lambda: len(told()) >= 4)
        assert told() == [before.upload_id, *after]
        assert following.poll() is None
    finally:
        following.kill()
        following.wait()


def test_who_stops_reading_ends_it(server: Server, tmp_path: Path) -> None:
    line = f"{BINARY} audit --follow --since 1h --json | head -n 1"
    head = subprocess.Popen(
        ["bash", "-c", line], cwd=tmp_path, env=environment(tmp_path), stdout=subprocess.PIPE
    )
    assert head.stdout and b"workspace.created" in head.stdout.readline()
    server.ask()
    server.ask()
    assert head.wait(timeout=20) == 0
