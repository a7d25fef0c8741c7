//! Which of the processes on a data folder serves the page, and where.
//!
//! Whoever serves holds the lock of a small file in the data folder, and writes there where its page
//! is reached. The others mint links to that address. The system gives the lock back when a process
//! ends, however it ends, and the next one takes over.

use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, Read, Seek, Write},
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep},
};

use crate::error::{Error, Result};

/// How long a link is held back until somebody serves its page.
const PATIENCE: Duration = Duration::from_secs(5);
/// How often it is looked for meanwhile.
const LOOK: Duration = Duration::from_millis(10);

/// The file that says who serves the page.
#[derive(Debug, Clone)]
pub struct Notice(PathBuf);

/// What it says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Served {
    /// The address of the listener.
    pub listen: SocketAddr,
    /// The address of the one for links only.
    pub page_listen: Option<SocketAddr>,
    /// Where people reach the page, without a slash at the end.
    pub public_url: String,
}

/// The right to serve, for as long as it is held.
#[derive(Debug)]
pub struct Turn {
    file: File,
    /// What the notice of the one before said.
    pub before: Option<Served>,
    /// Whether it was waited for: links that lead to the one before are in use.
    pub was_awaited: bool,
}

impl Notice {
    /// The notice of those who would listen at this address for this data folder.
    #[must_use]
    pub fn of(folder: &Path, listen: SocketAddr) -> Self {
        Self(folder.join(format!("listen-{}.lock", listen.port())))
    }

    /// What it says; nothing while the one whose turn it is has still to bind.
    #[must_use]
    pub fn read(&self) -> Option<Served> {
        serde_json::from_slice(&fs::read(&self.0).ok()?).ok()
    }

    /// Whether a process has the turn.
    #[must_use]
    pub fn is_held(&self) -> bool {
        let file = File::open(&self.0);
        file.is_ok_and(|file| matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)))
    }

    /// The turn, unless another process has it.
    ///
    /// # Errors
    /// As the file system has them.
    pub fn try_turn(&self) -> io::Result<Option<Turn>> {
        let file = self.open()?;
        match file.try_lock() {
            Ok(()) => Turn::begin(file, false).map(Some),
            Err(TryLockError::WouldBlock) => Ok(None),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }

    /// The turn, once no other process has it.
    ///
    /// # Errors
    /// As the file system has them.
    pub async fn turn(&self) -> io::Result<Turn> {
        let file = self.open()?;
        let (sender, turn) = oneshot::channel();
        // Nothing can call off the wait for a lock, so it has a thread that nobody waits for.
        std::thread::Builder::new()
            .name("turn".into())
            .spawn(move || {
                let turn = file.lock().and_then(|()| Turn::begin(file, true));
                // Whoever does not want it any more gives it back by dropping it.
                let _ = sender.send(turn);
            })?;
        turn.await.map_err(io::Error::other)?
    }

    fn open(&self) -> io::Result<File> {
        OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&self.0)
    }
}

impl Turn {
    fn begin(mut file: File, was_awaited: bool) -> io::Result<Self> {
        let mut text = String::new();
        file.read_to_string(&mut text)?;
        file.set_len(0)?;
        let before = serde_json::from_str(&text).ok();
        Ok(Self {
            file,
            before,
            was_awaited,
        })
    }

    /// Tells the others where the page is.
    ///
    /// # Errors
    /// As the file system has them.
    pub fn post(&mut self, served: &Served) -> io::Result<()> {
        self.file.rewind()?;
        self.file.write_all(&serde_json::to_vec(served)?)
    }
}

/// Where people reach the page.
#[derive(Debug)]
pub enum PublicUrl {
    /// There, without a slash at the end.
    Fixed(String),
    /// Where the process says that serves it.
    Posted {
        /// Where it says so.
        notice: Notice,
        /// What it said last.
        last: Mutex<String>,
    },
}

impl PublicUrl {
    /// Where this notice says, now and later.
    #[must_use]
    pub fn posted(notice: Notice) -> Self {
        let last = Mutex::default();
        Self::Posted { notice, last }
    }

    /// The address, without a slash at the end.
    #[must_use]
    pub fn get(&self) -> String {
        match self {
            Self::Fixed(url) => url.clone(),
            Self::Posted { notice, last } => {
                let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
                if let Some(served) = notice.read() {
                    *last = served.public_url;
                }
                last.clone()
            }
        }
    }

    /// Waits until somebody serves the page.
    ///
    /// # Errors
    /// [`Error::Busy`] if nobody does within a few seconds.
    pub async fn settled(&self) -> Result<()> {
        let Self::Posted { notice, .. } = self else {
            return Ok(());
        };
        let deadline = Instant::now() + PATIENCE;
        while notice.read().is_none() {
            if Instant::now() > deadline {
                return Err(Error::Busy { retry_after: 5 });
            }
            sleep(LOOK).await;
        }
        Ok(())
    }
}

impl From<String> for PublicUrl {
    fn from(url: String) -> Self {
        Self::Fixed(url)
    }
}

impl From<&str> for PublicUrl {
    fn from(url: &str) -> Self {
        Self::Fixed(url.to_owned())
    }
}
