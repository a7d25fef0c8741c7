"""A server that is asked to end lets a file on its way arrive."""

from __future__ import annotations

from askfile import Server, large_text, sha256, until
from wire import connect, read_answer, request


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
