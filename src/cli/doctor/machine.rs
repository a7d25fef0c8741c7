//! What can be seen without leaving the machine.

use std::{fs, io, net::SocketAddr, os::unix::fs::PermissionsExt, path::Path, time::Duration};

use jiff::{SignedDuration, Timestamp, tz::TimeZone};

use super::{Finding, Verdict};
use crate::{
    cli::network::local_url,
    clock::{Clock, SystemClock},
    config::{Loaded, Settings, units::size_text},
    host::Notice,
    http::serve,
    objects::{self, Place},
    store::sqlite,
};

/// A disk that takes longer for 1 MB makes people wait.
const SLOW: Duration = Duration::from_secs(1);
/// Two clocks that differ by more are worth a word.
const MOST_APART: SignedDuration = SignedDuration::from_secs(30);

pub(super) fn settings(loaded: &Loaded) -> Vec<Finding> {
    const CHECK: &str = "settings";
    if loaded.warnings.is_empty() {
        let file = loaded.file.as_ref();
        let from = file.map_or("no settings file".into(), |file| file.display().to_string());
        return vec![Finding::ok(CHECK, format!("understood ({from})"))];
    }
    let warnings = loaded.warnings.iter();
    let change = "`askfile config` shows what is in force";
    warnings
        .map(|warning| Finding::warning(CHECK, warning, change))
        .collect()
}

pub(super) fn data(settings: &Settings) -> Vec<Finding> {
    let folder = &settings.data_dir;
    let shown = folder.display();
    match fs::metadata(folder) {
        Ok(facts) if facts.is_dir() => {}
        Ok(_) => {
            let change = "name a folder with --data-dir";
            return vec![Finding::wrong(
                FOLDER,
                format!("{shown} is no folder"),
                change,
            )];
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => return vec![absent(folder)],
        Err(error) => {
            let change = format!("let the account that runs askfile own {shown}");
            return vec![Finding::wrong(FOLDER, format!("{shown}: {error}"), change)];
        }
    }
    let mut findings = vec![privacy(folder)];
    findings.extend(disk(settings));
    findings.push(database(&folder.join("askfile.db")));
    findings
}

const FOLDER: &str = "data folder";

fn absent(folder: &Path) -> Finding {
    let shown = folder.display();
    let above = folder.ancestors().find(|above| above.is_dir());
    let above = above.unwrap_or(Path::new("."));
    if rustix::fs::access(above, rustix::fs::Access::WRITE_OK).is_ok() {
        return Finding::ok(FOLDER, format!("{shown} is made at the first start"));
    }
    Finding::wrong(
        FOLDER,
        format!("{shown} is not there and cannot be made"),
        format!(
            "let the account that runs askfile write to {}, or name another folder with --data-dir",
            above.display()
        ),
    )
}

/// The folder itself, and what in it is secret.
fn privacy(folder: &Path) -> Finding {
    let others_read = |path: &Path| {
        let facts = fs::metadata(path);
        facts.is_ok_and(|facts| facts.permissions().mode() & 0o077 != 0)
    };
    let secrets = ["link.keys", "askfile.db"].map(|name| folder.join(name));
    if let Some(secret) = secrets.iter().find(|path| others_read(path)) {
        let shown = secret.display();
        return Finding::wrong(
            FOLDER,
            format!("other accounts can use {shown}, and with it every link"),
            format!("chmod 600 {shown}"),
        );
    }
    let shown = folder.display();
    if others_read(folder) {
        let found = format!("other accounts can look into {shown}");
        return Finding::warning(FOLDER, found, format!("chmod 700 {shown}"));
    }
    Finding::ok(FOLDER, format!("{shown} is private"))
}

fn disk(settings: &Settings) -> Vec<Finding> {
    const CHECK: &str = "disk";
    let folder = settings.data_dir.display();
    let found = match objects::local::examine(&settings.data_dir) {
        Ok(found) => found,
        Err(error) => {
            let change = format!("let the account that runs askfile write to {folder}");
            let found = format!("no file can be written to {folder}: {error}");
            return vec![Finding::wrong(CHECK, found, change)];
        }
    };
    let mut findings = Vec::new();
    if !found.is_one_file_system {
        findings.push(Finding::wrong(
            CHECK,
            format!("staging and medias in {folder} are on different file systems"),
            "mount the whole data folder, not a part of it",
        ));
    }
    let millis = found.write_time.as_millis();
    let wrote = format!("1 MB written and synced in {millis} ms");
    findings.push(if found.write_time > SLOW {
        Finding::warning(
            CHECK,
            wrote,
            "each upload waits for that: choose a faster disk",
        )
    } else {
        Finding::ok(CHECK, wrote)
    });
    // What is in a bucket takes no room here.
    if settings.objects == Place::Disk {
        findings.push(room(settings, found.free_bytes));
    }
    findings
}

fn room(settings: &Settings, free: u64) -> Finding {
    const CHECK: &str = "room";
    let (floor, largest) = (settings.min_free_disk, settings.max_file_size);
    let found = format!("{} free", size_text(free));
    if free < floor {
        let floor = size_text(floor);
        let found = format!("{found}, which is below min_free_disk, {floor}: uploads are refused");
        return Finding::wrong(CHECK, found, "make room, or lower min_free_disk");
    }
    if free < floor.saturating_add(largest) {
        let largest = size_text(largest);
        let found = format!("{found}, too little for a file of {largest} above min_free_disk");
        return Finding::warning(CHECK, found, "make room");
    }
    Finding::ok(CHECK, found)
}

fn database(path: &Path) -> Finding {
    const CHECK: &str = "database";
    let shown = path.display();
    if !path.exists() {
        return Finding::ok(CHECK, format!("{shown} is made at the first start"));
    }
    let restore = "stop askfile and restore the data folder from a backup";
    let found = match sqlite::examine(path) {
        Ok(found) => found,
        Err(error) => {
            let cause = std::error::Error::source(&error);
            let cause = cause.map_or_else(|| error.to_string(), ToString::to_string);
            return Finding::wrong(CHECK, format!("{shown}: {cause}"), restore);
        }
    };
    let schema = found.schema;
    if let Some(damage) = found.damage {
        return Finding::wrong(CHECK, format!("{shown} is damaged: {damage}"), restore);
    }
    if schema > found.known_schema {
        let found = format!("{shown} was used by a newer askfile (schema {schema})");
        return Finding::wrong(CHECK, found, "start a newer askfile on it");
    }
    if found.journal != "wal" {
        let found = format!("its journal mode is {}, not wal", found.journal);
        let change = "start `askfile serve`, which sets it; a network file system cannot have it";
        return Finding::warning(CHECK, found, change);
    }
    if schema < found.known_schema {
        let found = format!("whole; schema {schema} is brought up to date at the next start");
        return Finding::ok(CHECK, found);
    }
    Finding::ok(CHECK, format!("whole (schema {schema}, wal)"))
}

/// Who is at the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Port {
    /// Nobody.
    Free,
    /// An askfile on this data folder.
    Ours,
    /// Another program, or nobody can be.
    Foreign,
}

/// Whether an askfile can listen where it is to, and whether one does.
pub(super) async fn port(settings: &Settings) -> (Port, Vec<Finding>) {
    let listen = settings.listen;
    let notice = Notice::of(&settings.data_dir, listen);
    if listen.port() != 0 && notice.is_held() {
        let at = notice.read().map_or(listen, |served| served.listen);
        return (Port::Ours, vec![ours(listen, at).await]);
    }
    let page = settings
        .page_listen
        .map(|page| vacancy(page, "--page-listen"));
    let findings: Vec<_> = [vacancy(listen, "--listen")]
        .into_iter()
        .chain(page)
        .collect();
    let are_free = findings.iter().all(|it| it.verdict == Verdict::Ok);
    let port = if are_free { Port::Free } else { Port::Foreign };
    (port, findings)
}

const PORT: &str = "port";

/// Whether one can listen there; `flag` is where another address would be named.
fn vacancy(address: SocketAddr, flag: &str) -> Finding {
    let found = match serve::listen(address) {
        Ok(_) if address.port() == 0 => {
            let found = format!("{address}: a free port, another one at each start");
            return Finding::ok(PORT, found);
        }
        Ok(_) => return Finding::ok(PORT, format!("{address} is free")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            format!("{address} is taken by another program or another data folder's askfile")
        }
        Err(error) => format!("cannot listen on {address}: {error}"),
    };
    let change = format!("choose another address with {flag} {}:PORT", address.ip());
    Finding::wrong(PORT, found, change)
}

/// This askfile serves `at` an address, which may be another than `listen`.
async fn ours(listen: SocketAddr, at: SocketAddr) -> Finding {
    let url = format!("{}/healthz", local_url(at));
    let client = reqwest::Client::builder().no_proxy().timeout(SLOW);
    let answer = match client.build() {
        Ok(client) => client.get(url).send().await,
        Err(error) => Err(error),
    };
    if !answer.is_ok_and(|answer| answer.status().is_success()) {
        let found = format!("this askfile has {at} and does not answer");
        return Finding::wrong(PORT, found, "look at its log, and start it again");
    }
    if at != listen {
        let found = format!("{listen} was taken by another program; this askfile serves {at}");
        let change = "choose another address with --listen, or end that program";
        return Finding::warning(PORT, found, change);
    }
    Finding::ok(PORT, format!("{listen} is served by this askfile"))
}

/// `elsewhere` is what a clock beyond the public address says.
pub(super) fn clock(elsewhere: Option<Timestamp>) -> Finding {
    const CHECK: &str = "clock";
    let change = "set the system's clock, and keep it set by NTP";
    let now = SystemClock.now();
    let year = now.to_zoned(TimeZone::UTC).date().year();
    if !(2025..2100).contains(&year) {
        let found = format!("the system's clock says that it is {now}");
        return Finding::wrong(CHECK, found, change);
    }
    let Some(elsewhere) = elsewhere else {
        return Finding::ok(CHECK, format!("{now:.0}"));
    };
    let apart = now.duration_since(elsewhere).abs();
    if apart > MOST_APART {
        let seconds = apart.as_secs();
        let found = format!("{seconds} s apart from the clock behind the public address");
        return Finding::warning(CHECK, found, change);
    }
    Finding::ok(CHECK, format!("{now:.0}, as behind the public address"))
}
