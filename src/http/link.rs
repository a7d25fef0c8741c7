//! The signed link for reading, and its two buttons: decline and done.

use std::{convert::Infallible, net::IpAddr, time::Duration};

use axum::{
    Json,
    body::{Body, Bytes},
    extract::{FromRequestParts, Path, RawQuery, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::{
    address::ClientAddress,
    body::whole,
    failure::{failed, failed_in, failure_page, liked_language, wants_page},
    guards::is_on_this_machine,
    page::{Outcome, Problem, RequestPage, html_response},
};
use crate::{
    domain::{
        ids::MediaId,
        language::Language,
        media::Media,
        mime::MimePattern,
        session::{Phase, State as SessionState, Status},
        workspace,
    },
    error::{Error, Result},
    service::{
        AskedLink, LinkedSession, Service,
        answers::{LimitsAnswer, limits_answer, rfc3339},
    },
    words,
};

/// The cookie that proves to the page that this browser sent a file.
const RECEIPT: &str = "askfile_receipt";
/// How long the page says "you sent this", in seconds.
const RECEIPT_SECONDS: u32 = 86_400;
/// Most files that a cookie proves: browsers take no larger ones than 4 KB.
const MOST_RECEIPTS: usize = 30;
/// Stands between the receipts of a cookie.
const NEXT_RECEIPT: char = '~';
/// Largest form without a file, in bytes.
const MOST_FORM_BYTES: usize = 16 * 1024;

/// The way to the stylesheet's folder from the link itself, and from its buttons.
pub(super) const ASSETS: &str = "../assets";
const ASSETS_OF_BUTTONS: &str = "../../assets";

/// The token as it stands in the path; empty, and so unknown, where it is no text.
pub(super) struct TokenInPath(pub String);

impl<S: Send + Sync> FromRequestParts<S> for TokenInPath {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let token = Path::<String>::from_request_parts(parts, state).await;
        Ok(Self(
            token.map_or_else(|_| String::new(), |Path(token)| token),
        ))
    }
}

/// What the link says of its session to programs.
#[derive(Serialize)]
struct Facts<'a> {
    status: Status,
    #[serde(skip_serializing_if = "Option::is_none")]
    phase: Option<Phase>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prompt: Option<&'a str>,
    limits: LimitsAnswer,
    expires_at: String,
    asked_by: &'a str,
    workspace_name: &'a str,
}

/// What is left to say once a link is closed.
#[derive(Serialize)]
struct ClosedFacts {
    status: Status,
}

/// `GET /uploads/{token}`: the page, or its facts as JSON.
pub(super) async fn show(
    State(service): State<Service>,
    TokenInPath(token): TokenInPath,
    RawQuery(query): RawQuery,
    ClientAddress(from): ClientAddress,
    method: Method,
    headers: HeaderMap,
) -> Response {
    let wants_json = wants_json(&headers);
    let shown = async {
        let link = readable(&service, &token, query.as_deref(), from).await?;
        if wants_json {
            return Ok(facts(&link));
        }
        if link.view.session.spec.is_some() {
            return Err(Error::Conflict(
                "This address is for a program, which puts one file there: there is nothing to see."
                    .into(),
            ));
        }
        if method == Method::GET {
            service.opened(&link.view.session).await?;
        }
        Ok(page(&service, &link, &headers))
    };
    shown.await.unwrap_or_else(|error: Error| {
        if wants_json {
            error.into_response()
        } else {
            failure_page(&error, liked_language(&headers), ASSETS)
        }
    })
}

/// People open links with anything; only who asks for JSON alone gets it.
fn wants_json(headers: &HeaderMap) -> bool {
    let mut accepts = headers.get_all(header::ACCEPT).iter();
    let json = b"application/json";
    accepts.any(|value| {
        value
            .as_bytes()
            .windows(json.len())
            .any(|part| part == json)
    }) && !wants_page(headers)
}

fn facts(link: &LinkedSession) -> Response {
    let session = &link.view.session;
    let status = session.state.status();
    if status != Status::Pending {
        return Json(ClosedFacts { status }).into_response();
    }
    Json(Facts {
        status,
        phase: session.phase(),
        prompt: session.prompt.as_deref(),
        limits: limits_answer(session),
        expires_at: rfc3339(session.redeem_by),
        asked_by: &session.asked_by,
        workspace_name: &link.workspace.name,
    })
    .into_response()
}

/// The page that this browser should see.
fn page(service: &Service, link: &LinkedSession, headers: &HeaderMap) -> Response {
    let session = &link.view.session;
    let language = language(link, headers);
    let mine = sent_by(service, headers);
    let (here, gone): (Vec<&MediaId>, Vec<&MediaId>) = mine
        .iter()
        .partition(|id| link.view.media.iter().any(|media| media.id == **id));
    match session.state {
        SessionState::Completed | SessionState::Consumed if !here.is_empty() => {
            let media = link.view.media.iter();
            let files: Vec<(&str, String)> = media
                .clone()
                .filter(|media| here.contains(&&media.id))
                .map(|media| {
                    let size = language.phrases().size(media.original.size_bytes);
                    (media.original_filename.as_str(), size)
                })
                .collect();
            let (files, count) = (&files[..], media.count());
            html_response(
                StatusCode::OK,
                Outcome::Sent { files, count }.html(language, ASSETS),
            )
        }
        SessionState::Checking if link.view.tally.is_full() => {
            html_response(StatusCode::OK, Outcome::Checking.html(language, ASSETS))
        }
        state => match Error::of_closed(state) {
            None => {
                // What this browser sent and is there no more did not pass its check.
                let why = session.last_error.as_ref().filter(|_| !gone.is_empty());
                let why = why.map(|why| Problem::last(language, why));
                request_page(service, link, language, why, StatusCode::OK)
            }
            Some(closed) => failure_page(&closed, language, ASSETS),
        },
    }
}

/// What a person is spoken to in: as the chat is, or else as the browser likes it.
pub(super) fn language(link: &LinkedSession, headers: &HeaderMap) -> Language {
    let of_chat = link.view.session.language;
    of_chat.unwrap_or_else(|| liked_language(headers))
}

/// The media that this browser sent, by its cookie; the newest first.
fn sent_by(service: &Service, headers: &HeaderMap) -> Vec<MediaId> {
    let cookies = headers.get_all(header::COOKIE).iter();
    cookies
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .filter(|(name, _)| *name == RECEIPT)
        .flat_map(|(_, receipts)| receipts.split(NEXT_RECEIPT))
        .take(MOST_RECEIPTS)
        .filter_map(|receipt| service.receipt_media(receipt))
        .collect()
}

/// The cookie for the browser that sent this media, and by its headers perhaps others before.
pub(super) fn receipt_cookie(
    service: &Service,
    link: &LinkedSession,
    media: &Media,
    headers: &HeaderMap,
) -> HeaderValue {
    let before = sent_by(service, headers).into_iter();
    let receipts: Vec<String> = std::iter::once(media.id)
        .chain(before.filter(|id| *id != media.id))
        .take(MOST_RECEIPTS)
        .map(|id| service.receipt(id))
        .collect();
    let url = service.public_url();
    let secure = if url.starts_with("https://") {
        "; Secure"
    } else {
        ""
    };
    let prefix = url
        .split_once("://")
        .and_then(|(_, rest)| rest.split_once('/'))
        .map_or_else(String::new, |(_, path)| format!("/{path}"));
    let cookie = format!(
        "{RECEIPT}={}; Path={prefix}/uploads/{}; Max-Age={RECEIPT_SECONDS}; HttpOnly; \
         SameSite=Strict{secure}",
        receipts.join(&NEXT_RECEIPT.to_string()),
        link.view.session.token,
    );
    HeaderValue::try_from(cookie).expect("a receipt and a path are visible ASCII")
}

/// The form, and above it why the last try was refused.
pub(super) fn request_page(
    service: &Service,
    link: &LinkedSession,
    language: Language,
    error: Option<Problem>,
    status: StatusCode,
) -> Response {
    let session = &link.view.session;
    let limits = &session.limits;
    let left = session.redeem_by.duration_since(service.now());
    let left = Duration::try_from(left).unwrap_or_default();
    let accept: Vec<&str> = limits
        .allowed_mime_types
        .iter()
        .map(MimePattern::as_str)
        .collect();
    let phrases = language.phrases();
    let (accepted, types) = (
        phrases.accepted(&limits.allowed_mime_types),
        phrases.accepted_types(&limits.allowed_mime_types),
    );
    let name = link.workspace.name.as_str();
    let page = RequestPage {
        language,
        asked_by: phrases.asker(&session.asked_by),
        workspace_name: (name != workspace::DEFAULT_NAME).then_some(name),
        words: words::of(&link.query),
        prompt: session.prompt.as_deref(),
        accepted_types: (types != accepted).then_some(types),
        accepted,
        accept: accept.join(","),
        max_size: phrases.size(limits.max_size_bytes),
        max_bytes: limits.max_size_bytes,
        takes_images: ["image/jpeg", "image/png"]
            .iter()
            .any(|mime| limits.allows(mime)),
        caps: phrases.list(
            limits
                .max_size_bytes_by_kind
                .iter()
                .filter(|(_, cap)| **cap < limits.max_size_bytes)
                .map(|(kind, cap)| format!("{}: {}", phrases.kind(*kind), phrases.size(*cap))),
        ),
        max_files: limits.max_files,
        sent: link.view.tally.stored,
        checking: link.view.tally.checking,
        expires_at: rfc3339(session.redeem_by),
        expires_text: phrases.moment(session.redeem_by),
        time_left: phrases.duration(Duration::from_secs(left.as_secs().div_ceil(60) * 60)),
        seconds_left: left.as_secs(),
        store: service.store_of(session),
        has_qr: !is_on_this_machine(&service.public_url()),
        query: &link.query.to_string(),
        token: &session.token.to_string(),
        error,
    };
    page.response(status)
}

/// `POST /uploads/{token}/decline`: the person says no, perhaps with a reason.
pub(super) async fn decline(
    State(service): State<Service>,
    TokenInPath(token): TokenInPath,
    RawQuery(query): RawQuery,
    ClientAddress(from): ClientAddress,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let link = match writable(&service, &token, query.as_deref(), from).await {
        Ok(link) => link,
        Err(error) => return failed(error, &headers, ASSETS_OF_BUTTONS),
    };
    let declined = async {
        match Error::of_closed(link.view.session.state) {
            None | Some(Error::Declined) => {}
            Some(closed) => return Err(closed),
        }
        let reason = reason(&headers, body).await?;
        service.decline(&link, reason.as_deref()).await
    };
    answer_button(&link, declined.await, &headers, Status::Declined)
}

/// `POST /uploads/{token}/done`: the person has no more files.
pub(super) async fn done(
    State(service): State<Service>,
    TokenInPath(token): TokenInPath,
    RawQuery(query): RawQuery,
    ClientAddress(from): ClientAddress,
    headers: HeaderMap,
) -> Response {
    let link = match writable(&service, &token, query.as_deref(), from).await {
        Ok(link) => link,
        Err(error) => return failed(error, &headers, ASSETS_OF_BUTTONS),
    };
    let done = service.done(&link).await;
    answer_button(&link, done, &headers, Status::Completed)
}

/// A link that is opened for reading.
pub(super) async fn readable(
    service: &Service,
    token: &str,
    query: Option<&str>,
    from: IpAddr,
) -> Result<LinkedSession> {
    let asked = AskedLink {
        token,
        query,
        from,
        for_writing: false,
    };
    service.linked(asked).await
}

/// A link that is opened for writing.
pub(super) async fn writable(
    service: &Service,
    token: &str,
    query: Option<&str>,
    from: IpAddr,
) -> Result<LinkedSession> {
    let asked = AskedLink {
        token,
        query,
        from,
        for_writing: true,
    };
    service.linked(asked).await
}

fn answer_button(
    link: &LinkedSession,
    pressed: Result<()>,
    headers: &HeaderMap,
    status: Status,
) -> Response {
    if let Err(error) = pressed {
        return failed_in(language(link, headers), error, headers, ASSETS_OF_BUTTONS);
    }
    if wants_page(headers) {
        // Back to the link, which shows how it ended: a reload then repeats nothing.
        let back = format!("../{}?{}", link.view.session.token, link.query);
        return (StatusCode::SEE_OTHER, [(header::LOCATION, back)]).into_response();
    }
    Json(ClosedFacts { status }).into_response()
}

/// A body without a file, whole.
pub(super) async fn small(body: Body) -> Result<Bytes> {
    let body = whole(body, MOST_FORM_BYTES).await;
    body.map_err(|why| Error::MalformedBody(why.into()))
}

#[derive(serde::Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct Reason {
    reason: Option<String>,
}

/// The reason in a small form or JSON object; none in an empty body.
async fn reason(headers: &HeaderMap, body: Body) -> Result<Option<String>> {
    let body = small(body).await?;
    if body.is_empty() {
        return Ok(None);
    }
    let is_json = headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    let parsed: Result<Reason, String> = if is_json {
        serde_json::from_slice(&body).map_err(|error| error.to_string())
    } else {
        serde_urlencoded::from_bytes(&body).map_err(|error| error.to_string())
    };
    parsed.map(|reason| reason.reason).map_err(|why| {
        Error::MalformedBody(format!("The body is not a form with a reason: {why}."))
    })
}
