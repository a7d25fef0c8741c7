//! What can be read as a resource of MCP, and how it is addressed.

use std::fmt;

use super::ids::{MediaId, UploadId, WorkspaceId};

/// The address of a resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResourceUri {
    /// How a session stands.
    Upload(WorkspaceId, UploadId),
    /// A file.
    Media(WorkspaceId, MediaId),
}

impl ResourceUri {
    /// What this text addresses; `None` if it is no such address.
    #[must_use]
    pub fn read(uri: &str) -> Option<Self> {
        let (workspace, path) = uri.strip_prefix("askfile://")?.split_once('/')?;
        let workspace = workspace.parse().ok()?;
        match path.split_once('/')? {
            ("uploads", id) => Some(Self::Upload(workspace, id.parse().ok()?)),
            ("media", id) => Some(Self::Media(workspace, id.parse().ok()?)),
            _ => None,
        }
    }
}

impl fmt::Display for ResourceUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Upload(workspace, id) => write!(f, "askfile://{workspace}/uploads/{id}"),
            Self::Media(workspace, id) => write!(f, "askfile://{workspace}/media/{id}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_one_thing() {
        let now = "2026-01-01T00:00:00Z".parse().unwrap();
        let workspace = "11111111-2222-4333-8444-555555555555".parse().unwrap();
        for uri in [
            ResourceUri::Upload(workspace, UploadId::new(now)),
            ResourceUri::Media(workspace, MediaId::new(now)),
        ] {
            let text = uri.to_string();
            assert_eq!(ResourceUri::read(&text), Some(uri));
            for other in [
                format!("{text}/"),
                text.replace("askfile:", "file:"),
                text.replace("uploads", "upload")
                    .replace("media", "uploads"),
                text.replacen("11111111", "one", 1),
            ] {
                assert_eq!(ResourceUri::read(&other), None, "{other}");
            }
        }
    }
}
