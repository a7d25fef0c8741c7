//! Everybody there is, and what they may reach for.

use std::time::Duration;

use axum::http::Method;
use serde_json::json;

use super::{Askfile, PNG, keys::ALL, rest::rest, secs, web::Link};

/// What is there to be reached for.
pub struct Things {
    pub workspace: String,
    pub link: Link,
    pub media: String,
    pub uri: String,
    pub handle: String,
    /// The media on post 7.
    pub attachment: String,
    /// What is going to be sent by a program.
    pub declared: String,
    /// The id of a key of the workspace.
    pub key: String,
}

pub async fn things(askfile: &Askfile, key: &str, workspace: &str) -> Things {
    let made = json!({ "workspace_id": workspace });
    let stored = askfile.call_with(key, "upload_create", made.clone()).await;
    let stored = askfile.put(&Link::of(&stored), PNG).await;
    let link = Link::of(&askfile.call_with(key, "upload_create", made).await);
    let media = stored["media_id"].as_str().unwrap().to_owned();
    let shown = json!({ "media_id": media });
    let shown = askfile.call_with(key, "media_get", shown).await;
    let handle = shown["handles"]["media"].as_str().unwrap().to_owned();
    let post = json!({ "media_id": media, "target_type": "post", "target_id": "7" });
    let attached = askfile.call_with(key, "attach_media", post).await;
    let attachment = attached["attachments"][0]["attachment_id"].as_str();
    let attachment = attachment.unwrap().to_owned();
    let declared = json!({
        "metadata": { "name": "A picture" },
        "spec": { "contentType": "image/png", "filename": "a.png", "sizeBytes": 9 },
    });
    let path = format!("/v1/uploads?workspace_id={workspace}");
    let declared = rest(Some(key), Method::POST, &path, &declared);
    let declared = askfile.send(declared).await.json();
    let declared = declared["metadata"]["id"].as_str().unwrap().to_owned();
    let of_it = format!("of {workspace}");
    askfile.key(&of_it, ALL, &[workspace]).await;
    let operator = askfile.service.operator("a test");
    let keys = askfile.service.keys(&operator).await.unwrap();
    let key = keys.iter().find(|key| key.name == of_it).unwrap();
    Things {
        handle,
        attachment,
        declared,
        key: key.id.to_string(),
        workspace: workspace.to_owned(),
        uri: format!("askfile://{}/media/{media}", link.workspace_id),
        media,
        link,
    }
}

/// The names of everything of somebody else that nobody has.
pub fn unknown() -> Things {
    let id = "11111111-2222-4333-8444-555555555555";
    let link = json!({
        "upload_url": format!("http://x/uploads/{id}?workspace_id={id}"), "token": id,
        "upload_id": "upl_01M8380FXE820S658M8ND48WFJ", "workspace_id": id,
    });
    let media = "01890000-0000-7000-8000-000000000001";
    Things {
        workspace: "st-nono".into(),
        handle: "md_nobodys".into(),
        attachment: "att_01M8380FXE820S658M8ND48WFJ".into(),
        declared: "upl_01M8380FXE820S658M8ND48WFK".into(),
        key: "apikey_01M8380FXE820S658M8ND48WFJ".into(),
        link: Link::of(&link),
        media: media.into(),
        uri: format!("askfile://{id}/media/{media}"),
    }
}

/// Everybody there is.
pub struct Keys {
    pub right: String,
    pub stranger: String,
    pub revoked: String,
    pub ended: String,
}

impl Keys {
    pub async fn make(askfile: &Askfile) -> Self {
        askfile.workspace("st-one").await;
        askfile.workspace("st-two").await;
        let minute = Some(Duration::from_secs(60));
        let keys = Self {
            right: askfile.key("right", ALL, &["st-one"]).await,
            stranger: askfile.key("stranger", ALL, &["st-two"]).await,
            revoked: askfile.key("revoked", ALL, &["st-one"]).await,
            ended: askfile.key_for("ended", ALL, &["st-one"], minute).await,
        };
        let operator = askfile.service.operator("a test");
        askfile
            .service
            .revoke_key(&operator, "revoked")
            .await
            .unwrap();
        askfile.clock.advance(secs(60));
        keys
    }
}
