//! Copies of a whole installation: database, keys and files, in a folder that looks like a data
//! folder.

use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use futures_util::StreamExt;
use sha2::{Digest, Sha256};

use crate::{
    app::{self, DATABASE, KEYS, StartError},
    clock::SystemClock,
    config::Settings,
    domain::{
        ids::{ClaimId, MediaId},
        media::staging_key,
    },
    objects::{Coming, Objects, local::LocalDisk},
    store::{
        Stock, StoreError, UploadStore,
        identity::IdentityStore,
        sqlite::{self, SqliteStore},
    },
};

/// The file in a backup that says of which installation it is.
const MARKER: &str = "askfile.backup";
/// How many rows are read at once.
const PAGE: u32 = 500;
/// How often a copy is begun again where files go faster than they are copied.
const TRIES: u32 = 5;

/// Why there is no copy.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file or folder cannot be used.
    #[error("{}: {cause}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The bytes of a key cannot be read or written.
    #[error("{key}: {cause}")]
    Object {
        /// Which.
        key: String,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The folder to back up to holds something else.
    #[error("{}: this is no earlier backup of this askfile; name a folder that is empty, or not there yet", .0.display())]
    NotOurs(PathBuf),
    /// The folder to restore to is in use.
    #[error("{}: there is askfile data here already; name an empty data folder", .0.display())]
    NotEmpty(PathBuf),
    /// The folder to restore from is no backup.
    #[error("{}: there is no backup here", .0.display())]
    NoBackup(PathBuf),
    /// A file is not what was stored.
    #[error("{0}: its bytes are not those that were stored; `askfile verify` lists all such files")]
    Altered(MediaId),
    /// Files are missing, and not because they were deleted while they were copied.
    #[error("files are missing: `askfile verify` lists them, and no backup is whole without them")]
    Missing,
    /// The parts cannot be opened.
    #[error(transparent)]
    Start(#[from] StartError),
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What was copied.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Copied {
    /// Files that are in the copy.
    pub files: u64,
    /// Those that were not there from an earlier one.
    pub new_files: u64,
    /// The bytes of these.
    pub new_bytes: u64,
}

/// Copies the installation of these settings to a folder, while it runs or not. What an earlier
/// backup left there is not copied again; bytes never change under their key.
///
/// # Errors
/// [`BackupError`]; an earlier backup in the folder is as good as before then, unless files that it
/// alone had were to go.
pub async fn back_up(settings: &Settings, to: &Path) -> Result<Copied, BackupError> {
    let database = settings.data_dir.join(DATABASE);
    let (snapshot, kept) = (to.join("askfile.db.new"), to.join(DATABASE));
    let from = app::objects(settings).await?;
    let ours = open(&database)?.default_workspace().await?.id;
    make_ours(to, &ours.to_string())?;
    let disk: Arc<dyn Objects> = Arc::new(LocalDisk::open(to).map_err(of_file(to))?);
    let mut copied = Copied::default();
    for _ in 0..TRIES {
        // First what is there now: the snapshot then waits for what came meanwhile alone.
        let live = open(&database)?;
        copy_files(&live, from.as_ref(), disk.as_ref(), &mut copied).await?;
        drop(live);
        remove_database(&snapshot)?;
        sqlite::copy(&database, &snapshot)?;
        let rows = open(&snapshot)?;
        copied.files = 0;
        let missing = copy_files(&rows, from.as_ref(), disk.as_ref(), &mut copied).await?;
        if missing == 0 {
            delete_others(&rows, disk.as_ref()).await?;
            drop(rows);
            copy_keys(&settings.data_dir, to)?;
            // It was only read, so nothing is in the files beside it.
            remove(&snapshot, &["-wal", "-shm"])?;
            remove(&kept, &["-wal", "-shm"])?;
            fs::rename(&snapshot, &kept).map_err(of_file(&kept))?;
            sync(to)?;
            return Ok(copied);
        }
    }
    Err(BackupError::Missing)
}

/// Puts a backup into the place of these settings, which must be empty.
///
/// # Errors
/// [`BackupError`]; what was restored so far is completed by trying again.
pub async fn restore(settings: &Settings, from: &Path) -> Result<Copied, BackupError> {
    let (backup, database) = (from.join(DATABASE), settings.data_dir.join(DATABASE));
    if !backup.exists() {
        return Err(BackupError::NoBackup(from.to_owned()));
    }
    if database.exists() {
        return Err(BackupError::NotEmpty(settings.data_dir.clone()));
    }
    app::make_folder(&settings.data_dir)?;
    copy_keys(from, &settings.data_dir)?;
    let to = app::objects(settings).await?;
    let disk = LocalDisk::open(from).map_err(of_file(from))?;
    let mut copied = Copied::default();
    copy_files(&open(&backup)?, &disk, to.as_ref(), &mut copied).await?;
    // The database last: with it, the folder is one that askfile starts on.
    let new = settings.data_dir.join("askfile.db.new");
    remove_database(&new)?;
    sqlite::copy(&backup, &new)?;
    fs::rename(&new, &database).map_err(of_file(&database))?;
    sync(&settings.data_dir)?;
    Ok(copied)
}

fn open(database: &Path) -> Result<SqliteStore, StoreError> {
    SqliteStore::open(database, Arc::new(SystemClock))
}

/// A backup says whose it is, so that nothing else is mistaken for one: what it does not know is
/// deleted there.
fn make_ours(folder: &Path, owner: &str) -> Result<(), BackupError> {
    app::make_folder(folder)?;
    let marker = folder.join(MARKER);
    let is_empty = |folder| Ok(fs::read_dir(folder)?.next().is_none());
    match fs::read_to_string(&marker) {
        Ok(text) if text.trim() == owner => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if is_empty(folder).map_err(of_file(folder))? {
                return fs::write(&marker, format!("{owner}\n")).map_err(of_file(&marker));
            }
            Err(BackupError::NotOurs(folder.to_owned()))
        }
        Ok(_) => Err(BackupError::NotOurs(folder.to_owned())),
        Err(error) => Err(of_file(&marker)(error)),
    }
}

/// Copies the files of these rows that are not there yet; says how many there are no bytes of.
async fn copy_files(
    rows: &SqliteStore,
    from: &dyn Objects,
    to: &dyn Objects,
    copied: &mut Copied,
) -> Result<u64, BackupError> {
    let (mut after, mut missing) = (None, 0);
    loop {
        let page = rows.stock(after, PAGE).await?;
        let Some(last) = page.last() else {
            return Ok(missing);
        };
        after = Some(last.id);
        for stock in page {
            copied.files += 1;
            let size = stock.content.size_bytes;
            match size_of(to, &stock.key).await? {
                Some(there) if there == size => continue,
                // A copy that was cut off.
                Some(_) => to.delete(&stock.key).await.map_err(of_object(&stock.key))?,
                None => {}
            }
            match copy_file(&stock, from, to).await {
                Ok(true) => {
                    copied.new_files += 1;
                    copied.new_bytes += size;
                }
                Ok(false) => return Err(BackupError::Altered(stock.id)),
                Err(error) if error.kind() == io::ErrorKind::NotFound => missing += 1,
                Err(error) => return Err(of_object(&stock.key)(error)),
            }
        }
    }
}

/// Copies a file, if its bytes are those that were stored; says whether they are.
async fn copy_file(stock: &Stock, from: &dyn Objects, to: &dyn Objects) -> io::Result<bool> {
    let mut pieces = from.open(&stock.key, 0..stock.content.size_bytes).await?;
    let coming = Coming {
        key: staging_key(ClaimId::random()),
        meant_for: Some(stock.key.clone()),
        most_bytes: stock.content.size_bytes,
        is_read_back: false,
    };
    let copied = async {
        // There is no row yet to remember what is begun with.
        to.begin(&coming).await?;
        let mut staging = to.stage(&coming)?;
        let mut digest = Sha256::new();
        while let Some(piece) = pieces.next().await {
            let piece = piece?;
            digest.update(&piece);
            let append = move || staging.append(&piece).map(|()| staging);
            let appended = tokio::task::spawn_blocking(append).await;
            staging = appended.map_err(io::Error::other)??;
        }
        if digest.finalize()[..] != stock.content.sha256 {
            return Ok(false);
        }
        let synced = tokio::task::spawn_blocking(move || staging.sync());
        synced.await.map_err(io::Error::other)??;
        to.publish(&coming.key, &stock.key).await.map(|()| true)
    };
    let copied = copied.await;
    if !matches!(copied, Ok(true)) {
        to.delete(&coming.key).await?;
    }
    copied
}

async fn size_of(objects: &dyn Objects, key: &str) -> Result<Option<u64>, BackupError> {
    match objects.size(key).await {
        Ok(size) => Ok(Some(size)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(of_object(key)(error)),
    }
}

/// Deletes what these rows do not know.
async fn delete_others(rows: &SqliteStore, objects: &dyn Objects) -> Result<(), BackupError> {
    let mut keys = objects.keys();
    while let Some(key) = keys.next().await {
        let key = key.map_err(of_object("the list of files"))?;
        if !rows.is_owned(&key).await? {
            objects.delete(&key).await.map_err(of_object(&key))?;
        }
    }
    Ok(())
}

/// Copies the keys, where they are in the folder and not in the settings.
fn copy_keys(from: &Path, to: &Path) -> Result<(), BackupError> {
    let (from, to) = (from.join(KEYS), to.join(KEYS));
    match fs::copy(&from, &to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // The copy has the mode of what it is copied from: its owner's alone.
        other => other.map(drop).map_err(of_file(&to)),
    }
}

/// Deletes a database with the files that SQLite keeps beside it.
fn remove_database(path: &Path) -> Result<(), BackupError> {
    remove(path, &["", "-wal", "-shm"])
}

/// Deletes what has this path with one of these ends.
fn remove(path: &Path, ends: &[&str]) -> Result<(), BackupError> {
    for beside in ends {
        let mut path = path.as_os_str().to_owned();
        path.push(beside);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(of_file(Path::new(&path))(error));
            }
            _ => {}
        }
    }
    Ok(())
}

fn sync(folder: &Path) -> Result<(), BackupError> {
    let synced = fs::File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(of_file(folder))
}

fn of_file(path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |cause| BackupError::File { path, cause }
}

fn of_object(key: &str) -> impl FnOnce(io::Error) -> BackupError {
    let key = key.to_owned();
    move |cause| BackupError::Object { key, cause }
}
