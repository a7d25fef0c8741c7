//! What the person at the terminal sees while a file is awaited.

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use indicatif::ProgressBar;

use crate::{domain::session::Phase, store::SessionView};

/// How often the spinner turns.
const TICK: Duration = Duration::from_millis(120);

/// A line that changes, in a terminal; a line for each change, elsewhere.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    said: String,
}

impl Progress {
    pub fn start() -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            bar.enable_steady_tick(TICK);
            bar
        });
        let said = String::new();
        Self { bar, said }
    }

    pub fn show(&mut self, view: &SessionView) {
        let now = doing(view);
        if now == self.said {
            return;
        }
        match &self.bar {
            Some(bar) => bar.set_message(now.clone()),
            None => eprintln!("{now}"),
        }
        self.said = now;
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn doing(view: &SessionView) -> String {
    let session = &view.session;
    let doing = match session.phase() {
        Some(Phase::Waiting) => "Waiting for somebody to open the link",
        Some(Phase::Opened) => "The page is open",
        Some(Phase::Receiving) => "A file is arriving",
        Some(Phase::Scanning) => "The file is being checked",
        None => "Done",
    };
    let stored = match (view.tally.stored, view.tally.slots) {
        (0, _) | (_, 1) => String::new(),
        (stored, slots) => format!("; {stored} of {slots} files are here"),
    };
    let refused = session.last_error.as_ref();
    let refused = refused.map_or_else(String::new, |why| {
        format!("; the last try was refused: {}", why.message)
    });
    format!("{doing}{stored}{refused}")
}
