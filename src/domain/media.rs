//! One stored file.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    ids::{AttemptId, ClaimId, MediaId, PrincipalId, UploadId, WorkspaceId},
    mime::{self, Kind, MimePattern},
};

/// What a scanner said of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ScanStatus {
    /// Nobody looked: scanning is off.
    Skipped,
    /// Not judged yet.
    Pending,
    /// Nothing found.
    Clean,
    /// Something found; the bytes are gone.
    Blocked,
}

impl ScanStatus {
    /// The word on the wire and in the database.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Pending => "pending",
            Self::Clean => "clean",
            Self::Blocked => "blocked",
        }
    }
}

/// What is known of some bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Content {
    /// Judged by the bytes.
    pub mime_type: String,
    /// Length in bytes.
    pub size_bytes: u64,
    /// SHA-256 of the bytes.
    pub sha256: [u8; 32],
}

/// How large a picture is shown, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Dimensions {
    /// From left to right.
    pub width: u32,
    /// From top to bottom.
    pub height: u32,
}

impl Dimensions {
    /// How many pixels that are.
    #[must_use]
    pub fn area(self) -> u64 {
        u64::from(self.width) * u64::from(self.height)
    }
}

/// One stored file.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Media {
    /// Its name.
    pub id: MediaId,
    /// Whom it belongs to.
    pub workspace_id: WorkspaceId,
    /// The session that it came by.
    pub upload_id: UploadId,
    /// Who asked for it; `None` for what is older than principals are.
    pub created_by: Option<PrincipalId>,
    /// Its slot in that session, counted from 0; `None` once it was blocked.
    pub slot: Option<u32>,
    /// The name of the purpose that it came for.
    pub purpose: String,
    /// Words to filter by, those of its session.
    pub labels: BTreeMap<String, String>,
    /// The page's name for the attempt that brought it.
    pub attempt: Option<AttemptId>,
    /// The name that the person's file had: data only, made harmless.
    pub original_filename: String,
    /// What the person wrote beside it: data only.
    pub description: Option<String>,
    /// The bytes as they are stored.
    pub stored: Content,
    /// The bytes as they came.
    pub original: Content,
    /// Width and height in pixels, as it is shown; `None` for what has none.
    pub dimensions: Option<Dimensions>,
    /// What a scanner said of them.
    pub scan_status: ScanStatus,
    /// When it came.
    pub created_at: Timestamp,
    /// Until when it is kept while nothing is attached; `None`: until deleted.
    pub retain_until: Option<Timestamp>,
    /// Its handles: the name of each, and its value.
    pub handles: Vec<(String, String)>,
}

/// Which media are wanted. What is not given does not narrow.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of a type, perhaps with a wildcard.
    pub mime_type: Option<MimePattern>,
    /// Of a kind.
    pub kind: Option<Kind>,
    /// With these characters in the file's name, in capitals or not.
    pub name_contains: Option<String>,
    /// With each of these labels.
    pub labels: BTreeMap<String, String>,
    /// Stored then or later.
    pub since: Option<Timestamp>,
    /// Asked for by this principal.
    pub created_by: Option<PrincipalId>,
}

impl Filter {
    /// Whether this one is wanted.
    #[must_use]
    pub fn takes(&self, media: &Media) -> bool {
        let mime_type = &media.stored.mime_type;
        let name = || media.original_filename.to_lowercase();
        let part = self.name_contains.as_deref();
        self.since.is_none_or(|since| media.created_at >= since)
            && (self.created_by.is_none() || self.created_by == media.created_by)
            && self.kind.is_none_or(|kind| media.kind() == kind)
            && self
                .mime_type
                .as_ref()
                .is_none_or(|wanted| wanted.matches(mime_type))
            && part.is_none_or(|part| name().contains(&part.to_lowercase()))
            && self
                .labels
                .iter()
                .all(|(key, value)| media.labels.get(key) == Some(value))
    }
}

impl Media {
    /// Its kind.
    #[must_use]
    pub fn kind(&self) -> Kind {
        Kind::of(&self.stored.mime_type)
    }

    /// The name to save it under: the person's, with the extension of what is stored where that is
    /// of another type than what came.
    #[must_use]
    pub fn file_name(&self) -> String {
        let name = &self.original_filename;
        if self.stored.mime_type == self.original.mime_type {
            return name.clone();
        }
        let stem = name
            .rsplit_once('.')
            .map_or(name.as_str(), |(stem, _)| stem);
        format!("{stem}.{}", mime::extension(&self.stored.mime_type))
    }

    /// Whether its pixels can be shown smaller, for a preview or a model.
    #[must_use]
    pub fn can_be_scaled(&self) -> bool {
        self.kind() == Kind::Image && self.stored.mime_type != mime::HEIC
    }

    /// Its stable URN.
    #[must_use]
    pub fn urn(&self) -> String {
        format!("urn:askfile:{}:assets:{}", self.workspace_id, self.id)
    }
}

/// What stills are made that change their format.
pub const REMADE_AS: &str = "image/jpeg";

/// Where bytes are staged under a claim, before they have their final name.
#[must_use]
pub fn staging_key(claim: ClaimId) -> String {
    format!("staging/{claim}")
}

/// The claim under which bytes of this key were staged.
#[must_use]
pub fn staged_claim(key: &str) -> Option<ClaimId> {
    key.strip_prefix("staging/")?.parse().ok()
}

/// Where the bytes of a media-to-be land that are put straight into the store.
#[must_use]
pub fn landing_key(id: MediaId) -> String {
    format!("landing/{id}")
}

/// Where the bytes of a media live: a name that the server made, `medias/{media_id}.{ext}`.
#[must_use]
pub fn object_key(id: MediaId, mime_type: &str) -> String {
    format!("medias/{id}.{}", mime::extension(mime_type))
}

/// The media that an `upload_key` names.
#[must_use]
pub fn media_of_key(key: &str) -> Option<MediaId> {
    let (id, extension) = key.strip_prefix("medias/")?.split_once('.')?;
    let known = mime::TYPES.iter().any(|known| known.extension == extension) || extension == "bin";
    known.then(|| id.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_names_its_media() {
        let id = MediaId::new("2026-01-01T00:00:00Z".parse().unwrap());
        assert_eq!(media_of_key(&object_key(id, "image/png")), Some(id));
        assert_eq!(media_of_key(&format!("medias/{id}.exe")), None);
        assert_eq!(media_of_key(&format!("staging/{id}.png")), None);
        assert_eq!(media_of_key("medias/../x.png"), None);
    }
}
