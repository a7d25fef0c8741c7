//! What back ends are told.

use serde::Serialize;

use super::{ExpiredBecause, FileAnswer, ResultAnswer, expired_because, result, rfc3339};
use crate::{
    domain::{attachment::Target, audit::Action, session::Metadata},
    store::{SessionView, webhooks::Happened},
};

/// An event, by the Standard Webhooks scheme. Neither the token of an upload nor its link is in it: who
/// reads it later in some log could use them.
#[derive(Debug, Serialize)]
struct EventAnswer<'a> {
    #[serde(rename = "type")]
    event: &'static str,
    timestamp: String,
    data: Data<'a>,
}

#[derive(Debug, Serialize)]
struct Data<'a> {
    upload_id: String,
    /// 1, 2, 3… of this upload at this endpoint.
    sequence: u64,
    workspace_id: Option<String>,
    #[serde(flatten)]
    about: About<'a>,
}

#[derive(Debug, Serialize)]
#[serde(untagged)]
enum About<'a> {
    Upload(Option<UploadFacts<'a>>),
    Media(MediaFacts<'a>),
}

/// What happened to an upload.
#[derive(Debug, Serialize)]
struct UploadFacts<'a> {
    purpose: &'a str,
    metadata: &'a Metadata,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<ResultAnswer>,
    #[serde(flatten)]
    target: Option<TargetFacts<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expired_because: Option<ExpiredBecause>,
}

/// What happened to a file.
#[derive(Debug, Serialize)]
struct MediaFacts<'a> {
    media_id: &'a str,
    #[serde(flatten)]
    target: Option<TargetFacts<'a>>,
    /// Of the error table: why it was blocked.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    deleted_because: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    media: Option<Box<FileAnswer>>,
}

#[derive(Debug, Serialize)]
struct TargetFacts<'a> {
    target_type: &'a str,
    target_id: &'a str,
}

/// What is posted to an endpoint.
pub(in crate::service) fn told(happened: &Happened) -> String {
    let entry = &happened.entry;
    let about = if happened.event.as_str().starts_with("media.") {
        About::Media(MediaFacts::of(happened))
    } else {
        let session = happened.session.as_ref();
        About::Upload(session.map(|view| UploadFacts::of(happened.event, view)))
    };
    text(&EventAnswer {
        event: happened.event.as_str(),
        timestamp: rfc3339(entry.at),
        data: Data {
            upload_id: happened.upload.to_string(),
            sequence: happened.sequence,
            workspace_id: entry.workspace_id.map(|id| id.to_string()),
            about,
        },
    })
}

/// What is posted to try an endpoint.
pub(in crate::service) fn trial(now: jiff::Timestamp) -> String {
    text(&serde_json::json!({
        "type": "webhook.test",
        "timestamp": rfc3339(now),
        "data": {},
    }))
}

fn text(answer: &impl Serialize) -> String {
    serde_json::to_string(answer).expect("an answer is JSON")
}

impl<'a> UploadFacts<'a> {
    fn of(event: Action, view: &'a SessionView) -> Self {
        let session = &view.session;
        let has_result = matches!(event, Action::UploadCompleted | Action::UploadConsumed);
        let target = session.consumed_by.as_ref();
        Self {
            purpose: &session.purpose,
            metadata: &session.metadata,
            result: has_result.then(|| result(&view.media)),
            target: target
                .filter(|_| event == Action::UploadConsumed)
                .map(TargetFacts::from),
            reason: session.decline_reason.as_deref(),
            expired_because: expired_because(session),
        }
    }
}

impl<'a> MediaFacts<'a> {
    fn of(happened: &'a Happened) -> Self {
        let detail = &happened.entry.detail;
        let text = |name: &str| detail[name].as_str();
        let target = text("target_type").zip(text("target_id"));
        let because = match happened.entry.action {
            Action::MediaRetired => Some("retention"),
            Action::MediaDeleted => Some("request"),
            _ => None,
        };
        Self {
            media_id: &happened.entry.subject,
            target: target.map(|(target_type, target_id)| TargetFacts {
                target_type,
                target_id,
            }),
            code: text("code"),
            deleted_because: because,
            media: happened.media.as_ref().map(|media| Box::new(media.into())),
        }
    }
}

impl<'a> From<&'a Target> for TargetFacts<'a> {
    fn from(target: &'a Target) -> Self {
        Self {
            target_type: &target.kind,
            target_id: &target.id,
        }
    }
}
