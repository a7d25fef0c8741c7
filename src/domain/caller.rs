//! Who makes a request of the service, and for whom.

use super::workspace::Workspace;

/// On whose authority an operation runs. Every operation that names a session, a media or a
/// target looks inside this workspace only; what lies outside is answered as unknown.
#[derive(Debug, Clone)]
pub struct Caller {
    /// The workspace that it acts for.
    pub workspace: Workspace,
    /// How the page names who asks.
    pub asked_by: String,
}

/// How the page names an agent that did not say its name.
pub const UNNAMED_AGENT: &str = "An AI agent on this computer";
