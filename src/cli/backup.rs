//! `askfile backup` and `askfile restore`: a copy of everything, and back.

use std::{path::PathBuf, process::ExitCode};

use super::{open, say, verify::verify};
use crate::{
    backup,
    config::{Flags, Settings, units::size_text},
};

/// `askfile backup`
#[derive(Debug, Clone, clap::Args)]
pub struct Backup {
    /// Where the copy goes; what an earlier backup left there is not copied again
    #[arg(value_name = "FOLDER")]
    to: PathBuf,
    #[command(flatten)]
    pub(super) flags: Flags,
}

/// `askfile restore`
#[derive(Debug, Clone, clap::Args)]
pub struct Restore {
    /// Where the backup is
    #[arg(value_name = "FOLDER")]
    from: PathBuf,
    #[command(flatten)]
    pub(super) flags: Flags,
}

impl Backup {
    pub(super) async fn run(&self, settings: Settings) -> Result<(), String> {
        super::must_have_data(&settings)?;
        let copied = backup::back_up(&settings, &self.to).await;
        let copied = copied.map_err(|error| error.to_string())?;
        say(&format!(
            "{} files are in {}, {} of them new ({})",
            copied.files,
            self.to.display(),
            copied.new_files,
            size_text(copied.new_bytes),
        ));
        Ok(())
    }
}

impl Restore {
    /// Ends as `askfile verify` does.
    pub(super) async fn run(&self, settings: Settings) -> Result<ExitCode, String> {
        let copied = backup::restore(&settings, &self.from).await;
        let copied = copied.map_err(|error| error.to_string())?;
        say(&format!("{} files are restored", copied.files));
        verify(&open(settings).await?, false).await
    }
}
