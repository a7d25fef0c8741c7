//! `askfile verify`: whether every stored file is there and as it was.

use std::{
    io::{self, IsTerminal},
    process::ExitCode,
};

use serde_json::json;

use super::{open, say};
use crate::{
    config::{Flags, Settings, units::size_text},
    service::{Fault, Service, Verified},
};

/// Added up where several kinds are found.
const MISSING: u8 = 4;
const ALTERED: u8 = 8;
const ORPHANED: u8 = 16;

/// `askfile verify`
#[derive(Debug, Clone, clap::Args)]
#[command(after_help = "\
Exit codes: 0 all is well, 1 failed, 2 called wrongly; otherwise the sum of 4 (files are missing), \
8 (files were altered) and 16 (files are nobody's).")]
pub struct Verify {
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) flags: Flags,
}

impl Verify {
    pub(super) async fn run(&self, settings: Settings) -> Result<ExitCode, String> {
        let service = open(settings).await?;
        verify(&service, self.json).await
    }
}

/// Reads everything, prints what is wrong and ends with a code that says which.
pub(super) async fn verify(service: &Service, as_json: bool) -> Result<ExitCode, String> {
    let (mut faults, mut code) = (Vec::new(), 0);
    let verified = service.verify(|fault| {
        code |= kind(&fault).1;
        if as_json {
            faults.push(fault);
        } else {
            say(&line(&fault));
        }
    });
    if io::stderr().is_terminal() {
        eprintln!("reading every file…");
    }
    let Verified { files, bytes } = verified.await.map_err(|error| {
        error.log();
        error.to_string()
    })?;
    if as_json {
        let faults = faults.iter().map(|fault| {
            let (kind, _) = kind(fault);
            json!({ "fault": kind, "what": what(fault) })
        });
        let faults: Vec<_> = faults.collect();
        say(
            &json!({ "ok": code == 0, "files": files, "bytes": bytes, "faults": faults })
                .to_string(),
        );
    } else if code == 0 {
        say(&format!(
            "{files} files of {} are as they were stored",
            size_text(bytes)
        ));
    }
    Ok(ExitCode::from(code))
}

fn kind(fault: &Fault) -> (&'static str, u8) {
    match fault {
        Fault::Missing(_) => ("missing", MISSING),
        Fault::Altered(_) => ("altered", ALTERED),
        Fault::Orphaned(_) => ("orphaned", ORPHANED),
    }
}

fn what(fault: &Fault) -> String {
    match fault {
        Fault::Missing(id) | Fault::Altered(id) => id.to_string(),
        Fault::Orphaned(key) => key.clone(),
    }
}

fn line(fault: &Fault) -> String {
    format!("{:<8}  {}", kind(fault).0, what(fault))
}
