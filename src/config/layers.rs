//! The layers that settings come from, and which of them has the last word.

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    fmt,
    path::PathBuf,
};

use super::{
    forms::Form,
    table::{Setting, TABLE, nearest},
};

/// Which layer a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Built in.
    Default,
    /// This file.
    File(PathBuf),
    /// The environment variable of this name.
    Environment(String),
    /// The command-line flag of this name, without the dashes.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => write!(f, "default"),
            Self::File(path) => write!(f, "file {}", path.display()),
            Self::Environment(name) => write!(f, "environment {name}"),
            Self::Flag(name) => write!(f, "flag --{name}"),
        }
    }
}

/// What one layer gives for one setting.
#[derive(Clone)]
pub(super) struct Given {
    pub setting: &'static Setting,
    pub text: String,
    pub origin: Origin,
    /// In the file; 0 elsewhere.
    pub line: usize,
}

impl Given {
    /// What comes from anywhere but the file.
    pub fn new(setting: &'static Setting, text: impl Into<String>, origin: Origin) -> Self {
        Self {
            setting,
            text: text.into(),
            origin,
            line: 0,
        }
    }

    fn read<F: Form>(&self, form: &F) -> Result<F::Value, String> {
        let is_blank = |c: char| c == ',' || c.is_whitespace();
        if self.text.chars().all(is_blank) {
            return Err(self.problem("is empty; leave the setting out to have its default"));
        }
        form.read(self.text.trim())
            .map_err(|reason| self.problem(&reason))
    }

    /// A sentence that says where the value is, what it is, and why it is refused.
    pub fn problem(&self, reason: &str) -> String {
        let key = self.setting.key;
        let place = match &self.origin {
            Origin::Default => key.to_owned(),
            Origin::File(path) => format!("{}:{}: {key}", path.display(), self.line),
            Origin::Environment(name) => name.clone(),
            Origin::Flag(name) => format!("--{name}"),
        };
        if self.setting.secret {
            format!("{place}: the value {reason}")
        } else {
            format!("{place}: \"{}\" {reason}", self.text)
        }
    }
}

/// Everything given, lowest layer first, and what was found wrong with it.
#[derive(Default)]
pub(super) struct Values {
    pub given: Vec<Given>,
    pub problems: Vec<String>,
    /// What is in force, by key; filled by reading.
    pub in_force: BTreeMap<&'static str, Given>,
}

impl Values {
    /// Notes the problem; there is nothing to go on with.
    pub fn fail<T>(&mut self, problem: String) -> Option<T> {
        self.problems.push(problem);
        None
    }

    /// The value in force; one that is refused, even where another overrides it, is a problem.
    pub fn read<F: Form>(&mut self, setting: &'static Setting, form: &F) -> Option<F::Value> {
        let default = Given::new(setting, setting.default, Origin::Default);
        let mut given: Vec<&Given> = self
            .given
            .iter()
            .filter(|given| given.setting.key == setting.key)
            .collect();
        // A default is read only where it is needed: without a home folder `data_dir` has none.
        if given.is_empty() {
            given.push(&default);
        }
        let mut value = None;
        for given in given {
            match given.read(form) {
                Ok(better) => value = Some(better),
                Err(problem) => self.problems.push(problem),
            }
            self.in_force.insert(setting.key, given.clone());
        }
        value
    }
}

/// Where clients find the key that they show.
pub const KEY_VARIABLE: &str = "ASKFILE_KEY";

/// The environment's layer.
#[derive(Default)]
pub(super) struct Environment {
    pub given: Vec<Given>,
    /// From `ASKFILE_CONFIG`.
    pub config: Option<PathBuf>,
    /// Secrets of webhooks, by what the names of their variables have in the middle.
    pub webhook_secrets: BTreeMap<String, String>,
    pub warnings: Vec<String>,
    pub problems: Vec<String>,
}

impl Environment {
    /// Sorts out the variables that begin with `ASKFILE_`; an empty one counts as not there.
    ///
    /// One that is no setting earns a warning only: Kubernetes makes `ASKFILE_PORT` for a service
    /// that is called askfile.
    pub fn read(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let mut environment = Self::default();
        for (name, value) in variables {
            match name.to_str() {
                Some(name) if name.starts_with("ASKFILE_") && !value.is_empty() => {
                    environment.sort_out(name, &value);
                }
                _ => {}
            }
        }
        environment.warnings.sort();
        environment
    }

    fn sort_out(&mut self, name: &str, value: &OsStr) {
        match name {
            "ASKFILE_CONFIG" => {
                self.config = Some(value.into());
                return;
            }
            // What clients show, which `askfile client` tells them to take from there.
            KEY_VARIABLE => return,
            _ => {}
        }
        if let Some(of) = webhook_of(name)
            && let Some(text) = value.to_str()
        {
            self.webhook_secrets.insert(of.to_owned(), text.to_owned());
            return;
        }
        let Some(setting) = TABLE.iter().find(|setting| setting.variable == name) else {
            let key = name.trim_start_matches("ASKFILE_").to_ascii_lowercase();
            let near = nearest(&key, TABLE.iter().map(|setting| setting.key));
            let near = TABLE.iter().find(|setting| Some(setting.key) == near);
            let hint = near.map_or_else(String::new, |setting| {
                format!("; did you mean `{}`?", setting.variable)
            });
            self.warnings
                .push(format!("{name} is no setting and has no effect{hint}"));
            return;
        };
        match value.to_str() {
            Some(text) => {
                let origin = Origin::Environment(name.to_owned());
                self.given.push(Given::new(setting, text, origin));
            }
            None => self
                .problems
                .push(format!("{name}: the value is not UTF-8")),
        }
    }
}

/// `SHOP` of `ASKFILE_WEBHOOK_SHOP_SECRETS`.
fn webhook_of(variable: &str) -> Option<&str> {
    let name = variable.strip_prefix("ASKFILE_WEBHOOK_")?;
    name.strip_suffix("_SECRETS")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(variables: &[(&str, &str)]) -> Environment {
        Environment::read(
            variables
                .iter()
                .map(|(name, value)| (name.into(), value.into())),
        )
    }

    #[test]
    fn a_variable_of_somebody_else_is_left_alone() {
        let environment = environment(&[("PATH", "/bin"), ("XASKFILE_LISTEN", "1"), ("HOME", "")]);
        assert!(environment.given.is_empty() && environment.warnings.is_empty());
    }

    #[test]
    fn an_unknown_variable_is_warned_about_with_the_nearest_one() {
        let environment = environment(&[
            ("ASKFILE_LINK_TLL", "5m"),
            ("ASKFILE_PORT", "tcp://1.2.3.4:80"),
            ("ASKFILE_QUOTA__LINKS", "none"),
            ("ASKFILE_KEY", "askfile_x"),
        ]);
        assert_eq!(
            environment.warnings,
            [
                "ASKFILE_LINK_TLL is no setting and has no effect; did you mean `ASKFILE_LINK_TTL`?",
                "ASKFILE_PORT is no setting and has no effect",
                "ASKFILE_QUOTA__LINKS is no setting and has no effect; did you mean `ASKFILE_QUOTA_LINKS`?",
            ]
        );
        assert!(environment.problems.is_empty());
    }

    #[test]
    fn an_empty_variable_counts_as_not_there() {
        let environment = environment(&[("ASKFILE_LISTEN", ""), ("ASKFILE_CONFIG", "")]);
        assert!(environment.given.is_empty() && environment.config.is_none());
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_no_text_is_a_problem() {
        use std::os::unix::ffi::OsStringExt;
        let value = OsString::from_vec(vec![0xff]);
        let environment = Environment::read([("ASKFILE_LOG".into(), value)]);
        assert_eq!(
            environment.problems,
            ["ASKFILE_LOG: the value is not UTF-8"]
        );
    }
}
