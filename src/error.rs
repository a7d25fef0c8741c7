//! Everything that can go wrong, and the one table that decides how it looks from outside: to a
//! person (the page), to a program (HTTP) and to a model (MCP).

use std::{borrow::Cow, fmt, io, time::Duration};

use http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};

use crate::{
    config::units::{duration_text, size_text},
    domain::{
        attachment::Target,
        budget::{Counted, Standing},
        language::Language,
        mime::{MimePattern, friendly_name},
        quota::UsedUp,
        session::{LastError, State},
    },
};

/// This crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong. `Display` is the sentence for the person and safe to show; the cause stays in
/// `source()` and goes to the log once, at the edge.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An argument, a form field or a header is not as the contract has it. Where one is at fault, the
    /// sentence begins with its name and a colon.
    #[error("{0}")]
    InvalidArgument(String),
    /// There is something at this address, but not by this method.
    #[error("This address does not take this method.")]
    MethodNotAllowed,
    /// The file is too large.
    #[error("This file is larger than the {} that is accepted here.", size_text(*limit))]
    SizeExceeded {
        /// Most that is accepted, in bytes.
        limit: u64,
    },
    /// The file is of a type that is not taken.
    #[error("{}", wrong_type(found.as_deref(), allowed))]
    MimeNotAllowed {
        /// What its bytes say it is, if that could be told.
        found: Option<String>,
        /// What is taken.
        allowed: Vec<MimePattern>,
    },
    /// The file is said to be of a type that is not taken.
    #[error("{declared} is not accepted here. Accepted: {}.", accepted(allowed))]
    TypeNotAllowed {
        /// What it is said to be.
        declared: String,
        /// What is taken.
        allowed: Vec<MimePattern>,
    },
    /// What is sent is not what was granted.
    #[error("{0}")]
    SpecMismatch(String),
    /// The body holds no file, or an empty one.
    #[error("{0}")]
    FileMissing(Cow<'static, str>),
    /// More files in one body than one.
    #[error("Only one file can be sent at a time.")]
    TooManyFiles,
    /// The picture has more pixels or frames than are taken.
    #[error("{0}")]
    ImageTooLarge(String),
    /// The picture is damaged.
    #[error("{0}")]
    Damaged(String),
    /// The body cannot be read.
    #[error("{0}")]
    MalformedBody(String),
    /// Nothing by that name, or not the caller's.
    #[error("There is nothing here by that name.")]
    NotFound,
    /// What an upload had brought was deleted.
    #[error("The files of this upload were deleted.")]
    FilesGone,
    /// No workspace by that name, or not the caller's.
    #[error("There is nothing here by that name.")]
    NoSuchWorkspace(String),
    /// The link was changed, or never came from here.
    #[error("This link is incomplete or was changed on its way.")]
    LinkInvalid,
    /// The link's time is over.
    #[error("This link has expired.")]
    LinkExpired,
    /// The link brought its files already.
    #[error("This link has been used.")]
    AlreadyUsed,
    /// Somebody is sending by this link just now.
    #[error("A file is being sent through this link right now.")]
    InUse {
        /// When to try again, in seconds.
        retry_after: u32,
    },
    /// The person said no.
    #[error("This request was declined.")]
    Declined,
    /// The agent took it back.
    #[error("This request was cancelled.")]
    Cancelled,
    /// The files are not there yet.
    #[error("The file is not there yet.")]
    NotReady,
    /// The files went to another target.
    #[error("This upload is already attached to {} {}.", by.kind, by.id)]
    AlreadyConsumed {
        /// What it is attached to.
        by: Target,
    },
    /// Something else stands in the way.
    #[error("{0}")]
    Conflict(String),
    /// This caller, or this way of calling, may not.
    #[error("{0}")]
    PermissionDenied(String),
    /// The caller is not allowed to ask for files.
    #[error("This caller may not ask people for files.")]
    ToolNotEnabled,
    /// No credentials, or none that open anything.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// No key by that name, or none that lives.
    #[error("There is no such key.")]
    NoSuchKey,
    /// Too many of something in a short time.
    #[error("Too many {} in a short time; wait {}.", of.as_words(), seconds_text(standing.next_in))]
    RateLimited {
        /// Of what.
        of: Counted,
        /// What is allowed, and when there is one again.
        standing: Standing,
    },
    /// The workspace may not use more.
    #[error("{}", used_up(*.0))]
    QuotaExceeded(UsedUp),
    /// The file is not judged yet.
    #[error("This file is still being checked.")]
    ScanPending,
    /// The file did not pass its check; its bytes are gone.
    #[error("{0}")]
    ScanBlocked(String),
    /// Something that we depend on cannot be reached.
    #[error("{0}")]
    Unavailable(String),
    /// What is at an address that somebody named could not be had.
    #[error("{why}")]
    NotFetched {
        /// A sentence that does not tell the address.
        why: String,
        /// Whether somebody answered there.
        is_answer: bool,
    },
    /// One of the others, where something else is to be done next than what the table has.
    #[error("{why}")]
    Advised {
        /// What went wrong.
        why: Box<Self>,
        /// What the agent should do next.
        hint: &'static str,
    },
    /// The disk is nearly full.
    #[error("There is no room for this file at the moment.")]
    InsufficientStorage,
    /// All places for uploads are taken, or the server is about to stop.
    #[error("The server is busy at the moment.")]
    Busy {
        /// When to try again, in seconds.
        retry_after: u32,
    },
    /// Ours, of which the caller learns nothing.
    #[error("Something went wrong on our side.")]
    Internal(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// The seven kinds of failure, closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// Bad arguments or body, refused file, conflicts.
    ValidationError,
    /// Unknown, or not yours.
    NotFound,
    /// Credentials or signature missing, wrong or expired; capability missing.
    AuthFailed,
    /// The caller may not use hosted upload at all.
    NotEnabled,
    /// Something that we depend on cannot be reached.
    NetworkError,
    /// It, or one of our limits, answered with a status.
    HttpError,
    /// Ours.
    ServerError,
}

/// One row of the error table.
#[derive(Debug, Clone, Copy)]
pub struct Row {
    /// The stable code.
    pub code: &'static str,
    /// Which of the seven kinds.
    pub kind: ErrorKind,
    /// The HTTP status.
    pub status: StatusCode,
    /// What the agent should do next.
    pub hint: &'static str,
}

impl Error {
    /// The error table.
    #[must_use]
    pub fn row(&self) -> Row {
        use ErrorKind as K;
        use StatusCode as S;
        let row = |code, kind, status, hint| Row {
            code,
            kind,
            status,
            hint,
        };
        #[rustfmt::skip]
        let row = match self {
            Self::InvalidArgument(_) => row("INVALID_ARGUMENT", K::ValidationError, S::UNPROCESSABLE_ENTITY,
                "Correct the argument that the message names and call again."),
            Self::MethodNotAllowed => row("INVALID_ARGUMENT", K::ValidationError, S::METHOD_NOT_ALLOWED,
                "Use one of the methods that the header Allow names."),
            Self::SizeExceeded { .. } => row("SIZE_EXCEEDED", K::ValidationError, S::UNPROCESSABLE_ENTITY,
                "The link still works: ask the person for a smaller file, or mint a link with a larger max_size_bytes within the cap."),
            Self::MimeNotAllowed { .. } | Self::TypeNotAllowed { .. } => row("MIME_NOT_ALLOWED", K::ValidationError, S::UNPROCESSABLE_ENTITY,
                "The link still works: tell the person which types are accepted (limits.allowed_mime_types)."),
            Self::SpecMismatch(_) => row("SPEC_MISMATCH", K::ValidationError, S::UNPROCESSABLE_ENTITY,
                "The link still works: send exactly what the grant says, or ask for another grant."),
            Self::FileMissing(_) => row("FILE_MISSING", K::ValidationError, S::UNPROCESSABLE_ENTITY,
                "Send a file that is not empty, as multipart/form-data in a field named media: curl -X POST \"{upload_url}\" -F \"media=@FILE\"."),
            Self::TooManyFiles => row("TOO_MANY_FILES", K::ValidationError, S::UNPROCESSABLE_ENTITY,
                "Send one file a request; for several files mint the link with max_files."),
            Self::ImageTooLarge(_) => row("IMAGE_TOO_LARGE", K::ValidationError, S::UNPROCESSABLE_ENTITY,
                "The link still works: ask the person for a smaller picture."),
            Self::MalformedBody(_) => row("MALFORMED_BODY", K::ValidationError, S::UNPROCESSABLE_ENTITY,
                "The link still works: send the body again, whole, as multipart/form-data with the field media, or as a raw PUT."),
            Self::Damaged(_) => row("MALFORMED_BODY", K::ValidationError, S::UNPROCESSABLE_ENTITY,
                "The link still works: ask the person for a good copy of the picture."),
            Self::NotFound => row("NOT_FOUND", K::NotFound, S::NOT_FOUND,
                "Mint a new link with upload_create; do not fall back to a local path."),
            Self::NoSuchWorkspace(_) => row("NOT_FOUND", K::NotFound, S::NOT_FOUND,
                "Leave workspace_id out, or give one that you were told: there is no such one for you."),
            Self::FilesGone => row("NOT_FOUND", K::NotFound, S::NOT_FOUND,
                "Ask for them again by a new link, if they are still needed."),
            Self::LinkInvalid => row("LINK_INVALID", K::AuthFailed, S::FORBIDDEN,
                "Use upload_url exactly as it was returned, or mint a new link with upload_create."),
            Self::LinkExpired => row("LINK_EXPIRED", K::AuthFailed, S::FORBIDDEN,
                "Mint a new link with upload_create and relay it."),
            Self::AlreadyUsed => row("ALREADY_USED", K::ValidationError, S::CONFLICT,
                "Call upload_status: the file may be there already. For another file mint a new link."),
            Self::InUse { .. } => row("IN_USE", K::ValidationError, S::CONFLICT,
                "Somebody is sending through this link: wait, then call upload_status."),
            Self::Declined => row("DECLINED", K::ValidationError, S::CONFLICT,
                "The person does not want to send the file: go on without it, or ask before you mint another link."),
            Self::Cancelled => row("CANCELLED", K::ValidationError, S::CONFLICT,
                "This link was closed: mint a new one with upload_create if the file is still needed."),
            Self::NotReady => row("NOT_READY", K::ValidationError, S::CONFLICT,
                "Call upload_status with wait_seconds until the status is completed, then try again."),
            Self::AlreadyConsumed { .. } => row("ALREADY_CONSUMED", K::ValidationError, S::CONFLICT,
                "An upload is consumed once: attach by media_id to use the file again, or mint a new link for another file."),
            Self::Conflict(_) => row("CONFLICT", K::ValidationError, S::CONFLICT,
                "Read the state again with upload_status and decide anew."),
            Self::PermissionDenied(_) => row("PERMISSION_DENIED", K::AuthFailed, S::FORBIDDEN,
                "This server does not take such requests: tell the person who runs it what the message says."),
            Self::ToolNotEnabled => row("TOOL_NOT_ENABLED", K::NotEnabled, S::FORBIDDEN,
                "Hosted upload is not available here; use a local file path if you have one."),
            Self::Unauthenticated(_) => row("UNAUTHENTICATED", K::AuthFailed, S::UNAUTHORIZED,
                "Send a key of this server as `Authorization: Bearer …`; its operator makes one with `askfile keys create`. Where WWW-Authenticate names resource_metadata, a token does too."),
            Self::NoSuchKey => row("NOT_FOUND", K::NotFound, S::NOT_FOUND,
                "Create it first: askfile keys create; askfile keys list lists those that there are."),
            Self::RateLimited { .. } => row("RATE_LIMITED", K::HttpError, S::TOO_MANY_REQUESTS,
                "Wait as long as the message says and try again; links still work."),
            Self::QuotaExceeded(UsedUp::Links) => row("QUOTA_EXCEEDED", K::HttpError, S::TOO_MANY_REQUESTS,
                "No link was made. Close links that nobody needs with upload_cancel, or tell the person who runs the server."),
            Self::QuotaExceeded(UsedUp::InFlight) => row("QUOTA_EXCEEDED", K::HttpError, S::TOO_MANY_REQUESTS,
                "Nothing was stored and the link still works. Try again once other uploads are through."),
            Self::QuotaExceeded(_) => row("QUOTA_EXCEEDED", K::HttpError, S::TOO_MANY_REQUESTS,
                "Nothing was stored and the link still works. Make room with media_delete, or tell the person who runs the server."),
            Self::ScanPending => row("SCAN_PENDING", K::ValidationError, S::CONFLICT,
                "Try again in a few seconds."),
            Self::ScanBlocked(_) => row("SCAN_BLOCKED", K::AuthFailed, S::FORBIDDEN,
                "Ask the person for a clean copy of the file."),
            Self::Unavailable(_) => row("UNAVAILABLE", K::NetworkError, S::SERVICE_UNAVAILABLE,
                "Try again in a minute; if it fails again, tell the person who runs the server."),
            Self::NotFetched { is_answer, .. } => row("UNAVAILABLE", if *is_answer { K::HttpError } else { K::NetworkError }, S::BAD_GATEWAY,
                "Nothing was taken in from there. Do not try again and again: ask the person for the file with upload_create."),
            Self::Advised { why, hint } => Row { hint, ..why.row() },
            Self::InsufficientStorage => row("INSUFFICIENT_STORAGE", K::ServerError, S::INSUFFICIENT_STORAGE,
                "The server's disk is full: tell the person who runs it."),
            Self::Busy { .. } => row("BUSY", K::NetworkError, S::SERVICE_UNAVAILABLE,
                "Wait as long as Retry-After says and try again; the link still works."),
            Self::Internal(_) => row("INTERNAL", K::ServerError, S::INTERNAL_SERVER_ERROR,
                "Try again in a minute; if it fails again, tell the person who runs the server."),
        };
        row
    }

    /// Which argument is at fault, by its name; one of an argument's own parts as `metadata.labels`.
    #[must_use]
    pub fn argument(&self) -> Option<&str> {
        let Self::InvalidArgument(why) = self else {
            return None;
        };
        let (name, _) = why.split_once(": ")?;
        let is_name = name
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.' | b'[' | b']'));
        is_name.then_some(name)
    }

    /// In how many seconds it is worth to try again.
    #[must_use]
    pub fn retry_after(&self) -> Option<u32> {
        match self {
            Self::ScanPending => Some(5),
            Self::RateLimited { standing, .. } => Some(standing.next_in),
            Self::InUse { retry_after } | Self::Busy { retry_after } => Some(*retry_after),
            Self::Advised { why, .. } => why.retry_after(),
            _ => None,
        }
    }

    /// The same, with what to do next where the table does not know it.
    #[must_use]
    pub fn advise(self, hint: &'static str) -> Self {
        let why = Box::new(self);
        Self::Advised { why, hint }
    }

    /// The same of a file that was sent without a link, by which it could be tried again.
    #[must_use]
    pub fn without_link(self) -> Self {
        match self {
            Self::Busy { .. } | Self::QuotaExceeded(UsedUp::InFlight) => {
                self.advise("Nothing was kept: try again in a few seconds.")
            }
            Self::QuotaExceeded(UsedUp::Stored) => self.advise(
                "Nothing was kept. Make room with media_delete, or tell the person who runs the server.",
            ),
            Self::SizeExceeded { .. }
            | Self::MimeNotAllowed { .. }
            | Self::FileMissing(_)
            | Self::TooManyFiles
            | Self::ImageTooLarge(_)
            | Self::Damaged(_)
            | Self::MalformedBody(_) => self.advise(
                "Nothing was kept, and there is no link to try again by: pass a file that fits, or ask \
                 the person for it with upload_create.",
            ),
            other => other,
        }
    }

    /// The failure object of tools and of JSON answers.
    #[must_use]
    pub fn body(&self) -> Value {
        let row = self.row();
        json!({
            "ok": false,
            "error_kind": row.kind,
            "code": row.code,
            "message": self.to_string(),
            "hint": row.hint,
        })
    }

    /// As it is kept with a session for the agent to read.
    #[must_use]
    pub fn to_last_error(&self) -> LastError {
        LastError {
            code: self.row().code.into(),
            message: self.to_string(),
        }
    }

    /// Logs our own faults with their cause, once, at the edge.
    pub fn log(&self) {
        if let Self::Internal(cause) = self {
            tracing::error!(cause = %Chain(cause.as_ref()), "an operation failed");
        }
    }

    /// Why a link in this state takes no file; `None` while it does.
    #[must_use]
    pub fn of_closed(state: State) -> Option<Self> {
        match state {
            State::Pending | State::Receiving | State::Checking => None,
            State::Completed | State::Consumed => Some(Self::AlreadyUsed),
            State::Expired => Some(Self::LinkExpired),
            State::Declined => Some(Self::Declined),
            State::Cancelled => Some(Self::Cancelled),
        }
    }

    /// What the place for bytes failed with.
    pub(crate) fn of_storage(cause: io::Error) -> Self {
        match cause.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                tracing::error!(%cause, "the disk is full");
                Self::InsufficientStorage
            }
            io::ErrorKind::HostUnreachable => {
                tracing::error!(%cause, "the store for files did not do its work");
                Self::Unavailable("The store for files does not answer at the moment.".into())
            }
            _ => Self::internal(cause),
        }
    }

    /// A fault of ours with its cause.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Internal(cause.into())
    }
}

/// Reads as the whole chain of causes.
struct Chain<'a>(&'a (dyn std::error::Error + 'static));

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)?;
        let mut cause = self.0.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

fn seconds_text(seconds: u32) -> String {
    duration_text(Duration::from_secs(seconds.into()))
}

fn used_up(what: UsedUp) -> &'static str {
    match what {
        UsedUp::Stored => "The workspace that this file is for has no room for it.",
        UsedUp::InFlight => "Too much is on its way to this workspace at the moment.",
        UsedUp::Links => "The workspace has as many open links as it may have.",
    }
}

fn wrong_type(found: Option<&str>, allowed: &[MimePattern]) -> String {
    let accepted = accepted(allowed);
    match found {
        Some(found) => format!(
            "By its content this file is {}, which is not accepted here. Accepted: {accepted}.",
            friendly_name(found)
        ),
        None => format!("This file's type was not recognised. Accepted: {accepted}."),
    }
}

/// What is accepted, in a few words.
pub(crate) fn accepted(allowed: &[MimePattern]) -> String {
    Language::English.phrases().accepted(allowed)
}

/// The innermost cause: it says what happened, and those above it repeat where.
pub(crate) fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// One of each, in the order of the table.
    fn one_of_each() -> Vec<Error> {
        vec![
            Error::InvalidArgument("x".into()),
            Error::MethodNotAllowed,
            Error::SizeExceeded { limit: 1 },
            Error::MimeNotAllowed {
                found: None,
                allowed: Vec::new(),
            },
            Error::SpecMismatch("x".into()),
            Error::FileMissing("x".into()),
            Error::TooManyFiles,
            Error::ImageTooLarge("x".into()),
            Error::MalformedBody("x".into()),
            Error::Damaged("x".into()),
            Error::NotFound,
            Error::NoSuchWorkspace("x".into()),
            Error::FilesGone,
            Error::LinkInvalid,
            Error::LinkExpired,
            Error::AlreadyUsed,
            Error::InUse { retry_after: 1 },
            Error::Declined,
            Error::Cancelled,
            Error::NotReady,
            Error::AlreadyConsumed {
                by: Target {
                    kind: "post".into(),
                    id: "7".into(),
                },
            },
            Error::Conflict("x".into()),
            Error::PermissionDenied("x".into()),
            Error::ToolNotEnabled,
            Error::Unauthenticated("x"),
            Error::NoSuchKey,
            Error::RateLimited {
                of: Counted::Uploads,
                standing: Standing::default(),
            },
            Error::QuotaExceeded(UsedUp::Stored),
            Error::QuotaExceeded(UsedUp::Links),
            Error::ScanPending,
            Error::ScanBlocked("x".into()),
            Error::Unavailable("x".into()),
            Error::NotFetched {
                why: "x".into(),
                is_answer: false,
            },
            Error::NotFetched {
                why: "x".into(),
                is_answer: true,
            },
            Error::InsufficientStorage,
            Error::Busy { retry_after: 1 },
            Error::internal("the disk is on fire"),
        ]
    }

    fn readme_row(error: &Error) -> String {
        let row = error.row();
        let body = error.body();
        let kind = body["error_kind"].as_str().unwrap();
        format!(
            "| `{}` | `{kind}` | {} | {} |",
            row.code,
            row.status.as_u16(),
            row.hint
        )
    }

    #[test]
    fn the_readme_has_the_error_table() {
        let rows: Vec<String> = one_of_each().iter().map(readme_row).collect();
        let readme = include_str!("../README.md");
        assert!(
            readme.contains(&rows.join("\n")),
            "the error table in README.md should be\n{}",
            rows.join("\n")
        );
    }

    #[test]
    fn a_failure_never_shows_its_cause() {
        let error = Error::internal("the disk is on fire");
        assert!(!error.body().to_string().contains("fire"));
        assert!(!error.to_string().contains("fire"));
    }

    #[test]
    fn a_wrong_type_is_named_as_people_name_it() {
        let error = Error::MimeNotAllowed {
            found: Some("application/pdf".into()),
            allowed: ["image/png", "video/*"]
                .map(|p| p.parse().unwrap())
                .to_vec(),
        };
        assert_eq!(
            error.to_string(),
            "By its content this file is PDF, which is not accepted here. Accepted: PNG, any video."
        );
    }

    #[test]
    fn who_comes_too_often_reads_how_long_to_wait() {
        let error = Error::RateLimited {
            of: Counted::ToolCalls,
            standing: Standing {
                limit: 600,
                left: 0,
                next_in: 1,
            },
        };
        assert_eq!(
            error.to_string(),
            "Too many calls in a short time; wait 1 second."
        );
        assert_eq!(error.retry_after(), Some(1));
    }

    #[test]
    fn a_person_is_told_what_to_do_next_and_nothing_of_links_that_work() {
        let codes: BTreeSet<&str> = one_of_each().iter().map(|error| error.row().code).collect();
        for language in Language::ALL {
            let texts = language.phrases().groups(&["next"])["next"];
            let known: BTreeSet<&str> = texts.keys().map(String::as_str).collect();
            assert_eq!(known, codes, "{language:?}");
        }
        let texts = Language::English.phrases().groups(&["next"])["next"];
        for text in texts.values() {
            assert!(!text.contains("The link"), "{text}");
        }
    }
}
