//! `askfile verify`: holds the stored files against the database.

use std::process::ExitCode;

use serde_json::json;

use super::{say, with_data};
use crate::{
    app,
    config::{Flags, Settings},
    objects::local,
    service::Verified,
};

/// `askfile verify`
#[derive(Debug, clap::Args)]
pub struct Verify {
    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    pub(super) flags: Flags,
}

impl Verify {
    pub(super) async fn run(&self, settings: Settings) -> Result<ExitCode, String> {
        let folder = with_data(&settings)?;
        // No link is made here, so the page's address does not matter.
        let service = app::start(settings, String::new())
            .await
            .map_err(|error| error.to_string())?;
        let keys =
            local::keys(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let verified = service.verify(keys).await.map_err(|error| {
            error.log();
            error.to_string()
        })?;
        let is_well = verified.is_well();
        if self.json {
            let mut report = json!(verified);
            report["ok"] = json!(is_well);
            say(&report.to_string());
        } else {
            say(&listing(&verified));
        }
        Ok(ExitCode::from(u8::from(!is_well)))
    }
}

fn listing(verified: &Verified) -> String {
    let mut lines = vec![format!("files read: {}", verified.checked)];
    for (what, keys) in [
        ("missing", &verified.missing),
        ("altered", &verified.altered),
        ("nobody's", &verified.orphaned),
    ] {
        lines.extend(keys.iter().map(|key| format!("{what:<9} {key}")));
    }
    if verified.is_well() {
        lines.push("all is well".into());
    }
    lines.join("\n")
}
