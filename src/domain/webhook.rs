//! Webhooks: where back ends are told what happens, and how they know that it was us who told them.

use std::{fmt, str::FromStr, time::Duration};

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use hmac::{Hmac, KeyInit, Mac};
use jiff::{SignedDuration, Timestamp};
use sha2::Sha256;

use super::{audit::Action, ids::WebhookId, workspace::WorkspaceRef};

/// What the text of a secret begins with.
const PREFIX: &str = "whsec_";

/// The pauses after the first tries that failed; after those, each is as long as the last.
const PAUSES: [SignedDuration; 5] = [
    SignedDuration::from_secs(5),
    SignedDuration::from_mins(5),
    SignedDuration::from_mins(30),
    SignedDuration::from_hours(2),
    SignedDuration::from_hours(5),
];

/// For how long a webhook is tried at the least before it is given up.
const TRIED_FOR: SignedDuration = SignedDuration::from_hours(24);

/// Where to tell what happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    /// Its name in the settings. What is queued is queued for the name.
    pub name: String,
    /// The address that webhooks are posted to.
    pub url: String,
    /// Each signs; more than one while one is being replaced.
    pub secrets: Vec<Secret>,
    /// What is told.
    pub events: Vec<Action>,
    /// In which workspaces; empty: in all.
    pub workspaces: Vec<WorkspaceRef>,
    /// How long one answer may take.
    pub timeout: Duration,
}

impl Endpoint {
    /// The header that says who sent this, by the Standard Webhooks scheme.
    #[must_use]
    pub fn signature(&self, id: &str, at: Timestamp, body: &str) -> String {
        let signed = format!("{id}.{}.{body}", at.as_second());
        let signatures = self.secrets.iter().map(|secret| secret.sign(&signed));
        signatures.collect::<Vec<_>>().join(" ")
    }
}

/// A key that signs webhooks, shared with who gets them. Never logged: `Debug` hides it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Vec<u8>);

impl Secret {
    fn sign(&self, text: &str) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("a key of any length is one");
        mac.update(text.as_bytes());
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    }
}

impl FromStr for Secret {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        let bytes = text.strip_prefix(PREFIX);
        let bytes = bytes.map(|text| STANDARD_NO_PAD.decode(text.trim_end_matches('=')));
        match bytes {
            Some(Ok(bytes)) if (24..=64).contains(&bytes.len()) => Ok(Self(bytes)),
            _ => Err("is not `whsec_` and 24 to 64 bytes in base64"),
        }
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(hidden)")
    }
}

/// What happened, as one endpoint is to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its name, the same at every try.
    pub id: WebhookId,
    /// For whom.
    pub endpoint: String,
    /// What happened.
    pub event: Action,
    /// What is posted, fixed when it happened.
    pub body: String,
    /// When it happened.
    pub created_at: Timestamp,
    /// Where it stands.
    pub state: WebhookState,
    /// How often it was tried.
    pub tries: u32,
    /// When it is tried again.
    pub due_at: Option<Timestamp>,
    /// Why the last try failed.
    pub problem: Option<String>,
}

impl Webhook {
    /// How long to wait after a try that failed; `None`: it is given up. The receiver may ask for a
    /// longer pause, up to the longest of ours.
    #[must_use]
    pub fn pause(&self, now: Timestamp, asked: SignedDuration) -> Option<SignedDuration> {
        let failed = usize::try_from(self.tries.saturating_sub(1)).unwrap_or(usize::MAX);
        let longest = PAUSES[PAUSES.len() - 1];
        let pause = PAUSES.get(failed).copied();
        // One that is old without having been tried often waited for askfile itself.
        if pause.is_none() && now.duration_since(self.created_at) >= TRIED_FOR {
            return None;
        }
        Some(pause.unwrap_or(longest).max(asked.min(longest)))
    }
}

/// Where a webhook stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WebhookState {
    /// It is to be sent, or sent again.
    Waiting,
    /// It was taken.
    Delivered,
    /// It was given up.
    Dead,
}

impl WebhookState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Waiting, Self::Delivered, Self::Dead];

    /// As it is kept and printed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Delivered => "delivered",
            Self::Dead => "dead",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(secrets: &[&str]) -> Endpoint {
        Endpoint {
            name: "shop".into(),
            url: "http://127.0.0.1/".into(),
            secrets: secrets.iter().map(|text| text.parse().unwrap()).collect(),
            events: Vec::new(),
            workspaces: Vec::new(),
            timeout: Duration::from_secs(15),
        }
    }

    fn tried(tries: u32) -> Webhook {
        Webhook {
            id: WebhookId::from_bytes([1; 16]),
            endpoint: "shop".into(),
            event: Action::UploadCompleted,
            body: "{}".into(),
            created_at: "2026-01-01T00:00:00Z".parse().unwrap(),
            state: WebhookState::Waiting,
            tries,
            due_at: None,
            problem: None,
        }
    }

    /// The example of the Standard Webhooks libraries.
    #[test]
    fn a_signature_is_the_one_that_the_libraries_check() {
        let endpoint = endpoint(&["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]);
        let at = Timestamp::from_second(1_614_265_330).unwrap();
        let header =
            endpoint.signature("msg_p5jXN8AQM9LWM0D4loKWxJek", at, "{\"test\": 2432232314}");
        assert_eq!(header, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn while_a_secret_is_replaced_both_sign() {
        let old = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let new = "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX";
        let sign =
            |secrets: &[&str]| endpoint(secrets).signature("msg_1", Timestamp::UNIX_EPOCH, "");
        assert_eq!(
            sign(&[new, old]),
            format!("{} {}", sign(&[new]), sign(&[old]))
        );
    }

    #[test]
    fn a_secret_is_long_enough_and_never_shown() {
        for bad in [
            "",
            "whsec_",
            "whsec_AAAA",
            "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "whsec_?",
        ] {
            assert!(bad.parse::<Secret>().is_err(), "{bad}");
        }
        let shown = format!(
            "{:?}",
            endpoint(&["whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"])
        );
        assert!(
            shown.contains("hidden") && !shown.contains("MfKQ"),
            "{shown}"
        );
    }

    #[test]
    fn pauses_grow_and_end_after_a_day() {
        let hours = SignedDuration::from_hours;
        let (zero, mut at) = (SignedDuration::ZERO, tried(0).created_at);
        let mut pauses = Vec::new();
        for tries in 1.. {
            let Some(pause) = tried(tries).pause(at, zero) else {
                break;
            };
            pauses.push(pause);
            at += pause;
        }
        assert_eq!(pauses[..5], PAUSES);
        assert!(at.duration_since(tried(0).created_at) >= hours(24), "{at}");
        assert!(pauses.len() < 10, "{pauses:?}");
    }

    #[test]
    fn one_that_askfile_was_too_late_to_send_is_tried_as_often_as_any() {
        let late = tried(0).created_at + SignedDuration::from_hours(50);
        assert_eq!(tried(1).pause(late, SignedDuration::ZERO), Some(PAUSES[0]));
        assert_eq!(tried(6).pause(late, SignedDuration::ZERO), None);
    }

    #[test]
    fn a_receiver_may_ask_for_a_longer_pause_within_bounds() {
        let now = tried(0).created_at;
        let minute = SignedDuration::from_mins(1);
        assert_eq!(tried(1).pause(now, minute), Some(minute));
        assert_eq!(tried(2).pause(now, minute), Some(PAUSES[1]));
        assert_eq!(tried(1).pause(now, SignedDuration::MAX), Some(PAUSES[4]));
    }
}
