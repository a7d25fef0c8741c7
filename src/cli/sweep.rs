//! `askfile sweep`: cleans up once, beside or without a running server.

use crate::{
    app,
    config::{Flags, Settings},
    store::Due,
};

/// `askfile sweep`
#[derive(Debug, clap::Args)]
pub struct Sweep {
    /// Only say what would be done
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    pub(super) flags: Flags,
}

impl Sweep {
    pub(super) async fn run(&self, settings: Settings) -> Result<(), String> {
        let database = settings.data_dir.join("askfile.db");
        if !database.exists() {
            return Err(format!(
                "{}: there is no askfile data here",
                settings.data_dir.display()
            ));
        }
        // No link is made here, so the page's address does not matter.
        let service = app::start(settings, String::new())
            .await
            .map_err(|error| error.to_string())?;
        if self.dry_run {
            let due = service.due().await.map_err(|error| error.to_string())?;
            print!("{}", listing(&due));
            return Ok(());
        }
        let swept = service.sweep().await.map_err(|error| {
            error.log();
            error.to_string()
        })?;
        println!("expired links:          {}", swept.expired_sessions);
        println!("lost uploads cleaned:   {}", swept.lost_claims);
        println!("files kept no longer:   {}", swept.retired_media);
        println!("unused files deleted:   {}", swept.deleted_objects);
        println!("old sessions forgotten: {}", swept.forgotten_sessions);
        Ok(())
    }
}

fn listing(due: &Due) -> String {
    let mut lines = Vec::new();
    lines.extend(due.sessions.iter().map(|id| format!("would end      {id}")));
    lines.extend(
        due.claims
            .iter()
            .map(|id| format!("would clean up lost upload {id}")),
    );
    lines.extend(
        due.media
            .iter()
            .map(|id| format!("would delete   media {id}")),
    );
    lines.extend(due.doomed.iter().map(|key| format!("would delete   {key}")));
    lines.extend(
        due.old_sessions
            .iter()
            .map(|id| format!("would forget   {id}")),
    );
    if lines.is_empty() {
        lines.push("nothing to do".into());
    }
    lines.join("\n") + "\n"
}
