//! Making a folder's entries durable, for many callers at once.

use std::{
    fs::File,
    io,
    path::PathBuf,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
};

/// A folder whose entries are synced in groups: a sync makes durable whatever happened before it
/// began, so callers that come while one runs share the next.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    turns: Mutex<Turns>,
    ended: Condvar,
}

#[derive(Debug, Default)]
struct Turns {
    asked: u64,
    done: u64,
    is_running: bool,
}

impl Folder {
    pub(super) fn new(path: PathBuf) -> Self {
        Self {
            path,
            turns: Mutex::default(),
            ended: Condvar::new(),
        }
    }

    /// Returns once all that happened in the folder before the call is durable. Blocks.
    ///
    /// # Errors
    /// As the disk has them.
    pub(super) fn sync(&self) -> io::Result<()> {
        let mut turns = self.lock();
        turns.asked += 1;
        let mine = turns.asked;
        loop {
            if turns.done >= mine {
                return Ok(());
            }
            if turns.is_running {
                turns = self
                    .ended
                    .wait(turns)
                    .unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            turns.is_running = true;
            let all = turns.asked;
            drop(turns);
            let synced = File::open(&self.path).and_then(|folder| folder.sync_all());
            turns = self.lock();
            turns.is_running = false;
            self.ended.notify_all();
            synced?;
            turns.done = all;
        }
    }

    fn lock(&self) -> MutexGuard<'_, Turns> {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_callers_share_a_few_syncs_and_all_return() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new(place.path().to_owned());
        std::thread::scope(|threads| {
            for _ in 0..32 {
                threads.spawn(|| folder.sync().unwrap());
            }
        });
        let turns = folder.lock();
        assert_eq!((turns.asked, turns.done), (32, 32));
    }

    #[test]
    fn a_folder_that_is_gone_is_an_error_for_everybody() {
        let folder = Folder::new("/nonexistent/folder".into());
        assert!(folder.sync().is_err());
        assert!(folder.sync().is_err());
    }
}
