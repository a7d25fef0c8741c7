//! What the card of a chat asks a link for, all at once.

use axum::{
    Json,
    extract::{RawQuery, State},
    http::HeaderMap,
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{
    address::ClientAddress,
    link::{TokenInPath, language, readable},
};
use crate::{
    domain::session::Status,
    error::Result,
    phrases::Texts,
    service::{
        LinkedSession, Service,
        answers::{LimitsAnswer, limits_answer},
    },
};

#[derive(Serialize)]
struct CardFacts<'a> {
    status: Status,
    /// What the person is spoken to in, and all that is said in it.
    language: &'static str,
    texts: &'static Texts,
    /// What is asked for, while something is.
    #[serde(flatten)]
    asked: Option<Asked<'a>>,
}

#[derive(Serialize)]
struct Asked<'a> {
    prompt: Option<&'a str>,
    limits: LimitsAnswer,
    /// What is taken, in a few words.
    accepted: String,
}

/// `GET /uploads/{token}/card`: nothing is changed by it, not even that somebody has opened the link. Chats
/// show cards by themselves.
pub(super) async fn card(
    State(service): State<Service>,
    TokenInPath(token): TokenInPath,
    RawQuery(query): RawQuery,
    ClientAddress(from): ClientAddress,
    headers: HeaderMap,
) -> Result<Response> {
    let link = readable(&service, &token, query.as_deref(), from).await?;
    Ok(Json(facts(&link, &headers)).into_response())
}

fn facts<'a>(link: &'a LinkedSession, headers: &HeaderMap) -> CardFacts<'a> {
    let (session, language) = (&link.view.session, language(link, headers));
    let phrases = language.phrases();
    let status = session.state.status();
    CardFacts {
        status,
        language: language.as_str(),
        texts: phrases.all(),
        asked: (status == Status::Pending).then(|| Asked {
            prompt: session.prompt.as_deref(),
            limits: limits_answer(session),
            accepted: phrases.accepted(&session.limits.allowed_mime_types),
        }),
    }
}
