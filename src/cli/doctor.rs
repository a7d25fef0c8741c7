//! `askfile doctor`: whether all is well, and what to change.

mod bucket;
mod machine;
mod public;
mod scanner;
mod tokens;
mod trial;
mod webhooks;

use clap::Args;
use serde::Serialize;
use serde_json::json;

use self::machine::Port;
use super::{
    in_runtime,
    network::{local_url, reached_at},
    quieter, say,
};
use crate::config::{Flags, Loaded, Settings};

/// `askfile doctor`
#[derive(Debug, Clone, Args)]
pub struct Doctor {
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) flags: Flags,
}

/// How one check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    /// All is well.
    Ok,
    /// It works, but not as well as it could, or it could not be checked.
    Warning,
    /// It does not work.
    Wrong,
}

/// What one check found.
#[derive(Debug, Clone, Serialize)]
struct Finding {
    check: &'static str,
    verdict: Verdict,
    found: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    change: Option<String>,
}

impl Finding {
    fn ok(check: &'static str, found: impl Into<String>) -> Self {
        Self {
            check,
            verdict: Verdict::Ok,
            found: found.into(),
            change: None,
        }
    }

    fn warning(check: &'static str, found: impl Into<String>, change: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Warning,
            change: Some(change.into()),
            ..Self::ok(check, found)
        }
    }

    fn wrong(check: &'static str, found: impl Into<String>, change: impl Into<String>) -> Self {
        Self {
            verdict: Verdict::Wrong,
            ..Self::warning(check, found, change)
        }
    }

    fn line(&self) -> String {
        let sign = match self.verdict {
            Verdict::Ok => '✓',
            Verdict::Warning => '!',
            Verdict::Wrong => '✗',
        };
        let change = self.change.as_ref();
        let change = change.map_or_else(String::new, |change| format!("\n{:17}→ {change}", ""));
        format!("{sign} {:<14} {}{change}", self.check, self.found)
    }
}

impl Doctor {
    pub(super) fn run(&self, loaded: &Loaded) -> Result<(), String> {
        // What is worth a line is printed as a finding.
        let mut quiet = quieter(loaded, "off");
        quiet.warnings.clear();
        in_runtime(&quiet, async |settings| {
            let mut findings = machine::settings(loaded);
            findings.extend(examine(&settings).await);
            self.tell(&findings)
        })
    }

    fn tell(&self, findings: &[Finding]) -> Result<(), String> {
        let wrong = findings.iter().filter(|it| it.verdict == Verdict::Wrong);
        let wrong = wrong.count();
        if self.json {
            let report = json!({ "ok": wrong == 0, "checks": findings });
            say(&format!("{report:#}"));
        } else {
            for finding in findings {
                say(&finding.line());
            }
        }
        match wrong {
            0 => Ok(()),
            1 => Err("one thing is wrong".into()),
            many => Err(format!("{many} things are wrong")),
        }
    }
}

async fn examine(settings: &Settings) -> Vec<Finding> {
    let mut findings = machine::data(settings);
    let (port, found) = machine::port(settings).await;
    findings.extend(found);
    let clock = match (&settings.public_url, port) {
        (None, _) => {
            let local = || local_url(settings.listen);
            let url = settings.page_listen.map_or_else(local, reached_at);
            let found = format!("not set: links are {url}/uploads/…");
            findings.push(Finding::ok("public url", found));
            None
        }
        (Some(url), Port::Ours) => {
            let (found, clock) = public::check(settings, url).await;
            findings.extend(found);
            findings.extend(tokens::check(settings, url).await);
            clock
        }
        (Some(url), _) => {
            findings.push(Finding::warning(
                "public url",
                format!("{url} was not tried, because this askfile is not running"),
                "start `askfile serve`, then run `askfile doctor` again for the rest",
            ));
            None
        }
    };
    findings.extend(bucket::check(settings).await);
    findings.push(scanner::check(settings).await);
    findings.extend(webhooks::check(settings).await);
    findings.push(machine::clock(clock));
    findings
}
