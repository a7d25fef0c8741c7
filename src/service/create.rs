//! Minting a session and its link.

use std::{collections::BTreeMap, time::Duration};

use super::{Service, authority::must, signed};
use crate::{
    config::units::{duration_text, size_text},
    domain::{
        caller::Caller,
        capability::Capability,
        ids::UploadId,
        language::Language,
        limits::{Limits, MAX_FILES},
        mime::{self, Kind, MimePattern},
        purpose::Purpose,
        session::{Metadata, State, UploadSession},
        transfer::Transfer,
    },
    error::{Error, Result, accepted},
    link::Token,
    store::NewSession,
};

/// Longest prompt, in characters.
pub const MOST_PROMPT: usize = 1_000;
/// Shortest and longest life of a link, in seconds.
pub const LINK_SECONDS: std::ops::RangeInclusive<u64> = 60..=86_400;

pub(super) const MOST_NAME: usize = 200;
const MOST_LABELS: usize = 32;
const MOST_LABEL_KEY: usize = 64;
const MOST_LABEL_VALUE: usize = 256;

/// Asks for a session. What is `None` comes from the settings.
#[derive(Debug, Clone, Default)]
pub struct CreateRequest {
    /// Id or alias.
    pub workspace_id: Option<String>,
    /// Its name.
    pub purpose: Option<String>,
    /// The agent's words to the person.
    pub prompt: Option<String>,
    /// What the person is spoken to in; `None`: English in the chat, and on the page what their
    /// browser asks for.
    pub language: Option<Language>,
    /// Narrower than what server and purpose take.
    pub allowed_mime_types: Option<Vec<String>>,
    /// Smaller than what the server takes.
    pub max_size_bytes: Option<u64>,
    /// How many.
    pub max_files: Option<u32>,
    /// Which way they take.
    pub transfer: Option<Transfer>,
    /// How long the link lives.
    pub expires_in_seconds: Option<u64>,
    /// What the agent wants to find it by.
    pub metadata: Metadata,
}

impl Service {
    /// Mints a session. Its link takes files from now on.
    ///
    /// # Errors
    /// [`Error::ToolNotEnabled`]; [`Error::InvalidArgument`] that names the argument and its bound;
    /// [`Error::NoSuchWorkspace`] for one that is not the caller's; [`Error::RateLimited`].
    pub async fn create(&self, caller: &Caller, request: CreateRequest) -> Result<UploadSession> {
        let new = self.to_create(caller, request).await?;
        self.rates.links.charge(new.workspace_id)?;
        self.mint(new).await
    }

    /// The session that is asked for.
    ///
    /// # Errors
    /// As [`Self::create`], but for the rate.
    pub(super) async fn to_create(
        &self,
        caller: &Caller,
        request: CreateRequest,
    ) -> Result<NewSession> {
        must(caller, Capability::AssetUpload)?;
        self.must_not_be_closing()?;
        self.settled().await?;
        let named = request.workspace_id.as_deref();
        let workspace = self.workspace_for(caller, named).await?;
        let purpose = self.purpose_for(request.purpose.as_deref())?;
        let prompt = request.prompt.as_deref();
        // Some clients fill in every argument, with nothing in it.
        let prompt = prompt.filter(|prompt| !prompt.trim().is_empty());
        Ok(NewSession {
            id: UploadId::new(self.clock.now()),
            token: Token::random(),
            workspace_id: workspace,
            asked_by: caller.asked_by.clone(),
            created_by: caller.actor(),
            purpose: purpose.name.clone(),
            prompt: at_most("prompt", prompt, MOST_PROMPT)?,
            language: request.language,
            metadata: checked_metadata(request.metadata)?,
            limits: self.limits_for(
                purpose,
                request.allowed_mime_types.as_deref(),
                request.max_size_bytes,
                request.max_files,
            )?,
            transfer: self.transfer_for(request.transfer)?,
            spec: None,
            retain_seconds: purpose.retain_seconds,
            expires_in: signed(self.link_life(request.expires_in_seconds)?),
        })
    }

    /// Makes it. Its link takes files from now on.
    ///
    /// # Errors
    /// [`Error::QuotaExceeded`]; [`Error::Internal`].
    pub(super) async fn mint(&self, new: NewSession) -> Result<UploadSession> {
        let session = self.store.create(new).await?;
        tracing::info!(
            upload.id = %session.id, purpose = session.purpose, to = State::Pending.as_str(),
            "an upload session was made",
        );
        Ok(session)
    }

    fn purpose_for(&self, name: Option<&str>) -> Result<&Purpose> {
        let name = name.unwrap_or(&self.settings.default_purpose);
        self.settings.purpose(name).ok_or_else(|| {
            let names: Vec<_> = self
                .settings
                .purposes
                .iter()
                .map(|p| p.name.as_str())
                .collect();
            invalid(&format!(
                "purpose: there is no `{name}`; there are {}.",
                names.join(", ")
            ))
        })
    }

    fn limits_for(
        &self,
        purpose: &Purpose,
        types: Option<&[String]>,
        max_size: Option<u64>,
        max_files: Option<u32>,
    ) -> Result<Limits> {
        let allowed = allowed_types(&self.settings.allowed_types, purpose, types)?;
        let caps = self.caps(&allowed);
        let largest = caps.values().copied().max().unwrap_or(0);
        let max_size_bytes = max_size.unwrap_or(largest);
        if !(1..=largest).contains(&max_size_bytes) {
            return Err(invalid(&format!(
                "max_size_bytes: between 1 and {largest} ({}), which is the cap here.",
                size_text(largest)
            )));
        }
        let max_files = max_files.unwrap_or(1);
        if !(1..=MAX_FILES).contains(&max_files) {
            return Err(invalid(&format!("max_files: between 1 and {MAX_FILES}.")));
        }
        Ok(Limits {
            max_size_bytes,
            max_size_bytes_by_kind: caps
                .into_iter()
                .map(|(kind, cap)| (kind, cap.min(max_size_bytes)))
                .collect(),
            allowed_mime_types: allowed,
            max_files,
        })
    }

    /// The cap of every kind that these types can be of.
    fn caps(&self, allowed: &[MimePattern]) -> BTreeMap<Kind, u64> {
        let is_possible = |kind: Kind| {
            let takes = |pattern: &MimePattern| {
                let mut known = mime::TYPES.iter().filter(|t| Kind::of(t.mime) == kind);
                pattern.as_str() == "*/*"
                    || Kind::of(pattern.as_str()) == kind
                    || known.any(|t| pattern.matches(t.mime))
            };
            allowed.iter().any(takes)
        };
        Kind::ALL
            .into_iter()
            .filter(|kind| is_possible(*kind))
            .map(|kind| (kind, self.settings.max_size(kind)))
            .collect()
    }

    fn transfer_for(&self, asked: Option<Transfer>) -> Result<Transfer> {
        use Transfer::{Direct, Proxy};
        match (self.settings.transfer, asked) {
            (Some(Proxy), Some(Direct)) => Err(invalid(
                "transfer: `direct` is switched off here; leave it out.",
            )),
            (_, Some(asked)) => Ok(asked),
            (Some(set), None) => Ok(set),
            (None, None) if self.objects.direct().is_some() => Ok(Direct),
            (None, None) => Ok(Proxy),
        }
    }

    fn link_life(&self, seconds: Option<u64>) -> Result<Duration> {
        match seconds {
            None => Ok(self.settings.link_ttl),
            Some(seconds) if LINK_SECONDS.contains(&seconds) => Ok(Duration::from_secs(seconds)),
            Some(_) => Err(invalid(&format!(
                "expires_in_seconds: between {} and {} ({} to {}).",
                LINK_SECONDS.start(),
                LINK_SECONDS.end(),
                duration_text(Duration::from_secs(*LINK_SECONDS.start())),
                duration_text(Duration::from_secs(*LINK_SECONDS.end())),
            ))),
        }
    }
}

/// What server, purpose and request all allow.
fn allowed_types(
    server: &[MimePattern],
    purpose: &Purpose,
    asked: Option<&[String]>,
) -> Result<Vec<MimePattern>> {
    let allowed = mime::meet(server, &purpose.accepts);
    let Some(asked) = asked else {
        return Ok(allowed);
    };
    if asked.is_empty() {
        return Err(invalid(
            "allowed_mime_types: at least one, or leave it out.",
        ));
    }
    let mut narrowed = Vec::new();
    for text in asked {
        let pattern: MimePattern = text
            .parse()
            .map_err(|bad| invalid(&format!("allowed_mime_types: {bad}.")))?;
        let both = mime::meet(&allowed, std::slice::from_ref(&pattern));
        if both.is_empty() {
            return Err(invalid(&format!(
                "allowed_mime_types: `{pattern}` is not accepted here for the purpose `{}`; \
                 accepted are {} ({}).",
                purpose.name,
                accepted(&allowed),
                allowed
                    .iter()
                    .map(MimePattern::as_str)
                    .collect::<Vec<_>>()
                    .join(", "),
            )));
        }
        narrowed.extend(
            both.into_iter()
                .filter(|new| !narrowed.contains(new))
                .collect::<Vec<_>>(),
        );
    }
    Ok(narrowed)
}

fn checked_metadata(metadata: Metadata) -> Result<Metadata> {
    if metadata.labels.len() > MOST_LABELS {
        return Err(invalid(&format!("metadata.labels: at most {MOST_LABELS}.")));
    }
    for (key, value) in &metadata.labels {
        at_most("metadata.labels (a key)", Some(key), MOST_LABEL_KEY)?;
        at_most("metadata.labels (a value)", Some(value), MOST_LABEL_VALUE)?;
    }
    Ok(Metadata {
        name: at_most("metadata.name", metadata.name.as_deref(), MOST_NAME)?,
        external_id: at_most(
            "metadata.external_id",
            metadata.external_id.as_deref(),
            MOST_NAME,
        )?,
        labels: metadata.labels,
    })
}

pub(super) fn at_most(what: &str, text: Option<&str>, characters: usize) -> Result<Option<String>> {
    match text {
        Some(text) if text.chars().count() > characters => Err(invalid(&format!(
            "{what}: at most {characters} characters."
        ))),
        text => Ok(text.map(str::to_owned)),
    }
}

pub(super) fn invalid(what: &str) -> Error {
    Error::InvalidArgument(what.to_owned())
}
