//! How much somebody may do in a minute.

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Uploads that begin, by address.
    Uploads,
    /// Requests with a link that opens nothing, by address.
    WrongLinks,
    /// Requests with a key that opens nothing, by address.
    WrongKeys,
    /// Sign-in codes that are tried, by address.
    Codes,
    /// Clients that register themselves or are looked up, by address.
    Clients,
    /// Tool calls, by caller.
    ToolCalls,
    /// Links that are minted, by workspace.
    Links,
    /// Files that a program sends with its key, by caller.
    Sent,
}

impl Counted {
    /// As the end of "too many".
    #[must_use]
    pub fn as_words(self) -> &'static str {
        match self {
            Self::Uploads => "uploads from this address",
            Self::WrongLinks => "wrong links from this address",
            Self::WrongKeys => "wrong keys from this address",
            Self::Codes => "sign-in codes from this address",
            Self::Clients => "clients from this address",
            Self::ToolCalls => "calls",
            Self::Links => "links for this workspace",
            Self::Sent => "files from this caller",
        }
    }
}

/// How somebody's budget stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Standing {
    /// What a minute allows.
    pub limit: u32,
    /// What is left of it.
    pub left: u32,
    /// In how many seconds there is one more; 0 while nothing is used.
    pub next_in: u32,
}
