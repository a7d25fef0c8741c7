"""`media_import` of names that lead to private addresses, at once or at the second look. One address of this
machine stands for a public one, and the rest of it is private."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from askfile import Server, png, sha256
from consent import make_certificate
from file_server import Files, Names, sends

NAME = "files.test"
NAME_SERVER, PUBLIC, PRIVATE = "127.0.0.77", "127.0.0.2", "127.0.0.3"


@pytest.fixture
def names() -> Iterator[Names]:
    names = Names(NAME_SERVER)
    yield names
    names.close()


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    certificate = make_certificate(tmp_path, NAME)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    return certificate


@pytest.fixture
def public(certificate: Path) -> Iterator[Files]:
    files = Files(certificate, PUBLIC)
    files.serve = sends(png())
    yield files
    files.close()


@pytest.fixture
def private(certificate: Path, public: Files) -> Iterator[Files]:
    """At the same port, so that a name alone decides who is reached."""
    files = Files(certificate, PRIVATE, public.port)
    files.serve = sends(png())
    yield files
    files.close()


@pytest.fixture
def server(tmp_path: Path, names: Names, public: Files) -> Iterator[Server]:
    server = Server(
        tmp_path,
        inside=names.inside,
        import_hosts="*",
        fetch_private_networks=f"{PUBLIC}/32",
        max_wait="3s",
    )
    yield server
    server.stop()


def take_in(server: Server, files: Files, host: str = NAME) -> Any:
    return server.call("media_import", url=f"https://{host}:{files.port}/a.png")


def is_refused(answer: Any) -> bool:
    return answer["code"] == "UNAVAILABLE" and "not at a public address" in answer["message"]


def test_a_name_leads_where_it_led_when_it_was_judged(
    server: Server, names: Names, public: Files, private: Files
) -> None:
    data = png()
    public.serve = sends(data)
    names.answers = [[PUBLIC], [PRIVATE]]
    [media] = take_in(server, public)["result"]["media"]
    assert media["original_sha256"] == sha256(data)
    assert (public.callers, private.callers, names.lookups) == (1, 0, 1)
    assert is_refused(take_in(server, public))
    assert (public.callers, private.callers, names.lookups) == (1, 0, 2)


def test_of_several_addresses_the_private_ones_are_not_tried(
    server: Server, names: Names, public: Files, private: Files
) -> None:
    names.answers = [[PRIVATE, PUBLIC, f"::ffff:{PRIVATE}", "::1"]]
    assert take_in(server, public)["ok"]
    assert (public.callers, private.callers) == (1, 0)


@pytest.mark.parametrize("host", [NAME, PRIVATE, f"[::ffff:{PRIVATE}]", "2130706435", "0x7f.3"])
def test_a_private_address_is_not_reached_however_it_is_written(
    server: Server, names: Names, public: Files, private: Files, host: str
) -> None:
    names.answers = [[f"::ffff:{PRIVATE}"]]
    assert is_refused(take_in(server, public, host))
    assert private.callers == 0
    assert not server.stored


def test_a_redirect_to_a_private_address_is_not_followed(
    server: Server, names: Names, public: Files, private: Files
) -> None:
    names.answers = [[PUBLIC]]
    there = f"https://{PRIVATE}:{private.port}/a.png"
    public.serve = sends(b"", 302, location=there)
    refused = take_in(server, public)
    assert (refused["code"], private.callers) == ("UNAVAILABLE", 0), refused
    assert not server.stored
