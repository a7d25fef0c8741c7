//! `askfile`: see `askfile --help`.

use std::process::ExitCode;

fn main() -> ExitCode {
    askfile::cli::run()
}
