//! A look at the disk, for the operator: nothing stays on it.

use std::{
    fs::{self, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
    time::{Duration, Instant},
};

use super::{MEDIAS, STAGING, free_bytes, remove};
use crate::domain::ids::random_letters;

/// How much is written on trial, in bytes.
const TRIAL: usize = 1 << 20;

/// What a look at the disk finds.
#[derive(Debug)]
pub struct Examination {
    /// What it has room for.
    pub free_bytes: u64,
    /// Whether a staged file can take its final name: it cannot move to another file system.
    pub is_one_file_system: bool,
    /// How long a file of 1 MB took to be written and synced.
    pub write_time: Duration,
}

/// Looks at the folder, and writes a file there on trial.
///
/// # Errors
/// If no file can be written there.
pub fn examine(root: &Path) -> io::Result<Examination> {
    let (staging, medias) = (root.join(STAGING), root.join(MEDIAS));
    // Neither is there before the first start.
    let staging = if staging.is_dir() { &staging } else { root };
    let medias = if medias.is_dir() { &medias } else { root };
    Ok(Examination {
        free_bytes: free_bytes(root)?,
        is_one_file_system: fs::metadata(staging)?.dev() == fs::metadata(medias)?.dev(),
        write_time: write_on_trial(staging)?,
    })
}

fn write_on_trial(folder: &Path) -> io::Result<Duration> {
    let path = folder.join(format!("trial-{}", random_letters(12)));
    let began = Instant::now();
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path)
        .and_then(|mut file| {
            // Whatever ends this process, nothing stays.
            remove(&path)?;
            file.write_all(&vec![0x5a; TRIAL])?;
            file.sync_all()
        });
    written.map(|()| began.elapsed())
}
