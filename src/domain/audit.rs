//! The audit log: who did what, and when.

use jiff::Timestamp;
use serde_json::Value;

use super::{
    ids::{ApiKeyId, PrincipalId, WorkspaceId},
    principal::PrincipalKind,
    session::State,
};

/// Who did something, by the name that it had then.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A principal.
    Principal {
        /// Its name in the database.
        id: PrincipalId,
        /// What it is.
        kind: PrincipalKind,
        /// What people called it.
        name: String,
        /// The key that it came with.
        api_key: Option<ApiKeyId>,
    },
    /// Whoever has a signed link: no more is known.
    Link,
    /// askfile by itself: a time was over, or a file did not pass its check.
    System,
}

impl Actor {
    /// What it is, in a word.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Principal { kind, .. } => kind.as_str(),
            Self::Link => "link",
            Self::System => PrincipalKind::System.as_str(),
        }
    }

    /// Which principal it is.
    #[must_use]
    pub fn principal(&self) -> Option<PrincipalId> {
        match self {
            Self::Principal { id, .. } => Some(*id),
            Self::Link | Self::System => None,
        }
    }

    /// What people called it.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Principal { name, .. } => Some(name),
            Self::Link | Self::System => None,
        }
    }

    /// The key that it came with.
    #[must_use]
    pub fn api_key(&self) -> Option<ApiKeyId> {
        match self {
            Self::Principal { api_key, .. } => *api_key,
            Self::Link | Self::System => None,
        }
    }

    /// Whether this is a word for it: its kind, its name, its id or that of its key.
    #[must_use]
    pub fn is(&self, word: &str) -> bool {
        self.kind() == word
            || self.name() == Some(word)
            || self.principal().is_some_and(|id| id.to_string() == word)
            || self.api_key().is_some_and(|id| id.to_string() == word)
    }
}

/// An enum of what can be done, and the words for it.
macro_rules! actions {
    ($($(#[$doc:meta])* $name:ident = $word:literal,)+) => {
        /// What was done.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Action {
            $($(#[$doc])* $name,)+
        }

        impl Action {
            /// Every action.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// As it is kept: what it was done to, a dot, and what was done.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$name => $word,)+
                }
            }
        }
    };
}

actions! {
    /// A link was made.
    UploadCreated = "upload.created",
    /// The page was opened for the first time.
    UploadOpened = "upload.opened",
    /// All files of a link are there.
    UploadCompleted = "upload.completed",
    /// Its files were attached by its token.
    UploadConsumed = "upload.consumed",
    /// The link lapsed unused, or its last file was deleted.
    UploadExpired = "upload.expired",
    /// The person said no.
    UploadDeclined = "upload.declined",
    /// The link was taken back.
    UploadCancelled = "upload.cancelled",
    /// A link that has ended was deleted with its files.
    UploadDeleted = "upload.deleted",
    /// A file came and is stored.
    MediaUploaded = "media.uploaded",
    /// A file did not pass its check; its bytes are gone.
    MediaBlocked = "media.blocked",
    /// A file was put on a target.
    MediaAttached = "media.attached",
    /// A file was taken off a target.
    MediaDetached = "media.detached",
    /// A file of a target got another text or another place.
    AttachmentChanged = "attachment.changed",
    /// A principal got a file's bytes, or a link to them.
    MediaRead = "media.read",
    /// Whoever has a link got a file's bytes.
    MediaDownloaded = "media.downloaded",
    /// A file was deleted.
    MediaDeleted = "media.deleted",
    /// A file was kept as long as it should be.
    MediaRetired = "media.retired",
    /// A key was made.
    KeyCreated = "key.created",
    /// A key got a new secret.
    KeyRotated = "key.rotated",
    /// A key was ended.
    KeyRevoked = "key.revoked",
    /// A key may do more.
    KeyAllowed = "key.allowed",
    /// A key may do less.
    KeyDenied = "key.denied",
    /// A sign-in code was made.
    SignInCreated = "signin.created",
    /// Somebody signed in and let a client in.
    GrantCreated = "grant.created",
    /// A client is let in no more.
    GrantRevoked = "grant.revoked",
    /// A workspace was made.
    WorkspaceCreated = "workspace.created",
    /// A workspace got another name or alias.
    WorkspaceRenamed = "workspace.renamed",
    /// A workspace got other quotas.
    WorkspaceLimited = "workspace.limited",
    /// A workspace was closed.
    WorkspaceArchived = "workspace.archived",
    /// A workspace was taken up again.
    WorkspaceReopened = "workspace.reopened",
}

impl Action {
    /// What it is for a session to come to this state; `None` for what goes on while it is open.
    #[must_use]
    pub fn of_end(state: State) -> Option<Self> {
        match state {
            State::Pending | State::Receiving | State::Checking => None,
            State::Completed => Some(Self::UploadCompleted),
            State::Consumed => Some(Self::UploadConsumed),
            State::Expired => Some(Self::UploadExpired),
            State::Declined => Some(Self::UploadDeclined),
            State::Cancelled => Some(Self::UploadCancelled),
        }
    }

    /// What back ends are told of it; `None`: nothing.
    #[must_use]
    pub fn told(self) -> Option<Self> {
        match self {
            Self::UploadCompleted
            | Self::UploadConsumed
            | Self::UploadDeclined
            | Self::UploadCancelled
            | Self::UploadExpired
            | Self::MediaAttached
            | Self::MediaDetached
            | Self::MediaDeleted
            | Self::MediaBlocked => Some(self),
            Self::MediaRetired => Some(Self::MediaDeleted),
            _ => None,
        }
    }

    /// Those that a pattern names: a word such as `media.deleted`, or all of a kind, such as
    /// `media.*`.
    #[must_use]
    pub fn named(pattern: &str) -> Vec<Self> {
        let is_named = |action: &Self| match pattern.strip_suffix('*') {
            Some(start) => action.as_str().starts_with(start),
            None => action.as_str() == pattern,
        };
        Self::ALL.iter().copied().filter(is_named).collect()
    }
}

/// The place of a line in the log: those that are added later have higher ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct EntryId(pub i64);

/// A line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place.
    pub id: EntryId,
    /// When it was done.
    pub at: Timestamp,
    /// In which workspace; `None`: in none, or in all.
    pub workspace_id: Option<WorkspaceId>,
    /// Who did it.
    pub actor: Actor,
    /// What was done.
    pub action: Action,
    /// The id of what it was done to.
    pub subject: String,
    /// What else is to be known: ids, numbers, words of ours, and the names of keys and workspaces.
    pub detail: Value,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_names_one_action_or_all_of_a_kind() {
        assert_eq!(Action::named("media.deleted"), [Action::MediaDeleted]);
        assert_eq!(Action::named("key.*").len(), 5);
        assert_eq!(Action::named("*"), Action::ALL);
        for none in ["", "media", "media.", "deleted", "logout.*"] {
            assert_eq!(Action::named(none), [], "{none}");
        }
    }

    #[test]
    fn an_actor_is_found_by_all_that_it_is_called() {
        let (id, key) = (
            PrincipalId::from_bytes([1; 16]),
            ApiKeyId::from_bytes([2; 16]),
        );
        let ana = Actor::Principal {
            id,
            kind: PrincipalKind::User,
            name: "Ana".into(),
            api_key: Some(key),
        };
        for word in ["user", "Ana", &id.to_string(), &key.to_string()] {
            assert!(ana.is(word), "{word}");
            assert!(!Actor::Link.is(word), "{word}");
        }
        assert!(!ana.is("An") && !ana.is("link"));
        assert!(Actor::Link.is("link") && Actor::System.is("system"));
    }
}
