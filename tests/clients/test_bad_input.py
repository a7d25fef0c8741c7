"""What goes wrong on the way in: the right answer, nothing stored, the link still good."""

from __future__ import annotations

import io
import re
import uuid
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from askfile import Link, Page, Server, large_text, message_of, png, until
from wire import Answer, Part, connect, form, http, pieces_of, read_answer, request

LIMIT = 100_000
"""Largest file that the links below take."""

MIB = 1024 * 1024


@contextmanager
def harmless(server: Server, link: Link) -> Iterator[None]:
    """What is done inside leaves nothing behind, and the link and the server as good as before."""
    yield
    assert server.is_up
    assert link.facts()["status"] == "pending"
    assert server.stored == []
    assert link.send(png()).status == 201
    assert len(server.stored) == 1
    assert link.send(png()).status == 409


def refused(answer: Answer, status: int, code: str, kind: str = "validation_error") -> None:
    assert (answer.status, answer.json["code"]) == (status, code), answer
    failure = answer.json
    assert set(failure) == {"ok", "error_kind", "code", "message", "hint"}
    assert failure["ok"] is False and failure["error_kind"] == kind
    for sentence in (failure["message"], failure["hint"]):
        assert len(sentence) > 10 and sentence[0].isupper() and sentence[-1] == ".", failure


@pytest.fixture
def link(server: Server) -> Link:
    return server.ask(max_size_bytes=LIMIT)


# The link itself


def changed_link(link: Link, change: str) -> str:
    path, _, query = link.url.partition("?")
    pairs = dict(pair.split("=") for pair in query.split("&"))
    assert set(pairs) == {"workspace_id", "expires", "signature"}
    match change:
        case "another token":
            path = path.replace(link.token, str(uuid.uuid4()))
        case "another workspace":
            pairs["workspace_id"] = str(uuid.uuid4())
        case "a later expiry":
            pairs["expires"] = str(int(pairs["expires"]) + 3600)
        case "another signature":
            pairs["signature"] = pairs["signature"][::-1]
        case "a signature in capitals":
            pairs["signature"] = pairs["signature"].upper()
        case "half a signature":
            pairs["signature"] = pairs["signature"][:32]
        case "no signature":
            del pairs["signature"]
        case "no workspace":
            del pairs["workspace_id"]
        case "an extra parameter":
            pairs["utm_source"] = "chat"
    query = "&".join("=".join(pair) for pair in pairs.items())
    if change == "a repeated parameter":
        query += f"&expires={pairs['expires']}"
    return f"{path}?{query}" if change != "no parameters" else path


CHANGES = [
    "another token",
    "another workspace",
    "a later expiry",
    "another signature",
    "a signature in capitals",
    "half a signature",
    "no signature",
    "no workspace",
    "no parameters",
    "a repeated parameter",
]


@pytest.mark.parametrize("change", [*CHANGES, "an extra parameter"])
def test_a_changed_link_takes_nothing(server: Server, link: Link, change: str) -> None:
    changed = Link(changed_link(link, change), link.token, link.upload_id)
    assert changed.url != link.url
    with harmless(server, link):
        refused(changed.send(png()), 403, "LINK_INVALID", "auth_failed")
        refused(http("PUT", changed.url, png()), 403, "LINK_INVALID", "auth_failed")
        for route in ("decline", "done"):
            refused(http("POST", changed.sub(route)), 403, "LINK_INVALID", "auth_failed")


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_link_shows_a_page_that_says_so(link: Link, change: str) -> None:
    answer = http("GET", changed_link(link, change), headers={"accept": "text/html"})
    assert answer.status == 403 and answer.is_html
    page = Page(link.url, answer.text)
    assert page.forms == [] and "chat" in page.text


def test_a_link_that_a_chat_app_decorated_still_opens(server: Server, link: Link) -> None:
    page = Page.open(f"{link.url}&utm_source=chat&fbclid=x%20y")
    assert page.form("media").action == link.url
    with harmless(server, link):
        pass


def test_a_token_that_is_none_is_unknown(server: Server, link: Link) -> None:
    url = link.url.replace(link.token, "not-a-token")
    with harmless(server, link):
        refused(http("PUT", url, png()), 404, "NOT_FOUND", "not_found")
        page = http("GET", url, headers={"accept": "text/html"})
        assert page.status == 404 and page.is_html


def test_looking_at_a_link_does_not_use_it(server: Server, link: Link) -> None:
    with harmless(server, link):
        for method in ("GET", "HEAD", "OPTIONS", "GET", "HEAD"):
            assert http(method, link.url).status < 500
        for method in ("DELETE", "PATCH"):
            assert 400 <= http(method, link.url).status < 500


def test_the_page_is_private(link: Link) -> None:
    answer = http("GET", link.url)
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert "noindex" in answer.headers["x-robots-tag"]
    policy = answer.headers["content-security-policy"]
    assert "unsafe-inline" not in policy and "frame-ancestors 'none'" in policy


def test_hostile_words_are_only_words_on_the_page(server: Server) -> None:
    words = "<script>alert(1)</script> \"'><img src=x onerror=alert(1)> {{7*7}}"
    page = http("GET", server.ask(prompt=words).url, headers={"accept": "text/html"})
    assert "<script>alert" not in page.text and "<img src=x" not in page.text
    assert words in Page("http://x/", page.text).text


def test_a_link_tells_its_holder_what_is_asked_and_no_more(server: Server) -> None:
    facts = server.ask(prompt="Your logo", max_files=2).facts()
    assert set(facts) == {
        *("status", "phase", "prompt", "limits", "expires_at", "asked_by", "workspace_name"),
    }
    assert (facts["prompt"], facts["asked_by"]) == ("Your logo", "wire")
    assert facts["limits"]["max_files"] == 2


# What is sent through it


def multipart(*parts: Part) -> Callable[[Link], Answer]:
    def send(link: Link) -> Answer:
        body, headers = form(*parts)
        return http("POST", link.url, body, headers)

    return send


def put(data: bytes) -> Callable[[Link], Answer]:
    return lambda link: http("PUT", link.url, data)


def malformed(
    body: bytes, content_type: str = "multipart/form-data; boundary=x"
) -> Callable[[Link], Answer]:
    return lambda link: http("POST", link.url, body, {"content-type": content_type})


def zipped(*names: str) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as out:
        for name in names:
            out.writestr(name, "content")
    return archive.getvalue()


SVG = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>"
EXE = b"MZ\x90\0\x03\0\0\0\x04\0\0\0\xff\xff\0\0\xb8" + bytes(200)
OPEN_PART = b'--x\r\nContent-Disposition: form-data; name="media"; filename="a.png"\r\n\r\n'

BAD_BODIES: dict[str, tuple[str, Callable[[Link], Answer]]] = {
    "a form without a file": ("FILE_MISSING", multipart(Part(b"hello", "description", None))),
    "a form without anything": ("FILE_MISSING", multipart()),
    "a form whose file was not chosen": ("FILE_MISSING", multipart(Part(b"", filename=""))),
    "an empty file": ("FILE_MISSING", multipart(Part(b""))),
    "an empty body": ("FILE_MISSING", put(b"")),
    "a file in another field": ("FILE_MISSING", multipart(Part(png(), name="file"))),
    "a second file": ("TOO_MANY_FILES", multipart(Part(png()), Part(png()))),
    "a second file in another field": (
        "TOO_MANY_FILES",
        multipart(Part(png()), Part(png(), name="file")),
    ),
    "a form that is too large": ("SIZE_EXCEEDED", multipart(Part(large_text(LIMIT + 1)))),
    "a body that is too large": ("SIZE_EXCEEDED", put(large_text(LIMIT + 1))),
    "a program called photo.png": (
        "MIME_NOT_ALLOWED",
        multipart(Part(EXE, content_type="image/png")),
    ),
    "a program as a body": ("MIME_NOT_ALLOWED", put(EXE)),
    "an ELF program": ("MIME_NOT_ALLOWED", put(b"\x7fELF\x02\x01\x01" + bytes(200))),
    "a shell script": ("MIME_NOT_ALLOWED", put(b"#!/bin/sh\nrm -rf /\n")),
    "HTML": ("MIME_NOT_ALLOWED", put(b"<!DOCTYPE html><html><body>Hello</body></html>")),
    "HTML behind white space": (
        "MIME_NOT_ALLOWED",
        put(b"\xef\xbb\xbf \n\t<html><script>1</script></html>"),
    ),
    "HTML behind a comment": (
        "MIME_NOT_ALLOWED",
        put(b"<!-- x -->\n<html><script>1</script></html>"),
    ),
    "SVG": ("MIME_NOT_ALLOWED", multipart(Part(SVG, filename="a.svg", content_type="image/png"))),
    "SVG behind an XML prolog": (
        "MIME_NOT_ALLOWED",
        put(b'<?xml version="1.0"?>\n<!-- x -->\n' + SVG),
    ),
    "SVG with a doctype": (
        "MIME_NOT_ALLOWED",
        put(b'<?xml version="1.0"?><!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "x">' + SVG),
    ),
    "RIFF that is not WebP": ("MIME_NOT_ALLOWED", put(b"RIFF\x24\0\0\0XXXXfmt " + bytes(100))),
    "a plain ZIP archive": ("MIME_NOT_ALLOWED", put(zipped("a.txt", "b.exe"))),
    "text that turns binary": ("MIME_NOT_ALLOWED", put(large_text(50_000) + b"\0\x01\x02" * 100)),
    "bytes of no known type": ("MIME_NOT_ALLOWED", put(bytes(range(256)) * 4)),
    "no boundary": ("MALFORMED_BODY", malformed(b"hello", "multipart/form-data")),
    "a form that is none": ("MALFORMED_BODY", malformed(b"hello")),
    "another content type": (
        "MALFORMED_BODY",
        malformed(b"a=b", "application/x-www-form-urlencoded"),
    ),
    "a part without an end": ("MALFORMED_BODY", malformed(OPEN_PART + png())),
    "a part cut in its header": ("MALFORMED_BODY", malformed(OPEN_PART[:30])),
    "a form without its last boundary": (
        "MALFORMED_BODY",
        malformed(OPEN_PART + png() + b"\r\n--x\r\n"),
    ),
    "a header that is none": (
        "MALFORMED_BODY",
        malformed(b"--x\r\n\0\xff: \0\r\n\r\nx\r\n--x--\r\n"),
    ),
    "a long description": (
        "INVALID_ARGUMENT",
        multipart(Part(png()), Part(b"x" * 501, "description", None)),
    ),
    "fields without end": (
        "MALFORMED_BODY",
        multipart(*[Part(b"x" * 500, f"f{n}", None) for n in range(200)]),
    ),
}


@pytest.mark.parametrize("what", BAD_BODIES)
def test_a_bad_body_is_refused_by_name(server: Server, link: Link, what: str) -> None:
    code, send = BAD_BODIES[what]
    with harmless(server, link):
        refused(send(link), 422, code)


@pytest.mark.parametrize(
    "what", ["an empty file", "a program called photo.png", "a form that is too large"]
)
def test_a_person_reads_a_page_and_no_json(link: Link, what: str) -> None:
    files = {
        "an empty file": b"",
        "a program called photo.png": EXE,
        "a form that is too large": large_text(LIMIT + 1),
    }
    body, headers = form(Part(files[what]), Part(b"", "description", None))
    answer = http("POST", link.url, body, headers | {"accept": "text/html,*/*;q=0.8"})
    assert answer.status == 422 and answer.is_html
    page = Page(link.url, answer.text)
    # The person can choose another file at once.
    assert page.form("media").action == link.url
    assert link.send(png()).status == 201


def test_a_refusal_names_what_is_taken(server: Server) -> None:
    pictures, small = server.ask(allowed_mime_types=["image/png"]), server.ask(max_size_bytes=1024)
    assert "PNG" in pictures.send(b"just words", "a.png").json["message"]
    assert re.search(r"\b1\sKB\b", small.send(large_text(1025)).json["message"])


HOSTILE_NAMES = {
    "a path": "../../etc/passwd",
    "a path of Windows": "..\\..\\boot.ini",
    "an absolute path": "/etc/passwd",
    "a name turned around": "photo\u202egnp.exe",
    "a name with a tab": "a\tb.png",
    "dots": "..",
    "a space": " ",
    "a long name": "x" * 5000 + ".png",
}


@pytest.mark.parametrize("what", HOSTILE_NAMES)
def test_a_hostile_file_name_is_only_data(server: Server, what: str) -> None:
    answer = server.ask().send(png(), HOSTILE_NAMES[what])
    assert answer.status == 201, answer
    kept = answer.json["original_filename"]
    assert 1 <= len(kept) <= 255 and not set(kept) & set("/\\\t\u202e"), kept
    assert kept.strip(". ")
    # On disk it goes by a name of the server's own.
    assert [path.name for path in server.stored] == [f"{answer.json['media_id']}.png"]


# How it is sent


def test_a_declared_size_over_the_limit_is_refused_before_the_body(
    server: Server, link: Link
) -> None:
    with harmless(server, link):
        for method, headers in (("PUT", {}), ("POST", form()[1])):
            head, _ = request(method, link.url, b"", headers | {"content-length": str(10 * 2**30)})
            with connect(link.url) as connection:
                connection.sendall(head)
                refused(read_answer(connection, method), 422, "SIZE_EXCEEDED")


def test_a_chunked_body_over_the_limit_is_refused_on_the_way(server: Server, link: Link) -> None:
    with harmless(server, link):
        body, headers = form(Part(large_text(64 * MIB), filename="notes.txt"))
        answer = http("POST", link.url, pieces_of(body), headers)
        refused(answer, 422, "SIZE_EXCEEDED")
        assert answer.sent < 16 * MIB
        refused(http("PUT", link.url, pieces_of(large_text(LIMIT + 1))), 422, "SIZE_EXCEEDED")


def test_a_wrong_type_is_refused_before_the_rest_is_read(server: Server) -> None:
    link = server.ask()
    with harmless(server, link):
        body, headers = form(Part(EXE + bytes(40 * MIB)))
        answer = http("POST", link.url, pieces_of(body), headers)
        refused(answer, 422, "MIME_NOT_ALLOWED")
        assert answer.sent < 16 * MIB


def test_a_body_longer_than_it_says_is_read_as_long_as_it_says(server: Server, link: Link) -> None:
    body, headers = form(Part(large_text(3 * LIMIT), filename="notes.txt"))
    with harmless(server, link):
        answer = http(
            "POST", link.url, pieces_of(body), headers | {"content-length": str(LIMIT // 2)}
        )
        refused(answer, 422, "MALFORMED_BODY")


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_body_shorter_than_it_says_leaves_the_link_good(
    server: Server, link: Link, method: str
) -> None:
    text = large_text(LIMIT // 2)
    body, headers = form(Part(text, filename="notes.txt")) if method == "POST" else (text, {})
    head, [body] = request(method, link.url, body, headers)
    with harmless(server, link):
        with connect(link.url) as connection:
            connection.sendall(head + body[:-100])
            until("it arrives", lambda: link.facts()["phase"] == "receiving")
        until("its end is seen", lambda: link.facts()["phase"] != "receiving")


def test_a_part_header_of_64_mib_is_refused_early_and_never_held(
    server: Server, link: Link
) -> None:
    def endless_name() -> Iterator[bytes]:
        yield b'--x\r\nContent-Disposition: form-data; name="media"; filename="'
        for _ in range(1024):
            yield b"a" * (64 * 1024)
        yield b'.png"\r\n\r\n' + png() + b"\r\n--x--\r\n"

    content_type = {"content-type": "multipart/form-data; boundary=x"}
    with harmless(server, link):
        answer = http("POST", link.url, endless_name(), content_type)
        refused(answer, 422, "MALFORMED_BODY")
        assert answer.sent < 16 * MIB
        # Where the length is declared and over the limit, that is the answer, and it comes sooner.
        declared = content_type | {"content-length": str(64 * MIB)}
        refused(http("POST", link.url, endless_name(), declared), 422, "SIZE_EXCEEDED")
    assert server.peak_memory < 60 * MIB


# What is no upload


MALFORMED_RPC = {
    "no JSON": b"{",
    "nothing": b"",
    "a text": b'"hello"',
    "an empty object": b"{}",
    "another version": b'{"jsonrpc": "1.0", "id": 1, "method": "tools/list"}',
    "a method that is none": b'{"jsonrpc": "2.0", "id": 1, "method": 7}',
    "an id that is none": b'{"jsonrpc": "2.0", "id": {}, "method": "tools/list"}',
    "no UTF-8": b'{"jsonrpc": "2.0", "id": 1, "method": "\xff\xfe"}',
    "too deep": b"[" * 100_000,
    "too much": b'{"jsonrpc": "2.0", "id": 1, "method": "' + b"a" * (5 * MIB) + b'"}',
}


@pytest.mark.parametrize("what", MALFORMED_RPC)
@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_malformed_json_rpc_is_refused(server: Server, link: Link, what: str, era: str) -> None:
    headers = (
        {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list"}
        if era == "modern"
        else {}
    )
    with harmless(server, link):
        answer = server.post_mcp(MALFORMED_RPC[what], headers)
        assert 400 <= answer.status < 500 and answer.body, answer


def test_an_unknown_method_and_an_unknown_tool_are_named(server: Server, link: Link) -> None:
    with harmless(server, link):
        for answer in (
            server.rpc("tools/explode", {}),
            server.rpc("tools/call", {"name": "upload_everything", "arguments": {}}),
        ):
            assert answer.status < 500
            error = message_of(answer)["error"]
            assert error["code"] in (-32601, -32602) and error["message"]


def test_arguments_that_no_tool_takes_are_named(server: Server, link: Link) -> None:
    with harmless(server, link):
        arguments = {"token": link.token, "and_also": "this"}
        answer = server.rpc("tools/call", {"name": "upload_cancel", "arguments": arguments})
        assert answer.status == 200 and "and_also" in answer.text
