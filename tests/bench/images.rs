//! A photo of 12 megapixels, from PNG to the JPEG that is stored, against vips, each as a process of
//! its own on the same single core.

use std::{fs::File, path::Path, process::Command, thread};

use askfile::{
    domain::purpose::Images,
    intake::image::{Limits, make_uniform},
};
use image::{Rgb, RgbImage};
use tempfile::TempDir;

use crate::{median, timed};

const ROUNDS: usize = 7;

/// Slopes of light, and the noise of a camera.
fn photo(path: &Path) {
    let mut seed = 1_u32;
    let photo = RgbImage::from_fn(4000, 3000, |x, y| {
        let slopes = [x / 20, y / 16, (x + y) / 32];
        Rgb(slopes.map(|light| {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            light.to_le_bytes()[0].saturating_add((seed >> 24).to_le_bytes()[0] / 32)
        }))
    });
    photo.save(path).unwrap();
}

/// Makes so many copies at once, and says how much memory that took.
pub fn make(input: &str, output: &str, copies: usize) {
    thread::scope(|scope| {
        for copy in 0..copies {
            scope.spawn(move || {
                let mut source = File::open(input).unwrap();
                let mut out = File::create(format!("{output}{copy}")).unwrap();
                let limits = Limits::default();
                make_uniform(&mut source, "image/png", Images::Jpeg, &limits, &mut out).unwrap();
            });
        }
    });
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let most = status.lines().find(|line| line.starts_with("VmHWM"));
    println!("{}", most.unwrap().split_whitespace().nth(1).unwrap());
}

/// MB at the highest, with so many copies at once.
fn memory(program: &str, input: &str, output: &str, copies: &str) -> f64 {
    let arguments = ["make", input, output, copies];
    let made = Command::new(program).args(arguments).output().unwrap();
    let kilobytes: f64 = String::from_utf8(made.stdout)
        .unwrap()
        .trim()
        .parse()
        .unwrap();
    kilobytes / 1024.0
}

pub fn run() {
    let vips = Command::new("vips").arg("--version").output();
    vips.expect("vips is here; it comes with Debian's libvips-tools");
    let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let program = std::env::current_exe().unwrap();
    let (input, output) = (folder.path().join("photo.png"), folder.path().join("copy"));
    photo(&input);
    let [program, input, output] = [&program, &input, &output].map(|path| path.to_str().unwrap());
    let theirs = format!("{output}.jpg[Q=100]");
    let (mut seconds, mut ratios) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let ours = timed("taskset", &["-c", "0", program, "make", input, output, "1"]);
        let one = "VIPS_CONCURRENCY=1";
        let vips = ["-c", "0", "env", one, "vips", "copy", input, &theirs];
        ratios.push(ours / timed("taskset", &vips));
        seconds.push(ours);
    }
    println!(
        "12 megapixels, PNG to JPEG: median {:.2} s, / vips on one core: {:.2} (goal: 1.3)",
        median(seconds),
        median(ratios)
    );
    println!(
        "  memory at its highest: {:.0} MB (goal: 80), 8 at once: {:.0} MB (goal: 400)",
        memory(program, input, output, "1"),
        memory(program, input, output, "8")
    );
}
