//! `askfile backup` and `askfile restore`: the data folder's content elsewhere, and back.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use super::{say, with_data};
use crate::{
    app,
    clock::SystemClock,
    config::{Flags, Settings},
    domain::ids::MediaId,
    objects::local::{LocalDisk, keys},
    store::{UploadStore, sqlite},
};

const DATABASE: &str = "askfile.db";
const KEYS: &str = "link.keys";
/// How many rows are read at once.
const BATCH: u32 = 500;

/// `askfile backup`
#[derive(Debug, clap::Args)]
pub struct Backup {
    /// Where to: a folder that is empty or not there yet
    folder: PathBuf,
    #[command(flatten)]
    pub(super) flags: Flags,
}

/// `askfile restore`
#[derive(Debug, clap::Args)]
pub struct Restore {
    /// Where `askfile backup` put it
    folder: PathBuf,
    #[command(flatten)]
    pub(super) flags: Flags,
}

impl Backup {
    /// Database first, bytes second: each file of a row is there, or was deleted since, and then its
    /// row goes from the copy as well.
    pub(super) async fn run(&self, settings: Settings) -> Result<(), String> {
        let from = with_data(&settings)?;
        let to = &self.folder;
        make_empty(to)?;
        let [original, copy] = [&from, to].map(|folder| folder.join(DATABASE));
        // It brings an old database up to date, as every command does.
        let live = open(&original)?;
        sqlite::backup(&original, &copy).map_err(|error| told(&copy, &error))?;
        let copied = open(&copy)?;
        LocalDisk::open(to).map_err(|error| told(to, &error))?;
        let mut count = 0;
        let mut next = MediaId::first();
        loop {
            let files = copied.stored_files(next, BATCH).await;
            let files = files.map_err(|error| told(&copy, &error))?;
            let Some(last) = files.last() else {
                break;
            };
            next = last.id.next();
            for file in files {
                let [source, target] = [&from, to].map(|folder| folder.join(&file.key));
                match copy_file(&source, &target) {
                    Ok(()) => count += 1,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {
                        let now = live.stored_files(file.id, 1).await;
                        let now = now.map_err(|error| told(&original, &error))?;
                        if now.first() == Some(&file) {
                            return Err(format!(
                                "{}: it is missing; askfile verify lists what is",
                                source.display()
                            ));
                        }
                        let gone = copied.delete_media(file.workspace_id, file.id, true).await;
                        gone.map_err(|error| told(&copy, &error))?;
                    }
                    Err(error) => return Err(told(&source, &error)),
                }
            }
        }
        let keys = [&from, to].map(|folder| folder.join(KEYS));
        if keys[0].exists() {
            copy_file(&keys[0], &keys[1]).map_err(|error| told(&keys[1], &error))?;
        }
        say(&format!("files copied: {count}"));
        Ok(())
    }
}

impl Restore {
    /// The database last: without it the folder holds nothing for askfile.
    pub(super) fn run(&self, settings: &Settings) -> Result<(), String> {
        let (from, to) = (&self.folder, &settings.data_dir);
        let [original, copy] = [from, to].map(|folder| folder.join(DATABASE));
        let examined = sqlite::examine(&original).map_err(|error| {
            format!("{} (is this a backup of askfile?)", told(&original, &error))
        })?;
        if let Some(damage) = examined.damage {
            return Err(format!("{}: it is damaged: {damage}", original.display()));
        }
        make_empty(to)?;
        LocalDisk::open(to).map_err(|error| told(to, &error))?;
        let files = keys(from).map_err(|error| told(from, &error))?;
        let link_keys = from.join(KEYS).exists().then(|| KEYS.to_owned());
        for key in files.iter().chain(&link_keys) {
            copy_file(&from.join(key), &to.join(key))
                .map_err(|error| told(&to.join(key), &error))?;
        }
        sqlite::backup(&original, &copy).map_err(|error| told(&copy, &error))?;
        open(&copy)?;
        say(&format!("files restored: {}", files.len()));
        Ok(())
    }
}

fn open(database: &Path) -> Result<sqlite::SqliteStore, String> {
    let clock = std::sync::Arc::new(SystemClock);
    sqlite::SqliteStore::open(database, clock).map_err(|error| told(database, &error))
}

/// # Errors
/// A sentence, if something is there already: two askfiles in one folder would be a mess.
fn make_empty(folder: &Path) -> Result<(), String> {
    app::make_folder(folder).map_err(|error| error.to_string())?;
    let mut found = fs::read_dir(folder).map_err(|error| told(folder, &error))?;
    if found.next().is_some() {
        return Err(format!(
            "{}: this folder is not empty; name one that is, or that is not there yet",
            folder.display()
        ));
    }
    Ok(())
}

fn copy_file(from: &Path, to: &Path) -> io::Result<()> {
    fs::copy(from, to)?;
    File::open(to)?.sync_all()
}

fn told(path: &Path, error: &dyn std::error::Error) -> String {
    let cause = error
        .source()
        .map_or_else(String::new, |cause| format!(": {cause}"));
    format!("{}: {error}{cause}", path.display())
}
