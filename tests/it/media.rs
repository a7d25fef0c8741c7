//! Showing and deleting files, and reading them as resources.

use base64::{Engine, prelude::BASE64_STANDARD};
use rmcp::model::{ContentBlock, ErrorCode, ResourceContents};
use serde_json::{Value, json};

use crate::harness::{
    Askfile, PNG,
    body::Form,
    web::{Link, post},
};

async fn stored(askfile: &Askfile, bytes: &[u8]) -> (Link, Value) {
    let link = askfile.link().await;
    let sent = askfile.send(post(&link, Form::with("a.txt", bytes))).await;
    let media = sent.receipt()["media_id"].take();
    (link, media)
}

async fn attach(askfile: &Askfile, media: &Value, target: &str) {
    let what = json!({ "media_id": media, "target_type": "post", "target_id": target });
    let attached = askfile.call("attach_media", what).await;
    assert_eq!(attached["ok"], true, "{attached}");
}

/// As random as a picture can be, so that it has many bytes.
fn noise(width: u32, height: u32) -> Vec<u8> {
    let mut state = 1_u32;
    let picture = image::RgbImage::from_fn(width, height, |_, _| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let [a, b, c, _] = state.rotate_left(16).to_le_bytes();
        image::Rgb([a, b, c])
    });
    let mut png = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut png, image::ImageFormat::Png).unwrap();
    png.into_inner()
}

#[tokio::test]
async fn a_file_is_shown_by_its_id_its_handle_and_its_key() {
    let askfile = Askfile::start().await;
    let (_, media) = stored(&askfile, b"text").await;
    let first = askfile
        .call("media_get", json!({ "media_id": media }))
        .await;
    assert_eq!(first["media_id"], media);
    for name in [&first["handles"]["media"], &first["upload_key"]] {
        let shown = askfile.call("media_get", json!({ "media_id": name })).await;
        assert_eq!(shown, first, "{name}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_not_found_whatever_it_is_called() {
    let askfile = Askfile::start().await;
    let (_, media) = stored(&askfile, b"text").await;
    let unknown = "01890000-0000-7000-8000-000000000000";
    for tool in ["media_get", "media_delete"] {
        for name in [unknown, "md_x", "", "medias/../a.txt", "urn:x"] {
            let refused = askfile.call(tool, json!({ "media_id": name })).await;
            assert_eq!(refused["code"], "NOT_FOUND", "{tool} {name}");
        }
        let expected = askfile.call(tool, json!({ "media_id": unknown })).await;
        askfile.sql("UPDATE media SET workspace_id = randomblob(?1)", "16");
        let foreign = askfile.call(tool, json!({ "media_id": media })).await;
        assert_eq!(foreign, expected, "another's is as unknown as any");
    }
}

#[tokio::test]
async fn models_see_a_picture_that_fits() {
    let askfile = Askfile::start().await;
    let agent = askfile.agent("Claude").await;
    let (_, media) = stored(&askfile, &noise(2_000, 1_000)).await;
    let shown = agent
        .answer("media_get", json!({ "media_id": media }))
        .await;
    let [ContentBlock::Text(_), ContentBlock::Image(picture)] = &shown.content[..] else {
        panic!("{:?}", shown.content);
    };
    assert_eq!(picture.mime_type, "image/jpeg");
    assert!(picture.data.len() < 1_000_000, "{}", picture.data.len());
    let bytes = BASE64_STANDARD.decode(&picture.data).unwrap();
    let seen = image::load_from_memory(&bytes).unwrap();
    assert!(seen.width() <= 1_568 && seen.width() == 2 * seen.height());
    let facts = shown.structured_content.unwrap();
    assert!(facts["size_bytes"].as_u64().unwrap() > 1_000_000);

    let (_, media) = stored(&askfile, b"text").await;
    let shown = agent
        .answer("media_get", json!({ "media_id": media }))
        .await;
    assert_eq!(shown.content.len(), 1, "a text is no picture");
}

#[tokio::test]
async fn a_picture_that_cannot_be_decoded_is_shown_by_its_facts() {
    let askfile = Askfile::start().await;
    let mut broken = PNG.to_vec();
    let pixels = broken.windows(4).position(|part| part == b"IDAT").unwrap();
    broken[pixels + 6] ^= 0xff;
    let (_, media) = stored(&askfile, &broken).await;
    let agent = askfile.agent("Claude").await;
    let shown = agent
        .answer("media_get", json!({ "media_id": media }))
        .await;
    assert_eq!((shown.content.len(), shown.is_error), (1, Some(false)));
    let preview = shown.structured_content.unwrap()["preview_url"].take();
    let preview = askfile.fetch(preview.as_str().unwrap()).await;
    preview.is(422, "MALFORMED_BODY", "it says why");
}

#[tokio::test]
async fn a_deleted_file_leaves_nothing_and_its_upload_is_expired() {
    let askfile = Askfile::start().await;
    let (link, media) = stored(&askfile, b"text").await;
    let handle = askfile.status(&link).await["result"]["handles"]["media"][0].take();
    let deleted = askfile.call("media_delete", json!({ "media_id": handle }));
    assert_eq!(deleted.await["media_id"], media);
    assert_eq!(askfile.stored(), [""; 0], "at once, not by the sweep");
    let status = askfile.status(&link).await;
    assert_eq!(
        (&status["status"], &status["expired_because"]),
        (&json!("expired"), &json!("retention"))
    );
    let next = status["next_action"].as_str().unwrap();
    assert!(next.contains("deleted"), "{next}");
    let again = askfile.call("media_delete", json!({ "media_id": media }));
    assert_eq!(again.await["code"], "NOT_FOUND");
}

#[tokio::test]
async fn a_link_that_lapsed_is_expired_for_another_reason() {
    let askfile = Askfile::start().await;
    let link = askfile.link().await;
    askfile.clock.advance(crate::harness::mins(15));
    assert_eq!(askfile.status(&link).await["expired_because"], "link");
}

#[tokio::test]
async fn an_attached_file_is_deleted_only_by_force() {
    let askfile = Askfile::start().await;
    let (link, media) = stored(&askfile, b"text").await;
    for n in 0..7 {
        attach(&askfile, &media, &n.to_string()).await;
    }
    let refused = askfile.call("media_delete", json!({ "media_id": media }));
    let refused = refused.await;
    assert_eq!(refused["code"], "CONFLICT");
    let message = refused["message"].as_str().unwrap();
    for part in ["post 0, post 1", "post 4, 2 more", "force"] {
        assert!(message.contains(part), "{message}");
    }
    assert_eq!(askfile.stored().len(), 1);
    let forced = json!({ "media_id": media, "force": true });
    assert_eq!(askfile.call("media_delete", forced).await["ok"], true);
    assert_eq!(askfile.stored(), [""; 0]);
    assert_eq!(askfile.status(&link).await["status"], "expired");
}

#[tokio::test]
async fn an_upload_that_is_open_keeps_the_files_it_has() {
    let askfile = Askfile::start().await;
    let link = askfile.ask(json!({ "max_files": 2 })).await;
    let media = askfile.put(&link, PNG).await["media_id"].take();
    let refused = askfile.call("media_delete", json!({ "media_id": media }));
    let refused = refused.await;
    assert_eq!(refused["code"], "CONFLICT");
    let message = refused["message"].as_str().unwrap();
    assert!(message.contains("upload_cancel"), "{message}");
    askfile.put(&link, PNG).await;
    let deleted = askfile.call("media_delete", json!({ "media_id": media }));
    assert_eq!(deleted.await["ok"], true);
    let status = askfile.status(&link).await;
    assert_eq!(status["status"], "completed", "one is left");
    assert_eq!(status["result"]["media"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn the_files_of_an_upload_are_offered_as_resources_and_can_be_read() {
    let askfile = Askfile::start().await;
    let agent = askfile.agent("Claude").await;
    for (bytes, mime_type) in [(&b"caf\xc3\xa9"[..], "text/plain"), (PNG, "image/png")] {
        let (link, _) = stored(&askfile, bytes).await;
        let asked = json!({ "token": link.token });
        let status = agent.answer("upload_status", asked).await;
        let [_, ContentBlock::ResourceLink(offered)] = &status.content[..] else {
            panic!("{:?}", status.content);
        };
        assert_eq!(offered.mime_type.as_deref(), Some(mime_type));
        assert_eq!(offered.name, "a.txt");
        assert_eq!(offered.size, Some(bytes.len() as u64));
        let read = match agent.read(&offered.uri).await.unwrap() {
            ResourceContents::TextResourceContents { text, .. } => text.into_bytes(),
            ResourceContents::BlobResourceContents { blob, .. } => {
                assert_eq!(mime_type, "image/png", "text is text");
                BASE64_STANDARD.decode(blob).unwrap()
            }
            other => panic!("{other:?}"),
        };
        assert_eq!(read, bytes);
    }
    let (templates, listed) = agent.resources().await;
    let uris: Vec<&str> = templates
        .iter()
        .map(|template| template.uri_template.as_ref())
        .collect();
    let expected = [
        "askfile://{workspace_id}/media/{media_id}",
        "askfile://{workspace_id}/uploads/{upload_id}",
    ];
    assert_eq!(uris, expected);
    let listed: Vec<_> = listed.iter().map(|one| one.uri.as_str()).collect();
    // The card alone: a list of files would have no end.
    assert_eq!(listed, ["ui://askfile/card.html"]);
}

#[tokio::test]
async fn a_resource_that_cannot_be_read_says_why() {
    let askfile = Askfile::start().await;
    let agent = askfile.agent("Claude").await;
    let (link, media) = stored(&askfile, &b"x".repeat(8 << 20)).await;
    let media = media.as_str().unwrap();
    let uri = format!("askfile://{}/media/{media}", link.workspace_id);
    agent.read(&uri).await.unwrap();

    let unknown = "01890000-0000-7000-8000-000000000000";
    for other in [
        uri.replace(media, unknown),
        uri.replace(&link.workspace_id, unknown),
        uri.replace("askfile:", "file:"),
        format!("{uri}/"),
        String::new(),
    ] {
        let refused = agent.read(&other).await.unwrap_err();
        assert_eq!(refused.code, ErrorCode::RESOURCE_NOT_FOUND, "{other}");
    }

    let (_, large) = stored(&askfile, &b"x".repeat((8 << 20) + 1)).await;
    let large = uri.replace(media, large.as_str().unwrap());
    let refused = agent.read(&large).await.unwrap_err();
    assert!(refused.message.contains("download_url"), "{refused}");

    askfile.sql("UPDATE media SET scan_status = ?1", "pending");
    let refused = agent.read(&uri).await.unwrap_err();
    assert_eq!(refused.data.unwrap()["code"], "SCAN_PENDING");
}
