//! Files that are there: listing, showing and deleting them.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

use super::{Service, authority::must, download::must_be_passed};
use crate::{
    domain::{
        caller::Caller,
        capability::Capability,
        ids::MediaId,
        media::{Filter, Media},
    },
    error::{Error, Result},
    store::{MediaQuery, MediaRef, later},
};

/// Most media of one page.
pub const MOST_LISTED: usize = 100;
/// Longest life of a link, in seconds.
pub const MOST_LINK_SECONDS: u64 = 3_600;

/// Longest part of a name, in characters, and most labels, to filter by.
const MOST_NAME: usize = 200;
const MOST_LABELS: usize = 32;

/// Asks for a page of media.
#[derive(Debug, Clone, Default)]
pub struct ListRequest {
    /// Id or alias.
    pub workspace_id: Option<String>,
    /// Which.
    pub filter: Filter,
    /// Those that this principal asked for: its id, or `me` for the caller's own.
    pub created_by: Option<String>,
    /// Where the page before ended.
    pub cursor: Option<String>,
    /// At most so many; 20 if not said.
    pub limit: Option<usize>,
}

/// A page of media.
#[derive(Debug)]
pub struct Listed {
    /// Newest first.
    pub media: Vec<Media>,
    /// Where the next page begins; `None` after the last.
    pub next_cursor: Option<String>,
}

/// A media, and links to it.
#[derive(Debug)]
pub struct Shown {
    /// The media.
    pub media: Media,
    /// Where its bytes are had.
    pub download_url: String,
    /// Where a small copy of a picture is had; `None` for what has none.
    pub preview_url: Option<String>,
    /// Until when the links live.
    pub expires_at: Timestamp,
}

impl Service {
    /// A page of a workspace's media, newest first. It may be short, or empty, although more
    /// follow.
    ///
    /// # Errors
    /// [`Error::InvalidArgument`]; [`Error::NoSuchWorkspace`] for one that is not the caller's.
    pub async fn list_media(&self, caller: &Caller, request: ListRequest) -> Result<Listed> {
        must(caller, Capability::MediaRead)?;
        let named = request.workspace_id.as_deref();
        let workspace = self.workspace_for(caller, named).await?;
        let limit = request.limit.unwrap_or(20);
        if !(1..=MOST_LISTED).contains(&limit) {
            return Err(invalid("limit: 1 to 100."));
        }
        let mut filter = request.filter;
        filter.created_by =
            match request.created_by.as_deref() {
                None => filter.created_by,
                Some("me") => Some(caller.principal.id),
                Some(id) => Some(id.parse().map_err(|_| {
                    invalid("created_by: `me`, or the id of a principal (`prof_…`).")
                })?),
            };
        let name = filter.name_contains.as_deref().unwrap_or_default();
        if name.chars().count() > MOST_NAME {
            return Err(invalid("name_contains: at most 200 characters."));
        }
        if filter.labels.len() > MOST_LABELS {
            return Err(invalid("labels: at most 32."));
        }
        let query = MediaQuery {
            filter,
            before: request.cursor.as_deref().map(read_cursor).transpose()?,
            most: limit,
        };
        let page = self.store.list_media(workspace, query).await?;
        Ok(Listed {
            media: page.media,
            next_cursor: page.next.map(cursor),
        })
    }

    /// A media of the caller's workspaces that may be handed out.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::ScanPending`], [`Error::ScanBlocked`].
    pub async fn media(&self, caller: &Caller, which: MediaRef) -> Result<Media> {
        must(caller, Capability::MediaRead)?;
        let found = self.store.media(&caller.workspaces, which).await?;
        let media = found.ok_or(Error::NotFound)?;
        must_be_passed(&media)?;
        Ok(media)
    }

    /// A media of the caller's workspaces, and links to it that live so many seconds; 300 if not said.
    ///
    /// # Errors
    /// As [`Self::media`]; [`Error::InvalidArgument`] for more than an hour; [`Error::Busy`] while
    /// nobody serves the page.
    pub async fn show_media(
        &self,
        caller: &Caller,
        which: MediaRef,
        seconds: Option<u64>,
    ) -> Result<Shown> {
        let expires_at = self.link_expiry(seconds).await?;
        let media = self.media(caller, which).await?;
        self.note_read(&media, &caller.actor(), "link").await;
        Ok(Shown {
            download_url: self.download_url(&media, expires_at),
            preview_url: self.preview_url(&media, expires_at),
            media,
            expires_at,
        })
    }

    /// Until when links made now live. Waits until it is known where they lead.
    async fn link_expiry(&self, seconds: Option<u64>) -> Result<Timestamp> {
        let life = match seconds {
            None => super::LINK_LIFE,
            Some(seconds @ 1..=MOST_LINK_SECONDS) => {
                SignedDuration::from_secs(i64::try_from(seconds).unwrap_or_default())
            }
            Some(_) => return Err(invalid("expires_in_seconds: 1 to 3,600.")),
        };
        self.settled().await?;
        Ok(later(self.clock.now(), life))
    }

    /// Deletes a media of the caller's workspaces for good; says which it was.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Conflict`] while it is attached, unless with `force`, and while
    /// its session is open.
    pub async fn delete_media(
        &self,
        caller: &Caller,
        which: MediaRef,
        force: bool,
    ) -> Result<Media> {
        must(caller, Capability::MediaDelete)?;
        let found = self.store.media(&caller.workspaces, which).await?;
        let media = found.ok_or(Error::NotFound)?;
        let (of, by) = (media.workspace_id, caller.actor());
        self.store.delete_media(of, media.id, force, by).await?;
        tracing::info!(media.id = %media.id, "a file was deleted");
        // It is gone for everybody; bytes that stay now are the sweep's.
        if let Err(error) = self.delete_doomed().await {
            error.log();
        }
        Ok(media)
    }
}

fn invalid(why: &str) -> Error {
    Error::InvalidArgument(why.to_owned())
}

fn cursor(id: MediaId) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(id.0.as_bytes())
}

fn read_cursor(cursor: &str) -> Result<MediaId> {
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(cursor).ok();
    let id = bytes.and_then(|bytes| Uuid::from_slice(&bytes).ok());
    id.map(MediaId)
        .ok_or_else(|| invalid("cursor: use next_cursor of the page before, as it is."))
}
