//! The pages, whole without JavaScript too. Pure: data in, HTML out.

use std::borrow::Cow;

use axum::{
    http::{StatusCode, header},
    response::{Html, IntoResponse, Response},
};
use minijinja::{context, value::Serde};
use serde::Serialize;

use crate::{
    domain::{language::Language, session::LastError},
    error::Error,
    phrases::Phrases,
    template::{json_in_html, render},
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
    /// What the person is spoken to in.
    #[serde(skip)]
    pub language: Language,
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
    pub caps: Option<String>,
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

impl Problem {
    /// What went wrong, as it can be said in this language.
    pub(crate) fn new(language: Language, error: &Error) -> Self {
        Self::of(language.phrases(), error.row().code, error.to_string())
    }

    /// The same of what is kept with a session.
    pub(crate) fn last(language: Language, error: &LastError) -> Self {
        Self::of(language.phrases(), &error.code, error.message.clone())
    }

    /// `message` is English, and tells most.
    fn of(phrases: &Phrases, code: &str, message: String) -> Self {
        let said = phrases.find(&format!("problem.{code}"));
        let next = phrases.find(&format!("next.{code}"));
        Self {
            message: said.map_or(message, str::to_owned),
            next: next.unwrap_or_default().to_owned(),
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
        let phrases = json_in_html(&self.language.phrases().groups(&SCRIPTS));
        render(
            self.language,
            "request.html",
            &context! { assets => ASSETS_OF_LINK, page => Serde(self), phrases },
        )
    }
}

/// The texts that scripts say.
const SCRIPTS: [&str; 4] = ["next", "problem", "script", "units"];

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
    pub(crate) fn html(&self, language: Language, assets: &str) -> String {
        let Message {
            title,
            heading,
            text,
            next,
            tone,
        } = self.message(language.phrases());
        let (files, others) = match *self {
            Self::Sent { files, count } => (files, count.saturating_sub(files.len())),
            _ => (&[][..], 0),
        };
        let looks_again = matches!(self, Self::Checking);
        render(
            language,
            "message.html",
            &context! { assets, title, heading, text, next, tone, others, looks_again, files => Serde(files) },
        )
    }

    fn message<'a>(&'a self, phrases: &'a Phrases) -> Message<'a> {
        let closed = |name, error: &Error, tone| Message {
            title: phrases.text(&format!("outcome.{name}_title")),
            heading: phrases.text(&format!("outcome.{name}")),
            text: phrases.text(&format!("outcome.{name}_text")).into(),
            next: phrases.text(&format!("next.{}", error.row().code)),
            tone,
        };
        match self {
            Self::Sent { count, .. } => Message {
                title: phrases.text("outcome.sent_title"),
                heading: phrases.form("outcome.sent", *count as u64),
                text: phrases
                    .count("outcome.sent_text", *count as u64, &[])
                    .into(),
                next: phrases.text("outcome.sent_next"),
                tone: "good",
            },
            Self::Checking => Message {
                title: phrases.text("outcome.checking"),
                heading: phrases.text("outcome.checking"),
                text: phrases.text("outcome.checking_text").into(),
                next: phrases.text("outcome.checking_next"),
                tone: "busy",
            },
            Self::Used => closed("used", &Error::AlreadyUsed, "closed"),
            Self::Expired => closed("expired", &Error::LinkExpired, "closed"),
            Self::Declined => closed("declined", &Error::Declined, "closed"),
            Self::Cancelled => closed("cancelled", &Error::Cancelled, "closed"),
            Self::Tampered => closed("tampered", &Error::LinkInvalid, "bad"),
            Self::Unknown => closed("unknown", &Error::NotFound, "closed"),
            Self::Failed { message, next } => Message {
                title: phrases.text("outcome.failed"),
                heading: phrases.text("outcome.failed"),
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

/// A page as an answer.
pub(crate) fn html_response(status: StatusCode, html: String) -> Response {
    let policy = [(header::CONTENT_SECURITY_POLICY, CONTENT_SECURITY_POLICY)];
    (status, policy, Html(html)).into_response()
}

#[cfg(test)]
mod tests;
