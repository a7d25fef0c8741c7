//! The pages, whole without JavaScript too. Pure: data in, HTML out.
//!
//! Names, the prompt and whatever else comes from outside is hostile: the templates escape it, and
//! their filters take out the characters that play tricks.

use std::{borrow::Cow, sync::LazyLock};

use axum::{
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use minijinja::{Environment, HtmlEscape, UndefinedBehavior, Value, context, value::Serde};
use serde::Serialize;

use crate::{
    domain::{
        budget::{Counted, Standing},
        session::LastError,
    },
    error::Error,
    intake::filename::harmless_text,
};

/// What a page may load and do: nothing but what is its own. `blob:` is for thumbnails of files that
/// the person chose.
pub(crate) const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; script-src 'self'; \
     style-src 'self'; img-src 'self' blob:; connect-src 'self'; form-action 'self'; \
     base-uri 'none'; frame-ancestors 'none'; \
     require-trusted-types-for 'script'; trusted-types 'none'";

/// The way to the stylesheet's folder from the link itself.
const ASSETS_OF_LINK: &str = "../assets";

/// The page of a link that takes files. It is shown at the link itself.
#[derive(Debug, Serialize)]
pub(crate) struct RequestPage<'a> {
    /// Who asks.
    pub asked_by: &'a str,
    /// For which workspace, where its name tells something.
    pub workspace_name: Option<&'a str>,
    /// Two words that stand in the chat as well.
    pub words: String,
    /// The agent's words.
    pub prompt: Option<&'a str>,
    /// What is taken, for a person: `JPEG, PNG, any video`.
    pub accepted: String,
    /// The same type by type, where that says more.
    pub accepted_types: Option<String>,
    /// What is taken, for the file dialog: `image/jpeg,video/*`. Empty for anything.
    pub accept: String,
    /// Largest file: `50 MB`.
    pub max_size: String,
    /// The same in bytes.
    pub max_bytes: u64,
    /// Whether a photo would do.
    pub takes_images: bool,
    /// The kinds with a smaller largest file, each with that.
    pub caps: Vec<(String, String)>,
    /// How many files the link takes.
    pub max_files: u32,
    /// How many of them are there.
    pub sent: u32,
    /// How many more are there and not yet judged.
    pub checking: u32,
    /// Until when, as RFC 3339 in UTC.
    pub expires_at: String,
    /// Until when, for a person.
    pub expires_text: String,
    /// How long that is from now: `15 minutes`.
    pub time_left: String,
    /// The same in seconds.
    pub seconds_left: u64,
    /// Where the browser may put files straight into the store, if it may: an origin.
    pub store: Option<&'a str>,
    /// Whether another device can open the link.
    pub has_qr: bool,
    /// The canonical signed query, without `?`.
    pub query: &'a str,
    /// The token as it stands in the path.
    pub token: &'a str,
    /// Why the last try was refused.
    pub error: Option<Problem>,
}

/// Why the last try was refused.
#[derive(Debug, Serialize)]
pub(crate) struct Problem {
    /// What is wrong.
    pub message: String,
    /// What the person can do next.
    pub next: String,
}

impl From<&Error> for Problem {
    fn from(error: &Error) -> Self {
        Self {
            message: error.to_string(),
            next: error.row().person.to_owned(),
        }
    }
}

impl From<&LastError> for Problem {
    fn from(error: &LastError) -> Self {
        let steps = next_steps();
        let next = steps.iter().find(|(code, _)| *code == error.code);
        Self {
            message: error.message.clone(),
            next: next.map_or("", |(_, next)| next).to_owned(),
        }
    }
}

impl RequestPage<'_> {
    /// The page as an answer. It may talk to the store that it puts files into.
    pub(crate) fn response(&self, status: StatusCode) -> Response {
        let Some(store) = self.store else {
            return html_response(status, self.html());
        };
        let own = "connect-src 'self'";
        let policy = CONTENT_SECURITY_POLICY.replace(own, &format!("{own} {store}"));
        let policy = [(header::CONTENT_SECURITY_POLICY, policy)];
        (status, policy, Html(self.html())).into_response()
    }

    /// The page.
    fn html(&self) -> String {
        render(
            "request.html",
            &context! { assets => ASSETS_OF_LINK, page => Serde(self), next_steps => next_steps() },
        )
    }
}

/// What a person can do next where a file is refused and the link still works, by code.
fn next_steps() -> Vec<(&'static str, &'static str)> {
    let allowed = Vec::new();
    let found = None;
    let refusals = [
        Error::InvalidArgument(String::new()),
        Error::SizeExceeded { limit: 0 },
        Error::MimeNotAllowed { found, allowed },
        Error::FileMissing("".into()),
        Error::ImageTooLarge(String::new()),
        Error::ScanBlocked(String::new()),
        Error::MalformedBody(String::new()),
        Error::InUse { retry_after: 0 },
        Error::Conflict(String::new()),
        Error::RateLimited {
            of: Counted::Uploads,
            standing: Standing::default(),
        },
        Error::InsufficientStorage,
        Error::Busy { retry_after: 0 },
        Error::internal(""),
    ];
    refusals
        .map(|error| (error.row().code, error.row().person))
        .into()
}

/// How it ended, or where it stands while there is nothing to fill in.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Outcome<'a> {
    /// What this browser sent is there.
    Sent {
        /// Its files' names and sizes.
        files: &'a [(&'a str, String)],
        /// How many files there are, those of other browsers too.
        count: usize,
    },
    /// The file is there and not yet judged. Shown at the link itself, which it opens again and
    /// again.
    Checking,
    /// The link brought its files already.
    Used,
    /// The link's time is over.
    Expired,
    /// The person said no.
    Declined,
    /// The agent took it back.
    Cancelled,
    /// The link was changed, or never came from here.
    Tampered,
    /// There is no such link.
    Unknown,
    /// Anything else that went wrong.
    Failed {
        /// What is wrong.
        message: &'a str,
        /// What the person can do next.
        next: &'a str,
    },
}

impl Outcome<'_> {
    /// The page. `assets` is the way to the stylesheet's folder from where it is shown.
    pub(crate) fn html(&self, assets: &str) -> String {
        let Message {
            title,
            heading,
            text,
            next,
            tone,
        } = self.message();
        let (files, others) = match *self {
            Self::Sent { files, count } => (files, count.saturating_sub(files.len())),
            _ => (&[][..], 0),
        };
        let looks_again = matches!(self, Self::Checking);
        render(
            "message.html",
            &context! { assets, title, heading, text, next, tone, others, looks_again, files => Serde(files) },
        )
    }

    fn message(&self) -> Message<'_> {
        match self {
            Self::Sent { count, .. } => Message {
                title: "Sent",
                heading: match count {
                    1 => "Your file has arrived",
                    _ => "Your files have arrived",
                },
                text: match count {
                    1 => "The chat now has it.".into(),
                    _ => format!("The chat now has {count} files.").into(),
                },
                next: "You can go back to your chat: say there that you are done. This page can \
                       be closed.",
                tone: "good",
            },
            Self::Checking => Message {
                title: "Checking the file",
                heading: "Checking the file",
                text: "It has arrived. The chat gets it once the check is over.".into(),
                next: "Keep this page open: it looks again every few seconds.",
                tone: "busy",
            },
            Self::Used => Message::closed(
                &Error::AlreadyUsed,
                "Link used",
                "This link has been used",
                "It takes no more, and nobody can see through it what was sent.",
            ),
            Self::Expired => Message::closed(
                &Error::LinkExpired,
                "Link expired",
                "This link has expired",
                "Links work for a short time only, so that nobody else can use them later.",
            ),
            Self::Declined => Message::closed(
                &Error::Declined,
                "Request declined",
                "This request was declined",
                "The chat is told so. Nothing more can be sent through this link.",
            ),
            Self::Cancelled => Message::closed(
                &Error::Cancelled,
                "Request cancelled",
                "This request was cancelled",
                "The agent took it back. Nothing more can be sent through this link.",
            ),
            Self::Tampered => Message {
                tone: "bad",
                ..Message::closed(
                    &Error::LinkInvalid,
                    "Link not complete",
                    "This link is not complete",
                    "A part of it is missing or was changed on its way.",
                )
            },
            Self::Unknown => Message::closed(
                &Error::NotFound,
                "Nothing here",
                "There is nothing here",
                "The address is not complete, or what was here is gone.",
            ),
            Self::Failed { message, next } => Message {
                title: "That did not work",
                heading: "That did not work",
                text: (*message).into(),
                next,
                tone: "bad",
            },
        }
    }
}

/// What a page says that is no form.
struct Message<'a> {
    title: &'a str,
    heading: &'a str,
    text: Cow<'a, str>,
    next: &'a str,
    tone: &'a str,
}

impl<'a> Message<'a> {
    /// For a link that takes nothing; what to do next is the error table's to say.
    fn closed(error: &Error, title: &'a str, heading: &'a str, text: &'a str) -> Self {
        Self {
            title,
            heading,
            text: text.into(),
            next: error.row().person,
            tone: "closed",
        }
    }
}

/// A page as an answer.
pub(crate) fn html_response(status: StatusCode, html: String) -> Response {
    let policy = [(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY)];
    (status, policy, Html(html)).into_response()
}

static TEMPLATES: LazyLock<Environment<'static>> = LazyLock::new(|| {
    let mut templates = Environment::new();
    templates.set_undefined_behavior(UndefinedBehavior::Strict);
    templates.add_filter("one_line", |text: &str| one_line(text));
    templates.add_filter("marked", |text: &str| Value::from_safe_string(marked(text)));
    templates.add_filter("words", |text: Option<&str>| text.map(words));
    for (name, source) in [
        ("layout.html", include_str!("../../web/layout.html")),
        ("request.html", include_str!("../../web/request.html")),
        ("message.html", include_str!("../../web/message.html")),
        ("docs.html", include_str!("../../web/docs.html")),
        ("program.html", include_str!("../../web/program.html")),
        ("sign-in.html", include_str!("../../web/sign-in.html")),
        ("consent.html", include_str!("../../web/consent.html")),
        ("connected.html", include_str!("../../web/connected.html")),
        (
            "turned-back.html",
            include_str!("../../web/turned-back.html"),
        ),
    ] {
        templates
            .add_template(name, source)
            .expect("the templates are part of the program");
    }
    templates
});

pub(super) fn render(name: &str, data: &Value) -> String {
    TEMPLATES
        .get_template(name)
        .and_then(|template| template.render(data))
        .expect("the templates fit their data, as the tests see")
}

/// A name or a sentence from outside.
fn one_line(text: &str) -> String {
    harmless_text(text).replace('\n', " ")
}

/// A sentence of ours, with what stands between backticks as code.
fn marked(text: &str) -> String {
    let parts = text.split('`').map(|part| HtmlEscape(part).to_string());
    let parts = parts.enumerate().map(|(n, part)| match n % 2 {
        0 => part,
        _ => format!("<code>{part}</code>"),
    });
    parts.collect()
}

/// Somebody's words, with their lines. A crowd of empty ones would push the form out of sight.
fn words(text: &str) -> String {
    let text = harmless_text(text);
    let mut lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    lines.dedup_by(|line, before| line.is_empty() && before.is_empty());
    lines.join("\n")
}

#[cfg(test)]
mod tests;
