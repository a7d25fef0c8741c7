//! Putting the parts together: a service on SQLite, and on the local disk under one data folder or on
//! an S3-compatible store.

use std::{
    fs::{self, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

#[cfg(feature = "s3")]
use crate::objects::s3::{Bucket, S3};
use crate::{
    clock::{Clock, SystemClock},
    config::Settings,
    domain::ids::random_letters,
    error::Error,
    host::PublicUrl,
    link::{BadKeys, KeyRing},
    objects::{Objects, Place, local::LocalDisk},
    service::{Foundations, Service},
    store::{StoreError, sqlite::SqliteStore},
};

/// The database's name in the data folder.
pub const DATABASE: &str = "askfile.db";
/// The name of the file with the keys there.
pub const KEYS: &str = "link.keys";

/// Why a service could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// A file or folder is not there, or not ours.
    #[error("{}: {cause}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// The keys cannot be read.
    #[error("{}: {cause}", path.display())]
    Keys {
        /// Where they are.
        path: PathBuf,
        /// Why.
        #[source]
        cause: BadKeys,
    },
    /// The keys would be in a folder that the files are not in.
    #[error(
        "link_keys: set it to 64 hexadecimal digits, such as those of `openssl rand -hex 32`, and \
         keep them: where files are on S3, links must still work when data_dir is lost or another \
         machine serves them"
    )]
    KeysOfItsOwn,
    /// The database cannot be used.
    #[error("{}: {cause}{}", path.display(), reason(cause))]
    Store {
        /// Where it is.
        path: PathBuf,
        /// Why.
        cause: StoreError,
    },
    /// The bucket cannot be used.
    #[error("objects: {0}")]
    Bucket(String),
    /// The service did not start on them.
    #[error(transparent)]
    Service(#[from] Error),
}

fn reason(cause: &StoreError) -> String {
    let source = std::error::Error::source(cause);
    source.map_or_else(String::new, |source| format!(": {source}"))
}

/// Starts a service whose page is reached at `public_url`. Must be called inside a tokio runtime.
///
/// # Errors
/// [`StartError`], which names the file or folder.
pub async fn start(
    settings: Settings,
    public_url: impl Into<PublicUrl>,
) -> Result<Service, StartError> {
    start_at(settings, public_url, Arc::new(SystemClock)).await
}

/// The same, with another clock.
///
/// # Errors
/// [`StartError`], which names the file or folder.
pub async fn start_at(
    settings: Settings,
    public_url: impl Into<PublicUrl>,
    clock: Arc<dyn Clock>,
) -> Result<Service, StartError> {
    let folder = settings.data_dir.clone();
    make_folder(&folder)?;
    let keys = keys(&settings)?;
    let objects = objects(&settings).await?;
    let path = folder.join(DATABASE);
    let store = SqliteStore::open(&path, Arc::clone(&clock))
        .map_err(|cause| StartError::Store { path, cause })?;
    let store = Arc::new(store.with_quota(settings.quota()));
    let foundations = Foundations {
        settings,
        public_url: public_url.into(),
        store: store.clone(),
        identities: store.clone(),
        oauth: store.clone(),
        audit: store.clone(),
        requests: store.clone(),
        targets: store.clone(),
        declared: store.clone(),
        webhooks: store,
        objects,
        clock,
        keys,
    };
    Ok(Service::start(foundations).await?)
}

/// Makes the data folder, readable by its owner alone.
///
/// # Errors
/// [`StartError::Folder`].
pub fn make_folder(folder: &Path) -> Result<(), StartError> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|cause| StartError::Folder {
            path: folder.to_owned(),
            cause,
        })
}

/// Where the settings say that bytes live; a bucket is tried first.
///
/// # Errors
/// [`StartError::Folder`] or [`StartError::Bucket`].
#[cfg_attr(
    not(feature = "s3"),
    expect(clippy::unused_async, reason = "a bucket is tried")
)]
pub async fn objects(settings: &Settings) -> Result<Arc<dyn Objects>, StartError> {
    match &settings.objects {
        Place::Disk => {
            let folder = &settings.data_dir;
            let disk = LocalDisk::open(folder).map_err(|cause| StartError::Folder {
                path: folder.clone(),
                cause,
            })?;
            Ok(Arc::new(disk))
        }
        #[cfg(feature = "s3")]
        Place::Bucket { name, prefix } => {
            let s3 = bucket(settings, name, prefix).await;
            Ok(Arc::new(s3.map_err(StartError::Bucket)?))
        }
        #[cfg(not(feature = "s3"))]
        Place::Bucket { .. } => Err(StartError::Bucket(
            "this askfile was built without S3; build it with the feature `s3`".into(),
        )),
    }
}

/// The bucket of the settings, tried.
#[cfg(feature = "s3")]
async fn bucket(settings: &Settings, name: &str, prefix: &str) -> Result<S3, String> {
    let bucket = Bucket {
        name: name.to_owned(),
        prefix: prefix.to_owned(),
        endpoint: settings.s3_endpoint.clone(),
        public_endpoint: settings.s3_public_endpoint.clone(),
        region: Some(settings.s3_region.clone()).filter(|region| region != "auto"),
        path_style: settings.s3_path_style,
    };
    S3::open(bucket, &settings.data_dir).await
}

/// The keys of the settings, or those of the data folder, made there at first start.
fn keys(settings: &Settings) -> Result<KeyRing, StartError> {
    let path = settings.data_dir.join(KEYS);
    let ring = if settings.link_keys.is_empty() {
        if settings.objects != Place::Disk {
            return Err(StartError::KeysOfItsOwn);
        }
        let text = read_or_make(&path).map_err(|cause| StartError::Folder {
            path: path.clone(),
            cause,
        })?;
        KeyRing::from_hex(text.split_whitespace())
    } else {
        KeyRing::from_hex(settings.link_keys.iter().map(String::as_str))
    };
    ring.map_err(|cause| StartError::Keys { path, cause })
}

/// The file's text; a new key where there is no file. Of several processes that start at once, all
/// get the same key: it is written elsewhere first, and takes its name only where there is none.
fn read_or_make(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    match OpenOptions::new().read(true).open(path) {
        Ok(mut file) => {
            file.read_to_string(&mut text)?;
            return Ok(text);
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let folder = path.parent().unwrap_or(Path::new("."));
    let new = folder.join(format!("link.keys.{}", random_letters(12)));
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&new)?;
    writeln!(file, "{}", KeyRing::new_key_hex())?;
    file.sync_all()?;
    let named = match fs::hard_link(&new, path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        other => other,
    };
    fs::remove_file(&new)?;
    named?;
    fs::File::open(folder)?.sync_all()?;
    fs::read_to_string(path)
}
