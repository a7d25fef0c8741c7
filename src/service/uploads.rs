//! Uploads that programs declare: what will be sent is said first, and exactly that is taken.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;

use super::{
    CreateRequest, Service,
    authority::must,
    create::{MOST_NAME, at_most, invalid},
    grant::{LONGEST_LIFE, MOST_BYTES, essence, life},
    signed,
};
use crate::{
    config::units::size_text,
    domain::{
        caller::Caller,
        capability::Capability,
        ids::{AccountId, PrincipalId, UploadId},
        limits::Limits,
        mime::Kind,
        principal::Principal,
        session::{Metadata, Status, UploadSession},
        transfer::{Spec, Transfer},
    },
    error::{Error, Result, accepted},
    objects,
    store::{SessionRef, SessionView, StoreError, declared::DeclaredQuery},
};

/// How long what was declared is kept if nothing gets it, in seconds.
const KEPT: u64 = 24 * 60 * 60;
/// Longest file name, in characters.
const MOST_FILENAME: usize = 255;
/// Most uploads of one page, and most labels to filter by.
const MOST_LISTED: usize = 100;
const MOST_LABELS: usize = 32;

/// Says what will be sent.
#[derive(Debug, Clone)]
pub struct DeclareRequest {
    /// Id or alias.
    pub workspace_id: Option<String>,
    /// What the caller wants to find it by; a name at the least.
    pub metadata: Metadata,
    /// Its type.
    pub content_type: String,
    /// What it is called.
    pub filename: String,
    /// Its length.
    pub size_bytes: u64,
}

/// A declared upload.
#[derive(Debug)]
pub struct Upload {
    /// The session.
    pub session: UploadSession,
    /// What was declared.
    pub spec: Spec,
    /// Whose installation this is.
    pub account: AccountId,
    /// Who declared it.
    pub created_by: Arc<Principal>,
    /// Where the file is put, and until when that can begin; `None` once it is not pending, and for who
    /// may not send it.
    pub url: Option<(String, Timestamp)>,
}

/// Asks for a page of declared uploads.
#[derive(Debug, Clone, Default)]
pub struct UploadsRequest {
    /// Id or alias.
    pub workspace_id: Option<String>,
    /// Which, and how many; 20 if not said.
    pub query: DeclaredQuery,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// At most so many.
    pub limit: Option<usize>,
}

/// A page of declared uploads.
#[derive(Debug)]
pub struct Uploads {
    /// Newest first.
    pub items: Vec<Upload>,
    /// Where the next page begins; `None` after the last.
    pub next_cursor: Option<String>,
}

impl Service {
    /// Mints a session for one file of just this type and length.
    ///
    /// # Errors
    /// As [`Self::create`]; [`Error::InvalidArgument`] that names what is beyond a limit.
    pub async fn declare(&self, caller: &Caller, request: DeclareRequest) -> Result<Upload> {
        let metadata = &request.metadata;
        at_most(
            "metadata.externalId",
            metadata.external_id.as_deref(),
            MOST_NAME,
        )?;
        if metadata.name.as_deref().is_none_or(str::is_empty) {
            return Err(invalid("metadata.name: 1 to 200 characters."));
        }
        let asked = CreateRequest {
            workspace_id: request.workspace_id.clone(),
            metadata: request.metadata.clone(),
            ..CreateRequest::default()
        };
        let mut new = self.to_create(caller, asked).await?;
        let spec = spec_of(request, &new.limits)?;
        new.limits = Limits {
            max_size_bytes: spec.size_bytes,
            max_size_bytes_by_kind: [(Kind::of(&spec.mime_type), spec.size_bytes)].into(),
            allowed_mime_types: spec.mime_type.parse().into_iter().collect(),
            max_files: 1,
        };
        new.retain_seconds = Some(new.retain_seconds.map_or(KEPT, |seconds| seconds.min(KEPT)));
        let direct = self
            .objects
            .direct()
            .filter(|_| new.transfer == Transfer::Direct && spec.size_bytes <= MOST_BYTES);
        let lives = self.settings.link_ttl.max(life(spec.size_bytes));
        let lives = lives.min(LONGEST_LIFE);
        if direct.is_some() {
            // The address is the store's, which lets nothing in any more when the time is over.
            new.expires_in = signed(lives);
        } else {
            new.transfer = Transfer::Proxy;
        }
        new.spec = Some(spec.clone());
        self.rates.links.charge(new.workspace_id)?;
        let session = self.mint(new).await?;
        if direct.is_some()
            && let Err(error) = self.begin_grant(&session, spec, None, lives, None).await
        {
            self.store.cancel(session.id, caller.actor()).await?;
            return Err(error);
        }
        self.upload(caller, session).await
    }

    /// A declared upload as it stands.
    ///
    /// # Errors
    /// [`Error::NotFound`] for what the caller's workspaces do not have, or what nobody declared.
    pub async fn declared(&self, caller: &Caller, id: UploadId) -> Result<Upload> {
        let view = self.status(caller, SessionRef::Id(id)).await?;
        self.settled().await?;
        self.upload(caller, view.session).await
    }

    /// A page of a workspace's declared uploads, newest first. It may be short, or empty, although more
    /// follow.
    ///
    /// # Errors
    /// [`Error::ToolNotEnabled`], [`Error::InvalidArgument`]; [`Error::NoSuchWorkspace`] for one that is
    /// not the caller's.
    pub async fn uploads(&self, caller: &Caller, request: UploadsRequest) -> Result<Uploads> {
        must(caller, Capability::AssetUpload)?;
        let named = request.workspace_id.as_deref();
        let workspace = self.workspace_for(caller, named).await?;
        self.settled().await?;
        let most = request.limit.unwrap_or(20);
        if !(1..=MOST_LISTED).contains(&most) {
            return Err(invalid("limit: 1 to 100."));
        }
        if request.query.labels.len() > MOST_LABELS {
            return Err(invalid("label: at most 32."));
        }
        at_most(
            "external_id",
            request.query.external_id.as_deref(),
            MOST_NAME,
        )?;
        let before = request.cursor.as_deref().map(|cursor| {
            let read = cursor.parse();
            read.map_err(|_| invalid("cursor: use next_cursor of the page before, as it is."))
        });
        let query = DeclaredQuery {
            before: before.transpose()?,
            most,
            ..request.query
        };
        let page = self.declared.declared(workspace, query).await?;
        let mut items = Vec::with_capacity(page.uploads.len());
        for SessionView { session, .. } in page.uploads {
            items.push(self.upload(caller, session).await?);
        }
        Ok(Uploads {
            items,
            next_cursor: page.next.map(|id| id.to_string()),
        })
    }

    /// Cancels a declared upload that is pending; one that has ended is deleted, and its file with it
    /// if nothing has that. Says how it stood last.
    ///
    /// # Errors
    /// As [`Self::declared`]; [`Error::ToolNotEnabled`], [`Error::PermissionDenied`]; [`Error::Busy`]
    /// while what somebody left is being cleared away.
    pub async fn delete_upload(&self, caller: &Caller, id: UploadId) -> Result<Upload> {
        let upload = self.declared(caller, id).await?;
        if upload.session.state.status() == Status::Pending {
            self.cancel(caller, SessionRef::Id(id)).await?;
            return self.declared(caller, id).await;
        }
        must(caller, Capability::MediaDelete)?;
        if !self.forgotten(caller, id).await? {
            self.sweep().await?;
            if !self.forgotten(caller, id).await? {
                return Err(Error::Busy { retry_after: 30 });
            }
        }
        tracing::info!(upload.id = %id, "an upload was deleted");
        // It is gone for everybody; bytes that stay now are the sweep's.
        if let Err(error) = self.delete_doomed().await {
            error.log();
        }
        Ok(upload)
    }

    async fn forgotten(&self, caller: &Caller, id: UploadId) -> Result<bool> {
        match self.declared.delete_session(id, caller.actor()).await {
            // Somebody else was quicker by a moment.
            Err(StoreError::NotFound) => Ok(true),
            other => Ok(other?),
        }
    }

    async fn upload(&self, caller: &Caller, session: UploadSession) -> Result<Upload> {
        let spec = session.spec.clone().ok_or(Error::NotFound)?;
        Ok(Upload {
            created_by: self.creator(caller, session.created_by).await?,
            url: match must(caller, Capability::AssetUpload) {
                Ok(()) => self.address(&session, &spec).await?,
                // Who may not send does not get where to.
                Err(_) => None,
            },
            account: self.account,
            spec,
            session,
        })
    }

    async fn creator(&self, caller: &Caller, id: Option<PrincipalId>) -> Result<Arc<Principal>> {
        match id {
            Some(id) if id == caller.principal.id => Ok(Arc::clone(&caller.principal)),
            Some(id) if id != self.system.id => {
                let found = self.identities.principal(id).await?;
                found.map(Arc::new).ok_or(Error::NotFound)
            }
            _ => Ok(Arc::clone(&self.system)),
        }
    }

    /// Where the file of a session is put.
    async fn address(
        &self,
        session: &UploadSession,
        spec: &Spec,
    ) -> Result<Option<(String, Timestamp)>> {
        if session.state.status() != Status::Pending {
            return Ok(None);
        }
        let Some(direct) = self.objects.direct() else {
            return Ok(Some((self.link_url(session), session.redeem_by)));
        };
        let now = self.clock.now();
        let left = Duration::try_from(session.expires_at.duration_since(now));
        let lives = left.ok().filter(|left| *left >= Duration::from_secs(1));
        let grants = match session.transfer {
            Transfer::Direct => self.store.landings(Some(session.id), None, 1).await?,
            Transfer::Proxy => Vec::new(),
        };
        let key = grants.first().and_then(|grant| grant.lands_at.as_ref());
        // What came the store's way and was refused is tried again through askfile.
        let (Some(key), Some(lives)) = (key, lives) else {
            return Ok(Some((self.link_url(session), session.redeem_by)));
        };
        let upload = objects::Upload {
            content_type: &spec.mime_type,
            size_bytes: spec.size_bytes,
            once: false,
            now,
            lives,
        };
        let address = direct.upload(key, &upload).await;
        let address = address.map_err(Error::of_storage)?;
        Ok(Some((address.url, session.expires_at)))
    }
}

/// What will be sent, if it is within the limits.
fn spec_of(request: DeclareRequest, limits: &Limits) -> Result<Spec> {
    let declared = &request.content_type;
    let is_given = !declared.trim().is_empty();
    let mime_type = essence(declared).filter(|_| is_given).ok_or_else(|| {
        invalid(&format!(
            "spec.contentType: `{declared}` is not a type such as `image/png`."
        ))
    })?;
    if !limits.allows(&mime_type) {
        return Err(invalid(&format!(
            "spec.contentType: {mime_type} is not accepted here. Accepted: {}.",
            accepted(&limits.allowed_mime_types)
        )));
    }
    let cap = limits.cap(Kind::of(&mime_type));
    if !(1..=cap).contains(&request.size_bytes) {
        return Err(invalid(&format!(
            "spec.sizeBytes: between 1 and {cap} ({}), which is the cap for {mime_type} here.",
            size_text(cap)
        )));
    }
    if !(1..=MOST_FILENAME).contains(&request.filename.chars().count()) {
        return Err(invalid("spec.filename: 1 to 255 characters."));
    }
    Ok(Spec {
        filename: request.filename,
        mime_type,
        size_bytes: request.size_bytes,
        description: None,
    })
}
