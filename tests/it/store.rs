//! What every `UploadStore` promises, run against every one of them.

mod attaching;
mod checking;
mod claims;
mod endings;
mod grants;
mod identity;
mod keeping;
mod outbox;
mod quota;
mod sessions;
mod sqlite;
mod sweeping;
mod targets;
mod telling;

use std::{path::Path, sync::Arc};

use askfile::{
    domain::{
        attachment::{Room, Target},
        audit::{Action, Actor},
        ids::{ApiKeyId, AttemptId, ClaimId, MediaId, PrincipalId, UploadId},
        limits::Limits,
        media::{Content, Media, ScanStatus},
        principal::PrincipalKind,
        session::{Metadata, State},
        transfer::Transfer,
        workspace::Workspace,
    },
    link::Token,
    store::{
        ClaimOutcome, ClaimRequest, NewAttachment, NewMedia, NewSession, Result, SessionRef,
        SessionView, UploadStore,
        audit::{AuditQuery, AuditStore, Start},
        identity::IdentityStore,
        sqlite::SqliteStore,
        targets::{OneOfTarget, TargetStore},
        webhooks::WebhookStore,
    },
};
use jiff::{SignedDuration, Timestamp};
use tempfile::TempDir;

use crate::harness::{TestClock, secs};

/// Runs each promise on a new database of each kind.
macro_rules! every_store_keeps_its_promises {
    ($($room:ident { $($promise:ident,)+ })+) => {
        mod on_sqlite {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $promise() {
                    super::$room::$promise(super::Bench::on(super::sqlite::Sqlite::new()).await).await;
                }
            )+)+
        }
    };
}

every_store_keeps_its_promises! {
    sessions {
        a_session_is_found_by_its_id_and_by_its_token,
        a_link_lapses_to_the_second_without_a_sweep,
        the_page_is_opened_once,
        what_was_put_in_comes_out,
    }
    claims {
        claims_take_the_free_slots_and_then_there_is_none,
        a_lease_that_is_over_frees_its_slot,
        a_lost_claim_can_neither_beat_nor_commit,
        a_heartbeat_keeps_a_claim,
        no_claim_lives_longer_than_two_hours,
        an_attempt_takes_over_its_own_claim,
        an_attempt_that_was_stored_gets_its_media_again,
        of_fifty_claims_at_once_as_many_win_as_there_are_slots,
        a_claim_that_is_given_back_says_why_and_leaves_the_link_as_it_was,
        no_claim_is_taken_after_the_expiry_even_while_another_one_lives,
    }
    identity {
        a_key_is_found_by_its_secret,
        a_key_ends_to_the_second_or_when_it_is_revoked,
        a_secret_that_is_replaced_opens_for_a_while,
        a_key_that_is_revoked_closes_its_own_links,
        what_a_key_may_is_changed_at_once,
        two_that_live_never_have_one_name,
        an_archived_workspace_is_closed_until_it_is_taken_up_again,
        a_person_is_known_by_the_address,
    }
    quota {
        what_a_workspace_uses_is_counted,
        a_claim_that_falls_silent_reserves_nothing,
        a_blocked_file_takes_no_room,
        a_picture_that_grows_must_fit_too,
        nothing_is_taken_beyond_a_quota,
        room_is_made_for_what_is_likely_or_else_for_what_is_certain,
        of_fifty_files_at_once_no_more_is_stored_than_fits,
    }
    checking {
        a_file_completes_its_session_once_it_has_passed,
        a_blocked_file_gives_its_slot_back_and_says_why,
        a_file_that_is_blocked_after_the_expiry_leaves_ten_minutes,
        a_turn_that_is_over_is_somebody_elses,
        a_link_that_is_closed_takes_the_file_with_it,
    }
    endings {
        a_session_completes_when_its_slots_are_full,
        done_completes_with_what_is_there,
        cancelling_takes_the_claims_away,
        declining_takes_the_claims_away_and_keeps_the_first_reason,
        a_session_that_has_ended_stays_as_it_is,
        at_its_expiry_a_session_completes_with_what_is_there,
        a_body_that_fails_after_the_expiry_leaves_ten_minutes,
        a_body_that_falls_silent_over_the_expiry_leaves_ten_minutes,
        the_ten_minutes_are_kept_beside_a_file_that_arrives,
        ten_minutes_are_left_for_a_body_of_before_the_expiry_only,
    }
    attaching {
        a_session_is_consumed_once,
        only_a_completed_session_is_consumed,
        attaching_again_gives_the_same_answer,
        files_without_a_position_go_to_the_end,
        what_another_workspace_has_is_unknown,
        a_media_is_found_by_its_handles,
    }
    grants {
        a_grant_is_found_until_it_is_over,
        of_two_turns_at_once_one_is_taken,
        whoever_lost_a_turn_can_neither_beat_nor_commit,
        what_landed_outlives_a_turn_that_was_lost,
        a_grant_that_askfile_takes_in_itself_is_a_claim_like_any_other_then,
        what_may_still_land_is_deleted_once_nothing_can_land_any_more,
        what_a_lost_turn_copied_is_deleted,
    }
    sweeping {
        the_sweep_moves_the_sessions_whose_time_is_over,
        a_lost_claim_is_one_sweepers_until_it_is_forgotten,
        what_was_begun_for_a_claim_is_told_with_it_once_it_is_lost,
        what_is_doomed_later_is_left_alone_until_then,
        what_came_before_a_link_was_closed_is_deleted,
        a_session_is_forgotten_thirty_days_after_its_end,
        a_session_is_remembered_while_its_claims_have_left_bytes,
    }
    keeping {
        a_page_is_newest_first_and_the_next_begins_where_it_ended,
        a_filter_takes_what_it_says,
        a_page_looks_at_a_bounded_number_of_media,
        what_another_workspace_has_is_neither_listed_nor_deleted,
        what_is_attached_is_deleted_by_force_only,
        a_completed_session_ends_with_its_last_file,
        an_open_session_keeps_its_files,
        what_is_kept_no_longer_is_deleted_unless_it_is_attached,
        of_attaching_and_deleting_at_once_one_wins_whole,
    }
    outbox {
        what_is_noted_is_queued_for_each_and_numbered,
        a_webhook_is_one_senders_until_its_lease_is_over,
        a_webhook_is_delivered_or_tried_again_or_given_up,
        whoever_comes_late_changes_nothing_but_a_delivery,
        what_ended_is_queued_again_when_asked_for,
    }
    targets {
        what_comes_to_a_place_that_is_taken_moves_the_rest_back,
        what_is_moved_stands_where_it_was_put,
        a_target_never_has_more_than_it_may,
        of_two_orders_at_once_one_wins_whole,
        the_time_that_a_media_is_kept_begins_anew_when_it_is_detached,
    }
    telling {
        whatever_moves_a_session_is_told,
        what_another_process_did_is_told_within_a_second,
    }
}

/// Everything that is remembered.
pub trait Store: UploadStore + TargetStore + IdentityStore + AuditStore + WebhookStore {}

impl<T: UploadStore + TargetStore + IdentityStore + AuditStore + WebhookStore> Store for T {}

/// A database, and a clock that its leases are judged by.
#[async_trait::async_trait]
pub trait Database: Send + Sync {
    /// Another process's store on it.
    async fn open(&self) -> Arc<dyn Store>;

    /// Moves the clock.
    fn advance(&self, by: SignedDuration);
}

/// A store and what is needed to put it to the test.
pub struct Bench {
    pub store: Arc<dyn Store>,
    pub database: Box<dyn Database>,
    pub workspace: Workspace,
}

/// The lease of every claim here.
pub const LEASE: SignedDuration = SignedDuration::from_secs(30);
/// The life of every link here.
pub const LIFE: SignedDuration = SignedDuration::from_secs(60);

impl Bench {
    pub async fn on(database: impl Database + 'static) -> Self {
        let store = database.open().await;
        Self {
            workspace: store.default_workspace().await.unwrap(),
            store,
            database: Box::new(database),
        }
    }

    pub fn advance(&self, by: SignedDuration) {
        self.database.advance(by);
    }

    /// A session to be made, with so many slots.
    pub fn new_session(&self, slots: u32) -> NewSession {
        NewSession {
            id: UploadId::new(self.workspace.created_at),
            token: Token::random(),
            workspace_id: self.workspace.id,
            asked_by: "Claude".into(),
            created_by: somebody(),
            purpose: "general".into(),
            language: None,
            prompt: None,
            metadata: Metadata::default(),
            limits: Limits {
                max_size_bytes: 9,
                max_size_bytes_by_kind: [].into(),
                allowed_mime_types: vec!["image/*".parse().unwrap()],
                max_files: slots,
            },
            transfer: Transfer::Proxy,
            spec: None,
            retain_seconds: None,
            expires_in: LIFE,
        }
    }

    /// A session with so many slots.
    pub async fn session(&self, slots: u32) -> UploadId {
        let made = self.store.create(self.new_session(slots)).await;
        made.unwrap().id
    }

    pub async fn view(&self, id: UploadId) -> SessionView {
        let found = self.store.find(SessionRef::Id(id)).await.unwrap();
        found.unwrap()
    }

    /// How many lines the log has of this.
    pub async fn noted(&self, action: Action) -> usize {
        let query = AuditQuery {
            workspace: Some(self.workspace.id),
            start: Start::At(Timestamp::MIN),
            until: Timestamp::MAX,
            actions: vec![action],
            actor: None,
            most: 100,
        };
        self.store.audit(query).await.unwrap().entries.len()
    }

    pub async fn state(&self, id: UploadId) -> State {
        self.view(id).await.session.state
    }

    pub fn request(&self, session: UploadId, attempt: Option<AttemptId>) -> ClaimRequest {
        ClaimRequest {
            session,
            claim: ClaimId::random(),
            media: MediaId::new(self.workspace.created_at),
            attempt,
            lease: LEASE,
            bytes: (0, 0),
            grant: None,
        }
    }

    /// Tries to take a claim.
    pub async fn try_claim(&self, session: UploadId) -> Result<ClaimOutcome> {
        self.store.claim(self.request(session, None)).await
    }

    /// Takes a claim.
    pub async fn claim(&self, session: UploadId) -> ClaimId {
        self.claim_for(session, None).await
    }

    /// Takes a claim for an attempt.
    pub async fn claim_for(&self, session: UploadId, attempt: Option<AttemptId>) -> ClaimId {
        let request = self.request(session, attempt);
        let claim = request.claim;
        let taken = self.store.claim(request).await.unwrap();
        assert!(matches!(taken, ClaimOutcome::Taken { .. }), "{taken:?}");
        claim
    }

    /// Stores a file.
    pub async fn file(&self, session: UploadId) -> Media {
        let claim = self.claim(session).await;
        let before = self.view(session).await.media;
        let after = self.store.commit_upload(claim, media()).await.unwrap();
        let mut new = after.media.into_iter();
        new.find(|media| !before.contains(media)).unwrap()
    }

    /// A completed session of one file.
    pub async fn completed(&self) -> UploadId {
        let session = self.session(1).await;
        self.file(session).await;
        session
    }
}

/// A media to be stored.
pub fn media() -> NewMedia {
    let content = Content {
        mime_type: "image/png".into(),
        size_bytes: 9,
        sha256: [7; 32],
    };
    NewMedia {
        original_filename: "a.png".into(),
        description: None,
        stored: content.clone(),
        original: content,
        dimensions: None,
        scan_status: ScanStatus::Skipped,
        handles: Vec::new(),
        check: None,
    }
}

/// A principal.
pub fn somebody() -> Actor {
    somebody_with(None)
}

/// The same, with a key.
pub fn somebody_with(api_key: Option<ApiKeyId>) -> Actor {
    Actor::Principal {
        id: PrincipalId::from_bytes([7; 16]),
        kind: PrincipalKind::ApiKey,
        name: "Somebody".into(),
        api_key,
    }
}

/// An attachment to the post of this id, at the end.
pub fn on_post(id: &str) -> NewAttachment {
    NewAttachment {
        target: Target {
            kind: "post".into(),
            id: id.into(),
        },
        alt: None,
        position: None,
        room: Room::default(),
        created_by: somebody(),
    }
}

/// The name of an attempt.
pub fn attempt(n: u128) -> AttemptId {
    AttemptId(uuid::Uuid::from_u128(n))
}
