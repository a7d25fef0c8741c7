//! Who may.

use super::{Form, PublicUrl};
use crate::{
    config::Auth,
    domain::{capability::Capabilities, workspace::WorkspaceRef},
    http::is_on_this_machine,
};

/// `open`, or who is let in, with commas between.
pub struct Mode;

impl Form for Mode {
    type Value = Auth;

    fn placeholder(&self) -> &'static str {
        "MODES"
    }

    fn read(&self, text: &str) -> Result<Auth, String> {
        if text == "open" {
            return Ok(Auth::OPEN);
        }
        let mut words = text.split(',').map(str::trim);
        words.try_fold(Auth::OPEN, |auth, word| match word {
            "keys" => Ok(Auth { keys: true, ..auth }),
            "oauth" => Ok(Auth {
                oauth: true,
                ..auth
            }),
            "builtin" => Ok(Auth {
                builtin: true,
                ..auth
            }),
            _ => Err("is neither `open` nor of `keys`, `oauth` and `builtin`".to_owned()),
        })
    }

    fn show(&self, auth: &Auth) -> String {
        let words = [
            ("keys", auth.keys),
            ("oauth", auth.oauth),
            ("builtin", auth.builtin),
        ];
        let words: Vec<_> = words
            .into_iter()
            .filter_map(|(word, is_on)| is_on.then_some(word))
            .collect();
        if words.is_empty() {
            return "open".to_owned();
        }
        words.join(", ")
    }
}

/// The address of an identity provider, as it writes it itself; `none`: there is none.
pub struct Issuer;

impl Form for Issuer {
    type Value = Option<String>;

    fn placeholder(&self) -> &'static str {
        "URL"
    }

    fn read(&self, text: &str) -> Result<Option<String>, String> {
        // Its name is compared as it is: a slash at its end may be part of it.
        let Some(url) = PublicUrl.read(text)? else {
            return Ok(None);
        };
        if !url.starts_with("https://") && !is_on_this_machine(&url) {
            return Err("is not https, so who is on the way could make tokens".to_owned());
        }
        Ok(Some(text.to_owned()))
    }

    fn show(&self, issuer: &Option<String>) -> String {
        issuer.clone().unwrap_or_else(|| "none".to_owned())
    }
}

/// A text, or this word for none.
pub struct TextOr(pub &'static str, pub &'static str);

impl Form for TextOr {
    type Value = Option<String>;

    fn placeholder(&self) -> &'static str {
        self.0
    }

    fn read(&self, text: &str) -> Result<Option<String>, String> {
        Ok((text != self.1).then(|| text.to_owned()))
    }

    fn show(&self, text: &Option<String>) -> String {
        text.clone().unwrap_or_else(|| self.1.to_owned())
    }
}

/// Capabilities with commas between; `none` is none.
pub struct Allowed;

impl Form for Allowed {
    type Value = Capabilities;

    fn placeholder(&self) -> &'static str {
        "CAPABILITIES"
    }

    fn read(&self, text: &str) -> Result<Capabilities, String> {
        if text == "none" {
            return Ok(Capabilities::default());
        }
        text.parse()
            .map_err(|problem| format!("is refused: {problem}"))
    }

    fn show(&self, capabilities: &Capabilities) -> String {
        if *capabilities == Capabilities::default() {
            return "none".to_owned();
        }
        capabilities.to_string()
    }
}

/// A workspace by id or alias; `auto` is the one that comes with askfile.
pub struct InWorkspace;

impl Form for InWorkspace {
    type Value = Option<WorkspaceRef>;

    fn placeholder(&self) -> &'static str {
        "WORKSPACE"
    }

    fn read(&self, text: &str) -> Result<Option<WorkspaceRef>, String> {
        if text == "auto" {
            return Ok(None);
        }
        text.parse()
            .map(Some)
            .map_err(|problem: String| format!("is refused: {problem}"))
    }

    fn show(&self, workspace: &Option<WorkspaceRef>) -> String {
        match workspace {
            None => "auto".to_owned(),
            Some(workspace) => workspace.to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_is_shown_as_it_was_written() {
        for mode in ["open", "keys", "oauth", "builtin", "keys, oauth, builtin"] {
            assert_eq!(Mode.show(&Mode.read(mode).unwrap()), mode);
        }
        for allowed in ["none", "asset:upload, media:read"] {
            assert_eq!(Allowed.show(&Allowed.read(allowed).unwrap()), allowed);
        }
        for workspace in ["auto", "w-6ec01", "8d5fbe2e-8b3c-4d9f-b8f4-1d1f6a1b2c3d"] {
            let read = InWorkspace.read(workspace).unwrap();
            assert_eq!(InWorkspace.show(&read), workspace);
        }
    }

    #[test]
    fn an_issuer_is_kept_as_it_writes_itself() {
        for right in [
            "none",
            "https://id.example.com",
            "https://id.example.com/",
            "https://id.example.com/realms/one/",
            "http://127.0.0.1:3000",
        ] {
            assert_eq!(Issuer.show(&Issuer.read(right).unwrap()), right);
        }
        for wrong in [
            "id.example.com",
            "http://id.example.com",
            "https://id.example.com/?a",
        ] {
            assert!(Issuer.read(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_wrong_word_is_named() {
        for wrong in ["closed", "", "open, keys", "keys,"] {
            assert!(Mode.read(wrong).is_err(), "{wrong}");
        }
        let problem = Allowed.read("media:read, fly").unwrap_err();
        assert!(problem.contains("`fly` is no capability"), "{problem}");
        assert!(InWorkspace.read("mine").is_err());
    }
}
