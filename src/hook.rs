//! A place for tests to stop a process: at a named step between a file's first byte and its answer,
//! as a crash or a pause could. Not in release builds.

/// Marks a step. In a debug build whose environment says `TEST_STOP_AT={step}`, the thread stops
/// here for good and says so on standard error; the test then ends or pauses the process.
pub(crate) fn reached(step: &str) {
    #[cfg(debug_assertions)]
    if std::env::var("TEST_STOP_AT").is_ok_and(|wanted| wanted == step) {
        eprintln!("stopped at {step}");
        loop {
            std::thread::park();
        }
    }
    #[cfg(not(debug_assertions))]
    let _ = step;
}
