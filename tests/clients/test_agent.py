"""An agent asks, a person sends, the agent attaches: each story in each protocol era."""

from __future__ import annotations

import json
import re
import subprocess
import time
import uuid
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import pytest

from agent import Agent
from askfile import Link, Page, Server, large_text, png, sha256, until
from wire import Part, connect, form, http, read_answer, request

TIERS = {
    "upload_create": "write",
    "upload_request": "write",
    "upload_status": "read-only",
    "upload_cancel": "write",
    "attach_media": "write",
    "media_list": "read-only",
    "media_get": "read-only",
    "media_import": "write",
    "media_delete": "write",
}
HINTS = ("readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint")


def phase(agent: Agent, link: Link) -> str:
    """What the agent hears of a link that is pending."""
    return agent.call("upload_status", token=link.token)["phase"]


def test_each_tool_says_what_a_client_needs_to_know(agent: Agent) -> None:
    tools = agent.tools()
    assert set(tools) == set(TIERS)
    for name, tool in tools.items():
        assert tool["title"] and len(tool["description"]) > 100, name
        hints = {name: tool["annotations"].get(name) for name in HINTS}
        assert all(isinstance(hint, bool) for hint in hints.values()), (name, hints)
        assert hints["readOnlyHint"] is (TIERS[name] == "read-only")
        assert tool["_meta"]["tier"] == TIERS[name]
        assert tool["_meta"]["tags"], name
        assert tool["outputSchema"]["required"] == ["ok"], name
    assert set(tools["upload_create"]["_meta"]["tags"]) == {"upload", "write"}
    assert set(tools["upload_status"]["_meta"]["tags"]) == {"read", "upload"}


def test_a_person_sends_a_file_by_the_form_and_the_agent_attaches_it(agent: Agent) -> None:
    session = agent.call("upload_create", prompt="The photo for the <b>summer</b> post, please.")
    link = Link.of(session)
    assert (session["status"], session["phase"]) == ("pending", "waiting")
    assert link.url in session["instruction"] and link.token in session["next_action"]

    page = Page.open(link.url)
    assert "The photo for the <b>summer</b> post, please." in page.text
    assert "summer" not in page.title
    assert phase(agent, link) == "opened"

    # A browser sends all that a form has, also what was left empty.
    choose = page.form("media")
    assert choose.fields["media"] == "file" and choose.fields["description"]
    assert (choose.method, choose.enctype, choose.action) == (
        "POST",
        "multipart/form-data",
        link.url,
    )
    photo = png()
    body, headers = form(
        Part(photo, filename="Sommer & Meer.txt"), Part(b"At the sea", "description", None)
    )
    answer = http("POST", choose.action, body, headers | {"accept": "text/html"})
    assert answer.status == 303, answer
    result = urljoin(link.url, answer.headers["location"])
    receipt = http(
        "GET", result, headers={"cookie": answer.headers["set-cookie"].partition(";")[0]}
    )
    assert receipt.status == 200 and receipt.is_html and "Sommer" in receipt.text
    assert "Sommer" not in http("GET", result).text  # Others do not see what was sent.

    status = agent.call("upload_status", token=link.token)
    assert status["status"] == "completed"
    [media] = status["result"]["media"]
    assert media["mime_type"] == media["original_mime_type"] == "image/png"
    assert media["kind"] == "image"
    assert media["size_bytes"] == media["original_size_bytes"] == len(photo)
    assert media["sha256"] == media["original_sha256"] == sha256(photo)
    assert media["original_filename"].startswith("Sommer & Meer")
    assert media["description"] == "At the sea"
    assert media["urn"] == f"urn:askfile:{session['workspace_id']}:assets:{media['media_id']}"
    [handle] = status["result"]["handles"]["media"]
    assert handle.startswith("md_")
    [suggestion] = status["suggestions"]
    assert suggestion.startswith(f'attach_media(upload_token="{link.token}"')

    post = {"target_type": "post", "target_id": "post-1", "alt": "The sea"}
    attached = agent.call("attach_media", upload_token=link.token, **post)
    [attachment] = attached["attachments"]
    assert {name: attachment[name] for name in post} == post
    assert attachment["media_id"] == media["media_id"] and attached["status"] == "consumed"
    assert agent.call("upload_status", token=link.token)["status"] == "consumed"
    assert agent.call("attach_media", upload_token=link.token, **post) == attached
    assert agent.call("attach_media", upload_id=link.upload_id, **post) == attached

    refused = agent.fail(
        "attach_media", upload_token=link.token, target_type="post", target_id="post-2"
    )
    assert refused["code"] == "ALREADY_CONSUMED"
    assert "post-1" in refused["message"]
    again = agent.call(
        "attach_media", media_id=media["media_id"], target_type="post", target_id="post-2"
    )
    assert again["attachments"][0]["media_id"] == media["media_id"]


def test_a_waiting_agent_is_woken_within_a_second(agent: Agent) -> None:
    link = Link.of(agent.call("upload_create"))
    waiting = agent.start("upload_status", token=link.token, wait_seconds=30)

    # Half of the file now, the rest once the agent has seen that it is on its way.
    body, headers = form(Part(large_text(200_000), filename="notes.txt"))
    half = len(body) // 2
    head, [body] = request("POST", link.url, body, headers)
    with connect(link.url) as connection:
        connection.sendall(head + body[:half])
        until("the first half arrives", lambda: phase(agent, link) == "receiving")
        assert not waiting.is_over()
        connection.sendall(body[half:])
        assert read_answer(connection, "POST").status == 201
        arrived = time.monotonic()
    status = waiting.result(5)
    assert time.monotonic() - arrived < 1
    assert status["status"] == "completed"
    assert status["result"]["media"][0]["mime_type"] == "text/plain"


def test_an_agent_lists_looks_at_and_deletes_files(agent: Agent) -> None:
    data = png(40, 30)
    for n in range(3):
        link = Link.of(agent.call("upload_create"))
        assert link.send(data, f"photo {n}.png").status == 201
    page = agent.call("media_list", kind="image", limit=2)
    names = [item["original_filename"] for item in page["items"]]
    assert names == ["photo 2.png", "photo 1.png"]
    rest = agent.call("media_list", kind="image", limit=2, cursor=page["next_cursor"])
    assert [item["original_filename"] for item in rest["items"]] == ["photo 0.png"]
    assert "next_cursor" not in rest
    [item] = rest["items"]
    shown = agent.call("media_get", media_id=item["handles"]["media"])
    file = http("GET", shown["download_url"])
    assert (file.status, sha256(file.body)) == (200, shown["sha256"])
    preview = http("GET", shown["preview_url"])
    assert preview.headers["content-type"] == "image/jpeg"
    agent.call("attach_media", media_id=item["media_id"], target_type="post", target_id="1")
    refused = agent.fail("media_delete", media_id=item["media_id"])
    assert refused["code"] == "CONFLICT" and "post 1" in refused["message"]
    deleted = agent.call("media_delete", media_id=item["media_id"], force=True)
    assert deleted["media_id"] == item["media_id"]
    assert http("GET", shown["download_url"]).status == 404
    assert agent.fail("media_get", media_id=item["media_id"])["code"] == "NOT_FOUND"


def test_the_curl_line_works_in_a_shell(agent: Agent, tmp_path: Path) -> None:
    photo = png()
    (tmp_path / "my photo.png").write_bytes(photo)
    session = agent.call("upload_create")
    line = session["curl"].replace("FILE", str(tmp_path / "my photo.png"))
    assert f'"{session["upload_url"]}"' in line
    answer = run_json(line)
    assert answer["upload_token"] == session["token"]
    assert answer["upload_id"] == session["upload_id"]
    assert (answer["type"], answer["mime_type"]) == ("image", "image/png")
    assert (answer["size_bytes"], answer["sha256"]) == (len(photo), sha256(photo))
    assert answer["original_filename"] == "my photo.png"
    assert answer["scan_status"]
    status = agent.call("upload_status", token=session["token"])
    assert status["result"]["media"][0]["media_id"] == answer["media_id"]


def test_a_raw_put_by_curl_works_too(agent: Agent, tmp_path: Path) -> None:
    (tmp_path / "a.bin").write_bytes(png())
    link = Link.of(agent.call("upload_create"))
    answer = run_json(f"""curl -T "{tmp_path}/a.bin" "{link.url}" """)
    assert answer["mime_type"] == "image/png"
    assert answer["original_filename"] == "upload.png"
    assert agent.call("upload_status", token=link.token)["status"] == "completed"


def test_a_raw_put_names_its_file_in_a_header(agent: Agent) -> None:
    for header, name in {
        'attachment; filename="my photo.png"': "my photo.png",
        "attachment; filename*=UTF-8''na%C3%AFve.png": "naïve.png",
    }.items():
        link = Link.of(agent.call("upload_create"))
        answer = http("PUT", link.url, png(), {"content-disposition": header})
        assert (answer.status, answer.json["original_filename"]) == (201, name)


def test_an_attempt_that_lost_its_answer_gets_it_again(agent: Agent) -> None:
    link = Link.of(agent.call("upload_create"))
    photo, attempt = png(), {"askfile-attempt": str(uuid.uuid4())}
    first, again = (http("PUT", link.url, photo, attempt) for _ in range(2))
    assert first.status == again.status == 201
    assert first.json == again.json
    other = {"askfile-attempt": str(uuid.uuid4())}
    assert http("PUT", link.url, photo, other).json["code"] == "ALREADY_USED"
    result = agent.call("upload_status", token=link.token)["result"]
    assert [media["media_id"] for media in result["media"]] == [first.json["media_id"]]


def run_json(line: str) -> Any:
    done = subprocess.run(["bash", "-c", line], capture_output=True, timeout=30)
    assert done.returncode == 0, done
    return json.loads(done.stdout)


def test_a_declined_request_wakes_the_agent_with_the_reason(agent: Agent) -> None:
    link = Link.of(agent.call("upload_create"))
    waiting = agent.start("upload_status", token=link.token, wait_seconds=30)
    decline = Page.open(link.url).form("reason")
    assert (decline.method, decline.action) == ("POST", link.sub("decline"))
    urlencoded = {"content-type": "application/x-www-form-urlencoded", "accept": "text/html"}
    answer = http("POST", decline.action, b"reason=I+have+no+such+photo.", urlencoded)
    assert answer.status == 303 or (answer.status == 200 and answer.is_html), answer
    status = waiting.result(5)
    assert (status["status"], status["reason"]) == ("declined", "I have no such photo.")
    assert link.send(png()).json["code"] == "DECLINED"


def test_a_cancelled_link_takes_nothing(agent: Agent, server: Server) -> None:
    link = Link.of(agent.call("upload_create"))
    waiting = agent.start("upload_status", upload_id=link.upload_id, wait_seconds=30)
    assert agent.call("upload_cancel", token=link.token)["status"] == "cancelled"
    assert waiting.result(5)["status"] == "cancelled"
    refused = link.send(png())
    assert (refused.status, refused.json["code"]) == (409, "CANCELLED")
    assert server.stored == []
    page = http("GET", link.url, headers={"accept": "text/html"})
    assert page.is_html and "cancelled" in page.text


def test_cancelling_stops_a_file_on_its_way(agent: Agent, server: Server) -> None:
    link = Link.of(agent.call("upload_create"))
    body, headers = form(Part(large_text(100_000), filename="notes.txt"))
    head, [body] = request("POST", link.url, body, headers)
    with connect(link.url) as connection:
        connection.sendall(head + body[:50_000])
        until("the first half arrives", lambda: phase(agent, link) == "receiving")
        agent.call("upload_cancel", token=link.token)
        connection.sendall(body[50_000:])
        answer = read_answer(connection, "POST")
    assert (answer.status, answer.json["code"]) == (409, "CANCELLED")
    assert server.stored == []


def test_a_request_answers_at_once_and_a_second_call_goes_on_waiting(agent: Agent) -> None:
    asked = agent.call("upload_request", prompt="Your logo")
    assert (asked["outcome"], asked["status"]) == ("pending", "pending")
    link = Link.of(asked)
    assert link.url in asked["instruction"]
    assert "upload_status" in asked["next_action"] and link.token in asked["next_action"]

    lapsed = agent.call("upload_request", token=link.token, timeout=0.2)
    assert (lapsed["outcome"], lapsed["status"]) == ("timeout", "pending")

    waiting = agent.start("upload_request", token=link.token, timeout=30)
    assert link.send(png()).status == 201
    answer = waiting.result(5)
    assert (answer["outcome"], answer["status"]) == ("uploaded", "completed")
    assert answer["result"]["media"][0]["mime_type"] == "image/png"


def test_a_request_that_is_declined_says_so(agent: Agent) -> None:
    link = Link.of(agent.call("upload_request", prompt="Your logo"))
    assert http("POST", link.sub("decline")).status == 200
    answer = agent.call("upload_request", token=link.token)
    assert (answer["outcome"], answer["status"]) == ("declined", "declined")


def test_a_call_that_waits_tells_the_link_by_its_progress(agent: Agent) -> None:
    waiting = agent.start("upload_create", prompt="Your logo", wait=True, timeout=30)
    until("the first progress message", lambda: waiting.progress)
    [url] = re.findall(r"http://\S+/uploads/\S+signature=[0-9a-f]{64}", waiting.progress[0])
    assert http("PUT", url, png()).status == 201
    session = waiting.result(5)
    assert (session["status"], session["upload_url"]) == ("completed", url)
    assert session["result"]["media"][0]["mime_type"] == "image/png"


@pytest.mark.parametrize("settings", [{"max_wait": "1s"}])
def test_a_call_never_waits_longer_than_clients_bear(agent: Agent) -> None:
    began = time.monotonic()
    session = agent.call("upload_create", wait=True, timeout=3600)
    assert 0.9 < time.monotonic() - began < 5
    assert 0.9 <= session["waited_seconds"] <= 2
    assert (session["status"], session["phase"]) == ("pending", "waiting")
    assert (
        re.search(r"\b1\b", session["next_action"]) and session["token"] in session["next_action"]
    )
    assert Link.of(session).send(png()).status == 201


def test_a_link_takes_as_many_files_as_it_says(agent: Agent) -> None:
    link = Link.of(agent.call("upload_create", max_files=3))
    photos = [png() for _ in range(3)]
    for number, photo in enumerate(photos, 1):
        assert agent.call("upload_status", token=link.token)["status"] == "pending"
        assert link.send(photo, f"{number}.png").status == 201
    assert link.send(png()).json["code"] == "ALREADY_USED"
    result = agent.call("upload_status", token=link.token)["result"]
    assert [media["sha256"] for media in result["media"]] == [sha256(photo) for photo in photos]
    assert len(set(result["handles"]["media"])) == 3
    attached = agent.call(
        "attach_media", upload_token=link.token, target_type="album", target_id="1"
    )
    media_ids = [media["media_id"] for media in result["media"]]
    assert [attachment["media_id"] for attachment in attached["attachments"]] == media_ids
    assert [attachment["position"] for attachment in attached["attachments"]] == [0, 1, 2]


def test_a_person_may_be_done_with_fewer_files(agent: Agent) -> None:
    link = Link.of(agent.call("upload_create", max_files=3))
    waiting = agent.start("upload_status", token=link.token, wait_seconds=30)
    assert link.send(png()).status == link.send(png()).status == 201
    assert not waiting.is_over()
    assert (
        agent.fail("attach_media", upload_token=link.token, target_type="a", target_id="1")["code"]
        == "NOT_READY"
    )
    done = [form for form in Page.open(link.url).forms if form.action == link.sub("done")]
    assert len(done) == 1 and http("POST", done[0].action).status == 200
    status = waiting.result(5)
    assert status["status"] == "completed"
    assert len(status["result"]["media"]) == 2
    assert link.send(png()).json["code"] == "ALREADY_USED"


def test_done_needs_at_least_one_file(agent: Agent) -> None:
    link = Link.of(agent.call("upload_create", max_files=3))
    refused = http("POST", link.sub("done"))
    assert 400 <= refused.status < 500 and refused.json["message"], refused
    assert agent.call("upload_status", token=link.token)["status"] == "pending"


@pytest.mark.parametrize("tool", ["upload_status", "upload_cancel", "upload_request"])
@pytest.mark.parametrize("token", ["0b9f4a7e-8f0f-4f6e-9d5a-3c2b1a0f9e8d", "not-a-token", ""])
def test_an_unknown_token_is_answered_alike_everywhere(agent: Agent, tool: str, token: str) -> None:
    failure = agent.fail(tool, token=token)
    assert (failure["error_kind"], failure["code"]) == ("not_found", "NOT_FOUND")
    assert "upload_create" in failure["hint"]
    # Who wants a link closed needs no other one.
    assert ("Mint a new link" in failure["hint"]) == (tool != "upload_cancel")


@pytest.mark.parametrize(
    ("tool", "arguments", "named"),
    [
        ("upload_create", {"promt": "A photo"}, "promt"),
        ("upload_create", {"max_files": 51}, "max_files"),
        ("upload_create", {"max_files": 0}, "max_files"),
        ("upload_create", {"max_files": "three"}, "max_files"),
        ("upload_create", {"max_size_bytes": 10**12}, "52428800|52,428,800|50 ?M"),
        ("upload_create", {"expires_in_seconds": 59}, "expires_in_seconds"),
        ("upload_create", {"prompt": "x" * 1001}, "prompt"),
        (
            "upload_create",
            {"allowed_mime_types": ["image/svg+xml"]},
            "allowed_mime_types|image/svg",
        ),
        ("upload_create", {"purpose": "no-such-purpose"}, "purpose"),
        ("upload_create", {"metadata": {"colour": "red"}}, "colour"),
        ("upload_create", {"wait": True, "timeout": 0}, "timeout"),
        ("upload_request", {}, "prompt"),
        ("upload_request", {"prompt": "A photo", "wait": True}, "wait"),
        ("upload_status", {}, "token"),
        ("upload_status", {"token": "x", "wait_second": 45}, "wait_second"),
        ("upload_status", {"token": "x", "wait_seconds": -1}, "wait_seconds"),
        ("upload_cancel", {"id": "x"}, "id"),
        ("attach_media", {"target_type": "post"}, "target_id"),
        ("attach_media", {"target_type": "post", "target_id": "1"}, "upload_token"),
        (
            "attach_media",
            {"target_type": "Post!", "target_id": "1", "media_id": "x"},
            "target_type",
        ),
        (
            "attach_media",
            {"target_type": "post", "target_id": "1", "media_id": "x", "url": "x"},
            "url",
        ),
    ],
)
def test_a_mistake_in_an_argument_is_named(
    agent: Agent, tool: str, arguments: dict, named: str
) -> None:
    failure = agent.fail(tool, **arguments)
    assert (failure["error_kind"], failure["code"]) == ("validation_error", "INVALID_ARGUMENT")
    assert re.search(rf"\b({named})\b", failure["message"]), failure


def test_the_agent_learns_why_the_last_file_was_refused(agent: Agent) -> None:
    link = Link.of(agent.call("upload_create", allowed_mime_types=["image/*"]))
    assert link.send(b"just words", "photo.png").json["code"] == "MIME_NOT_ALLOWED"
    status = agent.call("upload_status", token=link.token)
    assert status["status"] == "pending"
    assert status["last_error"]["code"] == "MIME_NOT_ALLOWED" and status["last_error"]["message"]


def test_the_log_names_neither_token_nor_signature_nor_file(agent: Agent, server: Server) -> None:
    link = Link.of(agent.call("upload_create", prompt="A very secret prompt"))
    Page.open(link.url)
    assert link.send(b"MZ\x90\0" * 100, "unwanted-name.exe").status == 422
    assert link.send(png(), "unmistakable-name.png").status == 201
    agent.call("attach_media", upload_token=link.token, target_type="post", target_id="1")
    signature = link.url.rpartition("signature=")[2]
    assert link.upload_id in server.output
    for secret in (link.token, signature, "unwanted-name", "unmistakable-name", "secret prompt"):
        assert secret not in server.output
