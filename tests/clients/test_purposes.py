"""The example settings: one upload mints a handle for each of two uses."""

from __future__ import annotations

import pytest

from agent import Agent
from askfile import REPOSITORY, Link, png

PERSONAS = ["--config", str(REPOSITORY / "examples/personas.toml")]


@pytest.mark.parametrize("flags", [PERSONAS])
def test_one_photo_becomes_the_source_of_a_person_and_of_a_study(agent: Agent) -> None:
    session = agent.call("upload_create", prompt="A portrait of yourself")
    assert session["purpose"] == "both"
    link = Link.of(session)
    assert link.send(png()).status == 201
    status = agent.call("upload_status", token=link.token)
    handles = status["result"]["handles"]
    assert set(handles) == {"person_source", "study_media"}
    [person], [study] = handles["person_source"], handles["study_media"]
    assert person.startswith("ps_") and study.startswith("sm_")
    generate, iterate = status["suggestions"]
    assert generate == f'person_generate(source_upload_ids=["{person}"])'
    assert iterate.startswith('study_add_iteration(content_url="http') and study in iterate
    attached = agent.call("attach_media", media_id=person, target_type="person", target_id="1")
    assert attached["attachments"][0]["media_id"] == status["result"]["media"][0]["media_id"]


@pytest.mark.parametrize("flags", [PERSONAS])
def test_a_purpose_takes_only_what_it_accepts(agent: Agent) -> None:
    link = Link.of(agent.call("upload_create"))
    refused = link.send(b"%PDF-1.7\n" + b"x" * 100, "portrait.png")
    assert (refused.status, refused.json["code"]) == (422, "MIME_NOT_ALLOWED")
    assert link.facts()["status"] == "pending"


@pytest.mark.parametrize("flags", [PERSONAS])
def test_several_photos_of_one_link_are_suggested_together(agent: Agent) -> None:
    link = Link.of(agent.call("upload_create", max_files=2))
    assert link.send(png()).status == link.send(png()).status == 201
    status = agent.call("upload_status", token=link.token)
    first, second = status["result"]["handles"]["person_source"]
    assert f'person_generate(source_upload_ids=["{first}", "{second}"])' in status["suggestions"]
    assert any(
        call.startswith("study_add_iteration(image_urls=[") for call in status["suggestions"]
    )
