//! The operations. HTTP handlers, MCP tools and the command line are thin callers of these; no face
//! opens the database, the object store or the clock itself.

pub mod answers;
mod asker;
mod attach;
pub mod audit;
mod authority;
mod check;
mod close;
mod create;
mod decoders;
mod download;
mod follow;
mod grant;
mod import;
pub mod keys;
mod link;
pub mod media;
pub mod oauth;
mod places;
mod preview;
mod progress;
mod provider;
mod rate;
mod receive;
mod repeat;
mod send;
mod shown;
mod status;
mod sweep;
pub mod targets;
pub mod uploads;
mod verify;
mod webhooks;
pub mod workspaces;

use std::{ops::Deref, sync::Arc, time::Duration};

use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub(crate) use self::asker::Regular;
pub use self::{
    asker::Asker,
    attach::{AttachRequest, What},
    authority::must,
    create::CreateRequest,
    download::LINK_LIFE,
    download::Signed,
    follow::Follower,
    grant::{GrantRequest, Granted, GrantedBody},
    import::{ImportRequest, Source},
    link::{AskedLink, LinkedSession},
    places::Place,
    progress::{Progress, Watch},
    receive::{Incoming, Received},
    send::{ALT, POSITION, SendRequest},
    shown::Choice,
    status::Turn,
    sweep::Swept,
    verify::{Fault, Verified},
};
use self::{decoders::Decoders, places::Places, progress::Flows, rate::Rates};
use crate::{
    clock::Clock,
    config::Settings,
    domain::{
        attachment::{Room, Target},
        ids::{AccountId, WorkspaceId},
        principal::Principal,
        workspace::WorkspaceRef,
    },
    error::{Error, Result},
    fetch::Fetcher,
    host::PublicUrl,
    link::KeyRing,
    notify::Waiters,
    oauth::{Documents, Issuer},
    objects::Objects,
    store::{
        StoreError, UploadStore, audit::AuditStore, declared::DeclaredStore,
        identity::IdentityStore, oauth::OAuthStore, requests::RequestStore, targets::TargetStore,
        webhooks::WebhookStore,
    },
};

/// All operations, on one store and one place for bytes. Cloning it is cheap.
#[derive(Debug, Clone)]
pub struct Service(Arc<Parts>);

/// What the operations stand on.
#[derive(Debug)]
pub struct Parts {
    pub(crate) settings: Settings,
    public_url: PublicUrl,
    store: Arc<dyn UploadStore>,
    identities: Arc<dyn IdentityStore>,
    oauth: Arc<dyn OAuthStore>,
    audit: Arc<dyn AuditStore>,
    requests: Arc<dyn RequestStore>,
    targets: Arc<dyn TargetStore>,
    declared: Arc<dyn DeclaredStore>,
    webhooks: Arc<dyn WebhookStore>,
    objects: Arc<dyn Objects>,
    clock: Arc<dyn Clock>,
    link_keys: KeyRing,
    receipt_keys: KeyRing,
    handle_keys: KeyRing,
    download_keys: KeyRing,
    preview_keys: KeyRing,
    request_keys: KeyRing,
    waiters: Arc<Waiters>,
    flows: Flows,
    places: Places,
    rates: Rates,
    bodies: Semaphore,
    decoders: Decoders,
    closing: CancellationToken,
    /// Whoever posts webhooks.
    telling: TaskTracker,
    /// Whose tokens are taken.
    issuer: Option<Issuer>,
    /// What clients say of themselves that are let in here.
    documents: Option<Documents>,
    /// Where there is something to be fetched from.
    fetcher: Option<Fetcher>,
    /// The installation itself, as a principal.
    system: Arc<Principal>,
    /// The workspace of callers without a key.
    home: WorkspaceId,
    account: AccountId,
}

impl Deref for Service {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

/// What a service is made of.
#[derive(Debug)]
pub struct Foundations {
    /// The effective settings.
    pub settings: Settings,
    /// Where people reach the page.
    pub public_url: PublicUrl,
    /// Where everything but bytes is remembered.
    pub store: Arc<dyn UploadStore>,
    /// Where it is remembered who may.
    pub identities: Arc<dyn IdentityStore>,
    /// Where it is remembered what clients were granted.
    pub oauth: Arc<dyn OAuthStore>,
    /// Where it is remembered who did what.
    pub audit: Arc<dyn AuditStore>,
    /// Where it is remembered what was answered to requests with a key of their own.
    pub requests: Arc<dyn RequestStore>,
    /// Where it is remembered what targets have.
    pub targets: Arc<dyn TargetStore>,
    /// Where uploads are found that programs declared.
    pub declared: Arc<dyn DeclaredStore>,
    /// Where it is remembered what back ends are to be told.
    pub webhooks: Arc<dyn WebhookStore>,
    /// Where bytes live.
    pub objects: Arc<dyn Objects>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// The keys that sign.
    pub keys: KeyRing,
}

impl Service {
    /// A service on these foundations. Must be called inside a tokio runtime.
    ///
    /// # Errors
    /// [`Error::Internal`] if the store does not answer; [`Error::InvalidArgument`] if it does not
    /// have the settings' workspaces.
    pub async fn start(foundations: Foundations) -> Result<Self> {
        let Foundations {
            settings,
            public_url,
            store,
            identities,
            oauth,
            audit,
            requests,
            targets,
            declared,
            webhooks,
            objects,
            clock,
            keys,
        } = foundations;
        let subscribers = webhooks::subscribers(&*identities, &settings.webhooks).await?;
        webhooks.subscribe(subscribers, answers::told);
        let home = home(&*identities, settings.workspace.as_ref()).await?;
        let system = Arc::new(identities.system_principal().await?);
        let account = identities.account().await?;
        let issuer = settings
            .oauth_issuer
            .as_deref()
            .filter(|_| settings.auth.oauth);
        let issuer = issuer.map(Issuer::new).transpose();
        let issuer = issuer.map_err(Error::internal)?;
        // It takes memory and time, which a server does without that fetches nothing.
        let is_needed = settings.auth.builtin || !settings.import_hosts.is_empty();
        let fetcher = is_needed.then(|| Fetcher::new(&settings.fetch_private_networks));
        let fetcher = fetcher.transpose().map_err(Error::internal)?;
        let documents = fetcher.clone().map(Documents::new);
        Ok(Self(Arc::new(Parts {
            waiters: Waiters::listen(store.changes()),
            flows: Flows::default(),
            places: Places::default(),
            rates: Rates::new(&settings, &clock),
            bodies: Semaphore::new(settings.max_concurrent_uploads),
            decoders: Decoders::new(),
            closing: CancellationToken::new(),
            telling: TaskTracker::new(),
            receipt_keys: keys.derive("askfile-receipt-v1"),
            handle_keys: keys.derive("askfile-handle-v1"),
            download_keys: keys.derive("askfile-download-v1"),
            preview_keys: keys.derive("askfile-preview-v1"),
            request_keys: keys.derive("askfile-request-v1"),
            link_keys: keys,
            settings,
            public_url,
            store,
            identities,
            oauth,
            audit,
            requests,
            targets,
            declared,
            webhooks,
            objects,
            clock,
            account,
            issuer,
            documents,
            fetcher,
            system,
            home,
        })))
    }

    /// Stops taking claims and ends every wait. Bodies on their way go on.
    pub fn close(&self) {
        self.closing.cancel();
    }

    /// Sweeps up, judges files that nobody waits for, takes in those that landed in the store and tells
    /// back ends what happened, until [`Self::close`]. One process of a data folder does it at the
    /// least.
    pub async fn keep_house(&self) {
        tokio::join!(
            self.keep_swept(),
            self.keep_checked(),
            self.keep_landed(),
            self.keep_told(),
        );
    }

    /// Resolves once [`Self::close`] was called.
    pub async fn closing(&self) {
        self.closing.cancelled().await;
    }

    /// Whether the store answers and claims are taken.
    ///
    /// # Errors
    /// [`Error::Busy`] while stopping, [`Error::Internal`] if the store does not answer.
    pub async fn ready(&self) -> Result<()> {
        self.must_not_be_closing()?;
        Ok(self.store.ping().await?)
    }

    /// The time, as everything here tells it.
    #[must_use]
    pub fn now(&self) -> jiff::Timestamp {
        self.clock.now()
    }

    /// Waits until it is known where people reach the page; no address is made before.
    ///
    /// # Errors
    /// [`Error::Busy`] if nobody serves it within a few seconds.
    pub async fn settled(&self) -> Result<()> {
        self.public_url.settled().await
    }

    /// Where people reach the page, without a slash at the end.
    #[must_use]
    pub fn public_url(&self) -> String {
        self.public_url.get()
    }

    /// The effective settings.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    fn must_not_be_closing(&self) -> Result<()> {
        if self.closing.is_cancelled() {
            return Err(Error::Busy { retry_after: 5 });
        }
        Ok(())
    }
}

/// The workspace of callers without a key.
async fn home(identities: &dyn IdentityStore, named: Option<&WorkspaceRef>) -> Result<WorkspaceId> {
    // Made even where another one is named: every installation has it.
    let default = identities.default_workspace().await?;
    let Some(named) = named else {
        return Ok(default.id);
    };
    let found = identities.workspace(named).await?;
    let found = found.filter(|workspace| workspace.archived_at.is_none());
    found.map(|workspace| workspace.id).ok_or_else(|| {
        Error::InvalidArgument(
            "workspace: there is none of that name that is not archived; `askfile workspace list` \
             lists them."
                .into(),
        )
    })
}

/// Says what a file is attached to, so that nobody deletes it by mistake.
fn attached_text(to: &[Target]) -> String {
    const NAMED: usize = 5;
    let named = to
        .iter()
        .map(|target| format!("{} {}", target.kind, target.id));
    let mut named: Vec<String> = named.take(NAMED).collect();
    if to.len() > NAMED {
        named.push(format!("{} more", to.len() - NAMED));
    }
    let named = named.join(", ");
    format!("This file is attached to {named}. To delete it there too, call again with force.")
}

fn full_text(room: Room) -> String {
    let why = match room {
        Room { one_shot: true, .. } => "This target takes files once and has some".to_owned(),
        Room { most: Some(1), .. } => {
            "This target has one file, which is all it may have".to_owned()
        }
        Room { most, .. } => {
            let most = most.unwrap_or_default();
            format!("This target may have {most} files in all, and these are too many")
        }
    };
    format!("{why}: take one off it first, or attach to another one.")
}

/// How long the settings say, as the store counts.
fn signed(duration: Duration) -> jiff::SignedDuration {
    jiff::SignedDuration::try_from(duration).unwrap_or(jiff::SignedDuration::MAX)
}

impl From<StoreError> for Error {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound => Self::NotFound,
            StoreError::Closed(state) => {
                Self::of_closed(state).unwrap_or(Self::Conflict("The state changed.".into()))
            }
            StoreError::AllTaken { free_in } => Self::InUse {
                retry_after: u32::try_from(free_in.as_secs())
                    .unwrap_or(0)
                    .saturating_add(1),
            },
            StoreError::NotReady => Self::NotReady,
            StoreError::AlreadyConsumed(by) => Self::AlreadyConsumed { by },
            StoreError::StillOpen => Self::Conflict(
                "The upload that brought this file is still open: wait until it is completed, or \
                 close it with upload_cancel, which deletes its files."
                    .into(),
            ),
            StoreError::Attached(to) => Self::Conflict(attached_text(&to)),
            StoreError::ClaimGone => Self::Conflict(
                "This upload was overtaken by another one or was silent for too long, so it was \
                 not stored."
                    .into(),
            ),
            StoreError::TargetFull(room) => Self::Conflict(full_text(room)),
            StoreError::OtherAttachments => Self::Conflict(
                "The order must name each attachment that the target has, once, and no other: list \
                 them again."
                    .into(),
            ),
            StoreError::OverQuota(what) => Self::QuotaExceeded(what),
            StoreError::Busy => Self::Busy { retry_after: 5 },
            StoreError::Taken => Self::Conflict("Another one has that name.".into()),
            StoreError::Illegal(_) => Self::Conflict("That is not possible at this point.".into()),
            StoreError::NewerSchema { .. } | StoreError::Database(_) => Self::internal(error),
        }
    }
}
