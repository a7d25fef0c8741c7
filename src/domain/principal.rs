//! Who asks.

use schemars::JsonSchema;
use serde::Serialize;

use super::ids::PrincipalId;

/// What people call the principal that stands for this installation itself.
pub const SYSTEM_NAME: &str = "This askfile";

/// Somebody or something that acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// Its name in the database.
    pub id: PrincipalId,
    /// What it is.
    pub kind: PrincipalKind,
    /// What people call it.
    pub name: String,
    /// Where a person is reached.
    pub email: Option<String>,
}

/// What a principal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum PrincipalKind {
    /// A person, for whom an agent acts.
    User,
    /// A program with a key of its own.
    ApiKey,
    /// This installation: its operator, and everybody in `open` mode.
    System,
}

impl PrincipalKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::User, Self::ApiKey, Self::System];

    /// As it is kept.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::ApiKey => "api_key",
            Self::System => "system",
        }
    }
}

impl Principal {
    /// How the page names who asks: the agent of a person, or a program by its name. What `system`
    /// asks has the name that the agent's program gave of itself.
    #[must_use]
    pub fn asks_as(&self, program: Option<&str>) -> String {
        match self.kind {
            PrincipalKind::User => format!("{}’s agent", self.name),
            PrincipalKind::ApiKey => self.name.clone(),
            PrincipalKind::System => program.unwrap_or(UNNAMED_AGENT).to_owned(),
        }
    }
}

/// How the page names an agent that did not say its name.
pub const UNNAMED_AGENT: &str = "An AI agent on this computer";

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;

    #[test]
    fn the_page_names_the_person_whose_agent_asks() {
        let of = |kind| Principal {
            id: PrincipalId::new(Timestamp::UNIX_EPOCH),
            kind,
            name: "Ana".into(),
            email: None,
        };
        assert_eq!(
            of(PrincipalKind::User).asks_as(Some("Claude")),
            "Ana’s agent"
        );
        assert_eq!(of(PrincipalKind::ApiKey).asks_as(Some("Claude")), "Ana");
        assert_eq!(of(PrincipalKind::System).asks_as(Some("Claude")), "Claude");
        assert_eq!(of(PrincipalKind::System).asks_as(None), UNNAMED_AGENT);
    }
}
