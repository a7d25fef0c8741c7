//! What the person at the terminal sees while a file is awaited.

use std::{
    io::{self, IsTerminal},
    time::Duration,
};

use indicatif::{ProgressBar, ProgressStyle};

use super::events::Arrived;
use crate::{domain::session::Phase, store::SessionView};

/// How often the spinner turns.
const TICK: Duration = Duration::from_millis(120);
/// While a file of known length arrives.
const BAR: &str = "{spinner} {msg} {wide_bar} {binary_bytes} of {binary_total_bytes}";
/// At all other times.
const SPINNER: &str = "{spinner} {msg}";

/// A line that changes, in a terminal; a line for each change, elsewhere.
pub(super) struct Progress {
    bar: Option<ProgressBar>,
    said: String,
    has_size: bool,
}

impl Progress {
    pub fn start() -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let bar = ProgressBar::new_spinner();
            bar.enable_steady_tick(TICK);
            bar
        });
        let said = String::new();
        Self {
            bar,
            said,
            has_size: false,
        }
    }

    pub fn show(&mut self, view: &SessionView, arrived: Arrived) {
        let now = doing(view);
        let is_new = now != self.said;
        let Some(bar) = &self.bar else {
            if is_new {
                eprintln!("{now}");
                self.said = now;
            }
            return;
        };
        let size = arrived.size_bytes;
        let size = size.filter(|_| view.session.phase() == Some(Phase::Receiving));
        if let Some(size) = size {
            bar.set_length(size);
            bar.set_position(arrived.received_bytes);
        }
        if is_new || size.is_some() != self.has_size {
            let template = if size.is_some() { BAR } else { SPINNER };
            bar.set_style(ProgressStyle::with_template(template).expect("a sound template"));
            bar.set_message(now.clone());
            self.has_size = size.is_some();
            self.said = now;
        }
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
