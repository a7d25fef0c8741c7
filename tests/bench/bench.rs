//! Benchmarks on the real binary, each against something real in the same run. They print ratios;
//! run them by hand with `tests/bench/run [download|images|keys|large|rest|slow|s3|small|status|waiting|webhooks]`, on
//! a machine at rest.

#![expect(clippy::unwrap_used, reason = "a benchmark may panic")]
#![expect(clippy::cast_precision_loss, reason = "figures for people")]

mod client;
mod download;
mod images;
mod keys;
mod large;
mod rest;
#[cfg(feature = "s3")]
mod s3;
mod server;
mod small;
mod status;
mod waiting;
mod webhooks;

use std::{
    process::{Command, Stdio},
    time::Instant,
};

fn main() {
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    if wanted == ["bare"] {
        // What the benchmark of `upload_status` starts itself as, to compare with.
        return runtime.block_on(status::bare());
    }
    if let [first, input, output, copies] = &wanted[..]
        && first == "make"
    {
        // What the benchmark of images starts itself as, to see the memory that it takes.
        return images::make(input, output, copies.parse().unwrap());
    }
    let runs = |name: &str| wanted.is_empty() || wanted.iter().any(|one| one == name);
    if runs("status") {
        runtime.block_on(status::run());
    }
    if runs("keys") {
        runtime.block_on(keys::run());
    }
    if runs("waiting") {
        runtime.block_on(waiting::run());
    }
    if runs("small") {
        runtime.block_on(small::run());
    }
    if runs("webhooks") {
        runtime.block_on(webhooks::run());
    }
    if runs("rest") {
        runtime.block_on(rest::run());
    }
    if runs("images") {
        images::run();
    }
    if runs("download") {
        runtime.block_on(download::run());
    }
    if runs("slow") {
        runtime.block_on(large::slow());
    }
    if runs("large") {
        runtime.block_on(large::run());
    }
    #[cfg(feature = "s3")]
    if runs("s3") {
        runtime.block_on(s3::run());
    }
}

/// The one in the middle.
fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Seconds that a command takes.
fn timed(program: &str, arguments: &[&str]) -> f64 {
    let began = Instant::now();
    let mut command = Command::new(program);
    let status = command
        .args(arguments)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status();
    assert!(status.unwrap().success(), "{program} {arguments:?}");
    began.elapsed().as_secs_f64()
}
