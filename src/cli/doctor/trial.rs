//! Uploads on trial: on real links, cancelled before their last byte, so that nothing is kept.

use std::{convert::Infallible, iter, time::Duration};

use bytes::Bytes;
use futures_util::stream;
use reqwest::{Body, Client, Response, StatusCode, header};
use serde_json::Value;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};

use crate::{
    domain::{
        caller::Caller,
        session::{Phase, UploadSession},
    },
    error::{Error, root_cause},
    service::{CreateRequest, Service},
    store::SessionRef,
};

/// How long the first bytes may take from here to askfile before something holds them back.
const MOST_DELAY: Duration = Duration::from_secs(3);
/// How much is sent whole, in bytes: above the common default of proxies, which is 1 MB.
const WHOLE: usize = 2 << 20;
/// How much is sent at once, in bytes.
const PIECE: usize = 64 << 10;

const BOUNDARY: &str = "askfile-doctor";

/// Links to be tried, and whom they belong to.
pub(super) struct Trials<'a> {
    client: &'a Client,
    service: Service,
    caller: Caller,
}

/// How the first bytes of a file arrived.
pub(super) enum Arrival {
    /// While the rest was still to come.
    Streamed,
    /// Not before the rest.
    HeldBack,
    /// Somebody does not take the file.
    Refused(Answer),
}

/// What an upload was answered with.
pub(super) struct Answer {
    pub status: StatusCode,
    /// From a failure object; nobody but askfile sends one.
    pub code: Option<String>,
}

impl<'a> Trials<'a> {
    pub fn new(client: &'a Client, service: Service) -> Self {
        let caller = service.operator("askfile doctor");
        Self {
            client,
            service,
            caller,
        }
    }

    /// The largest file that may be sent, in bytes.
    pub fn largest(&self) -> u64 {
        self.service.settings().max_file_size
    }

    /// What is sent whole, in bytes.
    pub fn whole(&self) -> usize {
        WHOLE.min(usize::try_from(self.largest()).unwrap_or(WHOLE))
    }

    /// Whether the public address knows a link that was made here.
    pub async fn is_reached(&self) -> Result<bool, String> {
        let session = self.mint().await?;
        let request = self.client.get(self.service.link_url(&session));
        let answer = request
            .header(header::ACCEPT, "application/json")
            .send()
            .await;
        self.cancel(&session).await?;
        let answer = answer.map_err(|error| root_cause(&error))?;
        let is_known = answer.status().is_success();
        let facts: Value = answer.json().await.unwrap_or_default();
        Ok(is_known && facts["status"] == "pending")
    }

    /// Announces the largest file and sends the first bytes of it.
    pub async fn announce(&self) -> Result<Arrival, String> {
        let session = self.mint().await?;
        let (pieces, answer) = self.post(&session, self.largest());
        let sending = async {
            let piece = vec![b'.'; PIECE.min(self.whole() - 1)];
            let _ = pieces.send(Bytes::from(piece)).await;
            self.arrives(&session).await
        };
        let arrival = tokio::select! {
            answer = answer => answer.map(Arrival::Refused),
            arrives = sending => arrives.map(|arrives| {
                if arrives { Arrival::Streamed } else { Arrival::HeldBack }
            }),
        };
        self.cancel(&session).await?;
        arrival
    }

    /// Sends a file whole, and cancels its link before the last byte, but not before askfile has
    /// seen the first ones, if it sees them that early.
    pub async fn send(&self, is_streamed: bool) -> Result<Answer, String> {
        let session = self.mint().await?;
        let size = self.whole();
        let (pieces, answer) = self.post(&session, size as u64);
        let sending = async {
            let (text, last) = (vec![b'.'; size - 1], Bytes::from_static(b".\r\n"));
            for piece in text.chunks(PIECE) {
                // Nobody listens any more: the answer says why.
                let _ = pieces.send(Bytes::copy_from_slice(piece)).await;
            }
            if is_streamed {
                self.arrives(&session).await?;
            }
            self.cancel(&session).await?;
            for piece in [last, Bytes::from(tail())] {
                let _ = pieces.send(piece).await;
            }
            drop(pieces);
            Ok::<_, String>(())
        };
        let (sent, answer) = tokio::join!(sending, answer);
        sent?;
        answer
    }

    /// Begins to post a file of so many bytes; its pieces are taken from the channel.
    fn post(
        &self,
        session: &UploadSession,
        size: u64,
    ) -> (
        mpsc::Sender<Bytes>,
        impl Future<Output = Result<Answer, String>> + use<>,
    ) {
        let head = format!(
            "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"media\"; \
             filename=\"doctor.txt\"\r\nContent-Type: text/plain\r\n\r\n"
        );
        let length = (head.len() + tail().len() + 2) as u64 + size;
        let (sender, receiver) = mpsc::channel(1);
        let first = stream::iter(iter::once(Bytes::from(head)));
        let rest = stream::unfold(receiver, async |mut receiver: mpsc::Receiver<Bytes>| {
            receiver.recv().await.map(|piece| (piece, receiver))
        });
        let body = futures_util::StreamExt::chain(first, rest);
        let body = futures_util::StreamExt::map(body, Ok::<_, Infallible>);
        let request = self
            .client
            .post(self.service.link_url(session))
            .header(header::CONTENT_LENGTH, length)
            .header(
                header::CONTENT_TYPE,
                format!("multipart/form-data; boundary={BOUNDARY}"),
            )
            .body(Body::wrap_stream(body));
        let answer = async {
            match request.send().await {
                Ok(answer) => Ok(Answer::read(answer).await),
                Err(error) => Err(root_cause(&error)),
            }
        };
        (sender, answer)
    }

    /// Whether the first bytes arrive while others are still to come.
    async fn arrives(&self, session: &UploadSession) -> Result<bool, String> {
        let until = Instant::now() + MOST_DELAY;
        while Instant::now() < until {
            let which = SessionRef::Id(session.id);
            let view = self.service.status(&self.caller, which).await;
            let session = view.map_err(|error| said(&error))?.session;
            if session.phase() == Some(Phase::Receiving) {
                return Ok(true);
            }
            sleep(Duration::from_millis(20)).await;
        }
        Ok(false)
    }

    async fn mint(&self) -> Result<UploadSession, String> {
        let request = CreateRequest {
            prompt: Some("`askfile doctor` tries this link and closes it again.".into()),
            expires_in_seconds: Some(60),
            ..CreateRequest::default()
        };
        let minted = self.service.create(&self.caller, request).await;
        minted.map_err(|error| said(&error))
    }

    async fn cancel(&self, session: &UploadSession) -> Result<(), String> {
        let which = SessionRef::Id(session.id);
        let cancelled = self.service.cancel(&self.caller, which).await;
        cancelled.map(drop).map_err(|error| said(&error))
    }
}

impl Answer {
    async fn read(answer: Response) -> Self {
        let status = answer.status();
        let body: Value = answer.json().await.unwrap_or_default();
        // Whoever answers there may be somebody else, and its words go to a terminal.
        let is_code = |code: &&str| {
            (1..=40).contains(&code.len())
                && code.bytes().all(|b| b.is_ascii_uppercase() || b == b'_')
        };
        let code = body["code"].as_str().filter(is_code).map(str::to_owned);
        Self { status, code }
    }
}

fn tail() -> String {
    format!("--{BOUNDARY}--\r\n")
}

fn said(error: &Error) -> String {
    error.log();
    error.to_string()
}
