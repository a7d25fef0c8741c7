//! Who may.

use super::Form;
use crate::{
    config::Auth,
    domain::{capability::Capabilities, workspace::WorkspaceRef},
};

/// `open` or `keys`.
pub struct Mode;

impl Form for Mode {
    type Value = Auth;

    fn placeholder(&self) -> &'static str {
        "open|keys"
    }

    fn read(&self, text: &str) -> Result<Auth, String> {
        match text {
            "open" => Ok(Auth::Open),
            "keys" => Ok(Auth::Keys),
            _ => Err("is neither `open` nor `keys`".to_owned()),
        }
    }

    fn show(&self, auth: &Auth) -> String {
        match auth {
            Auth::Open => "open".to_owned(),
            Auth::Keys => "keys".to_owned(),
        }
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
        for mode in ["open", "keys"] {
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
    fn a_wrong_word_is_named() {
        assert!(Mode.read("closed").is_err());
        let problem = Allowed.read("media:read, fly").unwrap_err();
        assert!(problem.contains("`fly` is no capability"), "{problem}");
        assert!(InWorkspace.read("mine").is_err());
    }
}
