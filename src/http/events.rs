//! What a page follows: server-sent events with the progress of its session, and the link as a
//! drawing.

use std::{convert::Infallible, time::Duration};

use axum::{
    extract::{RawQuery, State},
    http::{HeaderName, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_util::stream;
use serde::Serialize;

use super::{
    address::ClientAddress, link::TokenInPath, link::readable, page::CONTENT_SECURITY_POLICY,
};
use crate::{
    domain::session::{LastError, Phase, Status},
    error::Result,
    qr,
    service::{Progress, Service, Watch},
};

/// How often a silent stream says that it is alive, for the sake of proxies.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// The data of an event. Of a link that is closed, nothing but that is told.
#[derive(Serialize)]
#[serde(untagged)]
enum Told {
    Open(ProgressAnswer),
    Closed { status: Status },
}

impl From<Progress> for Told {
    fn from(progress: Progress) -> Self {
        match progress.view.session.state.status() {
            Status::Pending => Self::Open(progress.into()),
            status => Self::Closed { status },
        }
    }
}

#[derive(Serialize)]
struct ProgressAnswer {
    status: Status,
    phase: Option<Phase>,
    files: Files,
    media: Vec<FileAnswer>,
    received_bytes: u64,
    size_bytes: Option<u64>,
    last_error: Option<LastError>,
}

#[derive(Serialize)]
struct Files {
    stored: u32,
    receiving: u32,
    checking: u32,
    max: u32,
}

/// A file that came. One that was blocked is none any more.
#[derive(Serialize)]
struct FileAnswer {
    media_id: String,
    scan_status: &'static str,
}

impl From<Progress> for ProgressAnswer {
    fn from(progress: Progress) -> Self {
        let (session, tally) = (progress.view.session, progress.view.tally);
        let media = progress.view.media.iter().map(|media| FileAnswer {
            media_id: media.id.to_string(),
            scan_status: media.scan_status.as_str(),
        });
        Self {
            status: session.state.status(),
            phase: session.phase(),
            files: Files {
                stored: tally.stored,
                receiving: tally.receiving,
                checking: tally.checking,
                max: tally.slots,
            },
            media: media.collect(),
            received_bytes: progress.received_bytes,
            size_bytes: progress.size_bytes,
            last_error: session.last_error,
        }
    }
}

/// `GET /uploads/{token}/events`: one event at the start, and one a change.
pub(super) async fn events(
    State(service): State<Service>,
    TokenInPath(token): TokenInPath,
    RawQuery(query): RawQuery,
    ClientAddress(from): ClientAddress,
) -> Result<impl IntoResponse> {
    let link = readable(&service, &token, query.as_deref(), from).await?;
    Ok(follow(service.watch(&link)?, Told::from))
}

/// A stream of what is told of a session's progress, until it ends.
pub(super) fn follow<T: Serialize>(
    watch: Watch,
    tell: impl Fn(Progress) -> T + Send + 'static,
) -> Response {
    let headers = [
        (header::CACHE_CONTROL, "no-store"),
        // nginx would keep events back until its buffer is full.
        (HeaderName::from_static("x-accel-buffering"), "no"),
    ];
    let events = stream::unfold((watch, tell), |(mut watch, tell)| async {
        let progress = watch.next().await.unwrap_or_else(|error| {
            error.log();
            None
        })?;
        let event = Event::default().json_data(tell(progress));
        let event = event.expect("numbers and words are JSON");
        Some((Ok::<_, Infallible>(event), (watch, tell)))
    });
    let events = Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    (headers, events).into_response()
}

/// `GET /uploads/{token}/qr.svg`: the link, for the camera of a phone.
pub(super) async fn qr_svg(
    State(service): State<Service>,
    TokenInPath(token): TokenInPath,
    RawQuery(query): RawQuery,
    ClientAddress(from): ClientAddress,
) -> Result<impl IntoResponse> {
    let link = readable(&service, &token, query.as_deref(), from).await?;
    let drawing = qr::svg(&service.link_url(&link.view.session))?;
    let headers = [
        (header::CONTENT_TYPE, "image/svg+xml"),
        (header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY),
    ];
    Ok((headers, drawing))
}
