//! Where sessions, claims, media and attachments are remembered. Bytes live elsewhere, in
//! [`crate::objects`].

pub mod audit;
pub mod declared;
pub mod identity;
pub mod oauth;
pub mod requests;
pub mod sqlite;
pub mod targets;
pub mod webhooks;

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::broadcast;

use crate::{
    domain::{
        attachment::{Attachment, Room, Target},
        audit::Actor,
        ids::{AttemptId, ClaimId, MediaId, UploadId, WorkspaceId},
        language::Language,
        limits::Limits,
        media::{Content, Dimensions, Filter, Media, ScanStatus, media_of_key},
        quota::UsedUp,
        session::{IllegalMove, LastError, Metadata, State, Tally, UploadSession},
        transfer::{Spec, Transfer},
    },
    link::Token,
};

/// Remembers everything but bytes. One implementation per database.
///
/// Every method is an intent and one transaction, together with the lines that it leaves in the log
/// of [`audit`]. Durations go in, instants come out: leases and
/// expiries are judged by the store's own clock. A change is visible to every process on the same
/// database, and durable, before the method returns.
#[async_trait]
pub trait UploadStore: fmt::Debug + Send + Sync + 'static {
    /// Remembers a new session, `pending` from now on.
    ///
    /// # Errors
    /// [`StoreError::OverQuota`] if the workspace may not have one more.
    async fn create(&self, new: NewSession) -> Result<UploadSession>;

    /// The session as it stands now, time included: a link that lapsed a second ago is `expired`
    /// even where no sweep came by.
    async fn find(&self, which: SessionRef) -> Result<Option<SessionView>>;

    /// The same, if it belongs to one of these workspaces. What belongs to another one costs what an
    /// unknown one does.
    async fn find_within(
        &self,
        workspaces: &[WorkspaceId],
        which: SessionRef,
    ) -> Result<Option<SessionView>>;

    /// Remembers that the page was opened. Safe to repeat.
    async fn open(&self, id: UploadId) -> Result<()>;

    /// Takes a claim on a free slot, for the attempt that is about to send a file.
    ///
    /// An attempt that was there before takes over its own claim, and one that was stored already
    /// gets its media again.
    ///
    /// # Errors
    /// [`StoreError::Closed`] in a final state and once the link's time is over,
    /// [`StoreError::AllTaken`] without a free slot; [`StoreError::OverQuota`].
    async fn claim(&self, request: ClaimRequest) -> Result<ClaimOutcome>;

    /// A grant of this session, by the media that will come of it; `None` once it is over.
    async fn grant(&self, session: UploadId, media: MediaId) -> Result<Option<Grant>>;

    /// Up to `most` grants whose bytes may have landed in the store, of one session or of all, after
    /// this one, by their media. Those whose bytes somebody sees to are not among them.
    async fn landings(
        &self,
        of: Option<UploadId>,
        after: Option<MediaId>,
        most: u32,
    ) -> Result<Vec<Grant>>;

    /// Begins to take in what was granted, as one's own turn for `lease`, and from one heartbeat to
    /// the next. The claim has another name from now on, which this gives: whoever had a turn before
    /// has lost it. Where the bytes come through askfile, the grant is over, and the claim is like
    /// any other; where they land in the store, it outlives the turn.
    ///
    /// # Errors
    /// [`StoreError::ClaimGone`] if it is somebody else's turn, or the grant is over.
    async fn take_grant(&self, claim: ClaimId, lease: SignedDuration) -> Result<ClaimId>;

    /// Keeps a claim for another `lease`, and remembers where its bytes will be published.
    ///
    /// # Errors
    /// [`StoreError::ClaimGone`] once the claim was lost: nothing may be written for it any more.
    async fn heartbeat(
        &self,
        claim: ClaimId,
        lease: SignedDuration,
        media_key: Option<String>,
    ) -> Result<()>;

    /// From now on the file of this claim may turn out to have so many bytes; never fewer than before.
    ///
    /// # Errors
    /// [`StoreError::ClaimGone`]; [`StoreError::OverQuota`] if the workspace may not have as many.
    async fn reserve(&self, claim: ClaimId, bytes: u64) -> Result<()>;

    /// Remembers the key of what was begun in the object store for a claim's bytes.
    ///
    /// # Errors
    /// [`StoreError::ClaimGone`] once the claim was lost: what was begun must be deleted.
    async fn note_begun(&self, claim: ClaimId, begun: String) -> Result<()>;

    /// Turns a claim into a stored media.
    ///
    /// # Errors
    /// [`StoreError::ClaimGone`] once the claim was lost, and [`StoreError::OverQuota`]: the bytes are
    /// nobody's.
    async fn commit_upload(&self, claim: ClaimId, media: NewMedia) -> Result<SessionView>;

    /// Takes up to `most` media whose check is due; each comes again after `lease` unless
    /// [`Self::pass_check`] or [`Self::block`] ends it.
    async fn take_checks(&self, most: u32, lease: SignedDuration) -> Result<Vec<Check>>;

    /// Keeps a turn for another `lease`; it is somebody else's after that.
    ///
    /// # Errors
    /// [`StoreError::ClaimGone`] once the turn was lost: nothing may be published for it any more.
    async fn renew_check(&self, media: MediaId, turn: ClaimId, lease: SignedDuration)
    -> Result<()>;

    /// The media is what it should be and its bytes are published.
    ///
    /// # Errors
    /// [`StoreError::ClaimGone`] once the turn was lost; [`StoreError::OverQuota`] if it is larger now
    /// than the workspace has room for.
    async fn pass_check(
        &self,
        media: MediaId,
        turn: ClaimId,
        passed: Passed,
    ) -> Result<SessionView>;

    /// The media is not what it should be: its slot is free again, its bytes are nobody's.
    ///
    /// # Errors
    /// [`StoreError::ClaimGone`] once the turn was lost.
    async fn block(&self, media: MediaId, turn: ClaimId, why: LastError) -> Result<()>;

    /// Gives a claim back. Its bytes must be gone by then. Safe to repeat.
    async fn release(&self, claim: ClaimId, why: Option<LastError>) -> Result<()>;

    /// Completes a session of several files with those that are there.
    ///
    /// # Errors
    /// [`StoreError::Closed`], [`StoreError::AllTaken`] while a file is arriving, or
    /// [`StoreError::Illegal`] without any file.
    async fn done(&self, id: UploadId, by: Actor) -> Result<State>;

    /// Closes a session in the person's name, on the word of `by`.
    ///
    /// # Errors
    /// [`StoreError::Closed`] in a final state; declining again is no error.
    async fn decline(&self, id: UploadId, reason: Option<String>, by: Actor) -> Result<()>;

    /// Closes a session in the agent's name.
    ///
    /// # Errors
    /// [`StoreError::Closed`] in a final state; cancelling again is no error.
    async fn cancel(&self, id: UploadId, by: Actor) -> Result<()>;

    /// Attaches all media of a completed session to one target, in slot order, once. Repeating the
    /// same call gives the same answer.
    ///
    /// # Errors
    /// [`StoreError::NotReady`], [`StoreError::Closed`], [`StoreError::AlreadyConsumed`] or
    /// [`StoreError::TargetFull`].
    async fn consume(&self, id: UploadId, wanted: NewAttachment) -> Result<Vec<Attachment>>;

    /// Attaches one media. Repeating the same call gives the same answer.
    ///
    /// # Errors
    /// [`StoreError::NotFound`] if the workspace has no such media; [`StoreError::TargetFull`].
    async fn attach(
        &self,
        workspace: WorkspaceId,
        media: MediaId,
        wanted: NewAttachment,
    ) -> Result<Attachment>;

    /// A media of one of these workspaces. What belongs to another one costs what an unknown one
    /// does.
    async fn media(&self, workspaces: &[WorkspaceId], which: MediaRef) -> Result<Option<Media>>;

    /// A page of this workspace's media, newest first.
    ///
    /// It looks at a bounded number of them: a page may be short, or empty, although more follow.
    async fn list_media(&self, workspace: WorkspaceId, query: MediaQuery) -> Result<MediaPage>;

    /// Deletes a media, and with `force` its attachments; its bytes are doomed. A completed session
    /// without any media left is expired.
    ///
    /// # Errors
    /// [`StoreError::NotFound`]; [`StoreError::StillOpen`] while its session needs it;
    /// [`StoreError::Attached`] without `force`.
    async fn delete_media(
        &self,
        workspace: WorkspaceId,
        media: MediaId,
        force: bool,
        by: Actor,
    ) -> Result<()>;

    /// Deletes up to `most` media that are kept no longer, and says which. What is attached is kept,
    /// and so are the media of a session that is open.
    async fn retire_media(&self, most: u32) -> Result<Vec<MediaId>>;

    /// Moves up to `most` sessions whose time is over, and says which and whereto.
    async fn expire_sessions(&self, most: u32) -> Result<Vec<(UploadId, State)>>;

    /// Takes up to `most` lost claims, to delete what they left; each comes again after `lease`
    /// unless [`Self::forget_claim`] ends it.
    async fn take_lost_claims(&self, most: u32, lease: SignedDuration) -> Result<Vec<LostClaim>>;

    /// Ends a lost claim whose bytes are gone. Safe to repeat.
    async fn forget_claim(&self, claim: ClaimId) -> Result<()>;

    /// What is at this key will be nobody's after so long.
    async fn doom(&self, key: String, after: SignedDuration) -> Result<()>;

    /// Takes the keys of up to `most` bytes that are nobody's any more; each comes again after
    /// `lease` unless [`Self::forget_doomed`] ends it.
    async fn take_doomed(&self, most: u32, lease: SignedDuration) -> Result<Vec<String>>;

    /// The bytes of this key are gone. Safe to repeat.
    async fn forget_doomed(&self, key: String) -> Result<()>;

    /// Up to `most` files that there should be, after this one, by their ids.
    async fn stock(&self, after: Option<MediaId>, most: u32) -> Result<Vec<Stock>>;

    /// Whether bytes of this key are somebody's, or known to be nobody's.
    async fn is_owned(&self, key: &str) -> Result<bool>;

    /// Forgets up to `most` sessions that ended long ago, and says how many.
    async fn forget_sessions(&self, most: u32) -> Result<u32>;

    /// What the sweep would find to do.
    async fn due(&self) -> Result<Due>;

    /// Answers if the database does.
    async fn ping(&self) -> Result<()>;

    /// The stream of changes, of this process and, while somebody watches, of others. A hint: whoever
    /// misses one reads again a few seconds later.
    fn changes(&self) -> broadcast::Receiver<Change>;

    /// While the result is held, changes by other processes are told well within a second.
    fn watch(&self) -> Watching;
}

/// Somebody waits for changes by other processes.
#[derive(Debug)]
pub struct Watching(#[expect(dead_code, reason = "counted")] Arc<()>);

/// A store's result.
pub type Result<T, E = StoreError> = std::result::Result<T, E>;

/// Why the store did not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Nothing by that name.
    #[error("there is nothing by that name")]
    NotFound,
    /// The session is in a final state.
    #[error("the session is {}", .0.as_str())]
    Closed(State),
    /// Every slot has a live claim or a file.
    #[error("every slot is taken")]
    AllTaken {
        /// When the first of them may be free again.
        free_in: SignedDuration,
    },
    /// The claim was lost to silence, to another attempt or to the session's end.
    #[error("the claim is gone")]
    ClaimGone,
    /// The session has no file yet.
    #[error("the session is not completed")]
    NotReady,
    /// The session's media went to another target.
    #[error("the session was consumed")]
    AlreadyConsumed(Target),
    /// The session of the media can still take files.
    #[error("the session is still open")]
    StillOpen,
    /// The media is attached to these.
    #[error("the media is attached")]
    Attached(Vec<Target>),
    /// The target takes nothing more: it has all that it may have.
    #[error("the target has all that it may have")]
    TargetFull(Room),
    /// The target has other attachments than those that were named.
    #[error("the target has other attachments")]
    OtherAttachments,
    /// Another one has that name.
    #[error("the name is taken")]
    Taken,
    /// The workspace may not use more of it.
    #[error("the quota is used up: {0:?}")]
    OverQuota(UsedUp),
    /// The move is not in the table.
    #[error(transparent)]
    Illegal(#[from] IllegalMove),
    /// The database was written by a newer askfile.
    #[error(
        "the database has schema version {found}, and this askfile knows versions up to {known}: \
         start a newer askfile on it"
    )]
    NewerSchema {
        /// What the database says.
        found: i64,
        /// The newest that this program knows.
        known: i64,
    },
    /// Another process holds the database.
    #[error("another process holds the database")]
    Busy,
    /// The database failed.
    #[error("the database did not do its work")]
    Database(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// A session to be made.
#[derive(Debug, Clone)]
pub struct NewSession {
    /// Its name.
    pub id: UploadId,
    /// Its secret.
    pub token: Token,
    /// Whom it belongs to.
    pub workspace_id: WorkspaceId,
    /// How the page names who asks.
    pub asked_by: String,
    /// Who asks.
    pub created_by: Actor,
    /// The purpose's name.
    pub purpose: String,
    /// The agent's words to the person.
    pub prompt: Option<String>,
    /// What the person is spoken to in.
    pub language: Option<Language>,
    /// What the agent wants to find it by.
    pub metadata: Metadata,
    /// What it takes.
    pub limits: Limits,
    /// The way that its files take.
    pub transfer: Transfer,
    /// What is going to be sent, where a program has said it.
    pub spec: Option<Spec>,
    /// For how many seconds its unattached media are kept.
    pub retain_seconds: Option<u64>,
    /// How long its link lives.
    pub expires_in: SignedDuration,
}

/// A session as a caller names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SessionRef {
    /// By its name for everybody.
    Id(UploadId),
    /// By its secret.
    Token(Token),
}

/// A session with all that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SessionView {
    /// The session.
    pub session: UploadSession,
    /// Its stored files, in slot order.
    pub media: Vec<Media>,
    /// How its slots are used.
    pub tally: Tally,
}

impl SessionView {
    /// Whether all that it had brought was deleted.
    #[must_use]
    pub fn is_emptied(&self) -> bool {
        let is_attached = self.session.state == State::Consumed;
        self.session.media_gone || (is_attached && self.media.is_empty())
    }
}

/// Asks for a claim.
#[derive(Debug, Clone)]
pub struct ClaimRequest {
    /// On which session.
    pub session: UploadId,
    /// The claim's name to be.
    pub claim: ClaimId,
    /// The name of the media that will come of it.
    pub media: MediaId,
    /// The page's name for this attempt.
    pub attempt: Option<AttemptId>,
    /// For how long, from now or from the last heartbeat.
    pub lease: SignedDuration,
    /// How many bytes the file will have, at the least and as far as can be told. Room is made for
    /// the latter, or else for the former.
    pub bytes: (u64, u64),
    /// What it grants; `None`: the bytes come with this request.
    pub grant: Option<NewGrant>,
}

/// A claim under which the bytes come later, and perhaps not through askfile.
#[derive(Debug, Clone)]
pub struct NewGrant {
    /// What is going to be sent.
    pub spec: Spec,
    /// Where it lands in the store; `None` where askfile itself takes it in.
    pub landing: Option<Landing>,
}

/// A key of the store that somebody else may put bytes under.
#[derive(Debug, Clone)]
pub struct Landing {
    /// The key.
    pub key: String,
    /// After that nothing lands there any more, and what did is nobody's.
    pub over_in: SignedDuration,
}

/// A claim under which the bytes are still to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grant {
    /// Whose it is.
    pub session: UploadId,
    /// The claim, as it is called now.
    pub claim: ClaimId,
    /// The media that will come of it.
    pub media: MediaId,
    /// What is going to be sent.
    pub spec: Spec,
    /// Where it lands in the store; `None` where askfile itself takes it in.
    pub lands_at: Option<String>,
    /// Whether somebody sees to what landed there.
    pub is_in_turn: bool,
}

/// What became of a [`ClaimRequest`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimOutcome {
    /// The claim is held.
    Taken {
        /// Its slot.
        slot: u32,
        /// For how many bytes room was made.
        reserved: u64,
    },
    /// The same attempt was stored before; this is what it brought.
    StoredBefore(Box<Media>),
}

/// A media to be stored.
#[derive(Debug, Clone)]
pub struct NewMedia {
    /// The name that the person's file had, made harmless.
    pub original_filename: String,
    /// What the person wrote beside it.
    pub description: Option<String>,
    /// The bytes as they are stored.
    pub stored: Content,
    /// The bytes as they came.
    pub original: Content,
    /// Width and height in pixels, as it is shown; `None` for what has none.
    pub dimensions: Option<Dimensions>,
    /// What a scanner said of them.
    pub scan_status: ScanStatus,
    /// The name and value of each handle.
    pub handles: Vec<(String, String)>,
    /// Whoever stores it judges it first; `None`: there is nothing to judge.
    pub check: Option<NewCheck>,
}

/// The first turn to judge a media.
#[derive(Debug, Clone)]
pub struct NewCheck {
    /// Where the bytes lie that came.
    pub source_key: String,
    /// The name of the turn; what is made of the bytes is staged under it.
    pub turn: ClaimId,
    /// For how long the turn is nobody else's.
    pub lease: SignedDuration,
}

/// A turn to judge a media.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The media.
    pub media: Media,
    /// Where the bytes lie that came.
    pub source_key: String,
    /// The name of the turn; what is made of the bytes is staged under it.
    pub turn: ClaimId,
    /// How often it was tried, this time included.
    pub tries: u32,
}

/// What a media turned out to be.
#[derive(Debug, Clone)]
pub struct Passed {
    /// The bytes as they are stored.
    pub stored: Content,
    /// Width and height in pixels, as it is shown; `None` for what has none.
    pub dimensions: Option<Dimensions>,
    /// What the scanner said.
    pub scan_status: ScanStatus,
    /// Where the bytes are that the stored ones were made of, which are nobody's now.
    pub remade_of: Option<String>,
}

/// An attachment to be made.
#[derive(Debug, Clone)]
pub struct NewAttachment {
    /// To what.
    pub target: Target,
    /// Text for those who do not see the picture.
    pub alt: Option<String>,
    /// The first one's position; `None`: after those that are there. Where there is one already, that
    /// and those after it move back.
    pub position: Option<u32>,
    /// How many the target may have.
    pub room: Room,
    /// Who attaches.
    pub created_by: Actor,
}

/// A media as a caller names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MediaRef {
    /// By its name.
    Id(MediaId),
    /// By one of its handles.
    Handle(String),
}

impl MediaRef {
    /// What this text names: an id, a key (`medias/…`), or else a handle.
    #[must_use]
    pub fn named(name: &str) -> Self {
        let id = name.parse().ok().or_else(|| media_of_key(name));
        id.map_or_else(|| Self::Handle(name.to_owned()), Self::Id)
    }
}

/// Asks for a page of media.
#[derive(Debug, Clone, Default)]
pub struct MediaQuery {
    /// Which.
    pub filter: Filter,
    /// Those before this one, which is where the page before ended; `None`: from the newest on.
    pub before: Option<MediaId>,
    /// At most so many.
    pub most: usize,
}

/// A page of media.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MediaPage {
    /// Newest first.
    pub media: Vec<Media>,
    /// Where the next page begins; `None` after the last.
    pub next: Option<MediaId>,
}

/// A claim that was lost, and what it may have left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostClaim {
    /// The claim; its bytes are staged under its name.
    pub id: ClaimId,
    /// Where its bytes may have been published.
    pub media_key: Option<String>,
    /// The key of what was begun for its bytes.
    pub begun: Option<String>,
    /// Where its bytes may have landed.
    pub lands_at: Option<String>,
}

/// A file that there should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stock {
    /// Its media.
    pub id: MediaId,
    /// Where its bytes are.
    pub key: String,
    /// What they are.
    pub content: Content,
}

/// What the sweep would find to do.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Due {
    /// Sessions whose time is over.
    pub sessions: Vec<UploadId>,
    /// Claims that were lost.
    pub claims: Vec<ClaimId>,
    /// Media whose check is due.
    pub checks: Vec<MediaId>,
    /// Media that are kept no longer.
    pub media: Vec<MediaId>,
    /// Keys of bytes that are nobody's any more.
    pub doomed: Vec<String>,
    /// Sessions that ended so long ago that they are forgotten.
    pub old_sessions: Vec<UploadId>,
}

/// Something changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// This session.
    Session(UploadId),
    /// What some key opens.
    Access,
    /// Webhooks were queued.
    Webhooks,
    /// Another process changed something.
    Elsewhere,
}

/// The instant `duration` after `now`, or the last that can be told.
pub(crate) fn later(now: Timestamp, duration: SignedDuration) -> Timestamp {
    now.saturating_add(duration).unwrap_or(Timestamp::MAX)
}
