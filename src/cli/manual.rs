//! `askfile completions` and `askfile man`: the command line, as shells and `man` want to know it.

use std::{
    io,
    path::{Path, PathBuf},
};

use clap::{Args, CommandFactory};
use clap_complete::Shell;
use clap_mangen::Man as Page;

use super::{Cli, say};

/// What makes this shell complete askfile's commands and flags, once it has read it.
#[must_use]
pub fn completions(shell: Shell) -> String {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "askfile", &mut script);
    String::from_utf8_lossy(&script).into_owned()
}

/// `askfile man`
#[derive(Debug, Clone, Args)]
pub struct Man {
    /// Write the pages of all commands into this folder instead
    #[arg(long, value_name = "FOLDER")]
    dir: Option<PathBuf>,
}

impl Man {
    pub(super) fn run(&self) -> Result<(), String> {
        let written = match &self.dir {
            Some(folder) => write_all(folder),
            None => page().map(|page| say(page.trim_end())),
        };
        let place = self.dir.as_deref().unwrap_or(Path::new("manual"));
        written.map_err(|error| format!("{}: {error}", place.display()))
    }
}

fn page() -> io::Result<String> {
    let mut page = Vec::new();
    // `help` has no page of its own among those of a folder.
    let command = Cli::command().disable_help_subcommand(true);
    Page::new(command).render(&mut page)?;
    Ok(String::from_utf8_lossy(&page).into_owned())
}

fn write_all(folder: &Path) -> io::Result<()> {
    std::fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Cli::command(), folder)
}
