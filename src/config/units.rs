//! Sizes and durations as people write them, and back.
//!
//! Each has two ways back: `…_exact` loses nothing and can be written into the settings again,
//! `…_text` is for a person to read.

use std::time::Duration;

use jiff::{Span, SpanRelativeTo};

const SIZES: [(&str, u64); 5] = [
    ("TB", 1 << 40),
    ("GB", 1 << 30),
    ("MB", 1 << 20),
    ("KB", 1 << 10),
    ("B", 1),
];

const DURATIONS: [(&str, &str, u64); 4] = [
    ("d", "day", 86_400),
    ("h", "hour", 3_600),
    ("m", "minute", 60),
    ("s", "second", 1),
];

/// The bytes in `50MB`, `1.5 gib` or `2048`; a megabyte is 1,048,576 bytes.
///
/// # Errors
/// What is wrong with the text, as the end of a sentence that begins with it.
pub fn parse_size(text: &str) -> Result<u64, String> {
    let no_size = || "is not a size; write it as `50MB`, `1.5GB` or a number of bytes".to_owned();
    let lower = text.trim().to_ascii_lowercase();
    let end = lower
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(lower.len());
    let (number, unit) = lower.split_at(end);
    let bytes_per_unit = match unit.trim_start() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        "t" | "tb" | "tib" => 1_u128 << 40,
        _ => return Err(no_size()),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if fraction.len() > 9 {
        return Err(no_size());
    }
    let digits = |text: &str| text.parse::<u64>().map(u128::from).ok();
    let (Some(whole), Some(part)) = (digits(whole), digits(fraction)) else {
        return Err(no_size());
    };
    let parts = 10_u128.pow(u32::try_from(fraction.len()).unwrap_or(0));
    let bytes = whole * bytes_per_unit + part * bytes_per_unit / parts;
    // A database keeps sizes as signed numbers.
    match i64::try_from(bytes) {
        Ok(bytes) => Ok(bytes.unsigned_abs()),
        Err(_) => Err("is larger than any file can be".to_owned()),
    }
}

/// The shortest text that [`parse_size`] reads as exactly these bytes: `50MB`, `1.5GB`, `1000B`.
#[must_use]
pub fn size_exact(bytes: u64) -> String {
    for (unit, bytes_per_unit) in SIZES {
        let hundredths = u128::from(bytes) * 100;
        let bytes_per_unit = u128::from(bytes_per_unit);
        if u128::from(bytes) >= bytes_per_unit && hundredths.is_multiple_of(bytes_per_unit) {
            let hundredths = hundredths / bytes_per_unit;
            let decimals = format!("{}.{:02}", hundredths / 100, hundredths % 100);
            let number = decimals.trim_end_matches('0').trim_end_matches('.');
            return format!("{number}{unit}");
        }
    }
    format!("{bytes}B")
}

/// The size for a person, rounded where that helps: `50 MB`, `1.4 MB`, `980 bytes`.
#[must_use]
pub fn size_text(bytes: u64) -> String {
    match size_parts(bytes) {
        Some((number, unit)) => format!("{number} {unit}"),
        None if bytes == 1 => "1 byte".to_owned(),
        None => format!("{bytes} bytes"),
    }
}

/// The number and the unit of that; `None` where the unit is bytes.
pub(crate) fn size_parts(bytes: u64) -> Option<(String, &'static str)> {
    for (unit, bytes_per_unit) in &SIZES[..4] {
        let bytes_per_unit = u128::from(*bytes_per_unit);
        // Just below a unit, the unit says it better: never `1024 KB`.
        if u128::from(bytes) * 1024 >= bytes_per_unit * 1023 {
            let rounded =
                |parts: u128| (u128::from(bytes) * parts + bytes_per_unit / 2) / bytes_per_unit;
            let number = match (rounded(10) / 10, rounded(10) % 10) {
                (whole, tenth) if whole < 100 && tenth > 0 => format!("{whole}.{tenth}"),
                _ => rounded(1).to_string(),
            };
            return Some((number, unit));
        }
    }
    None
}

/// The time in `15m`, `1h 30m`, `2 days` or `45`, which is seconds.
///
/// # Errors
/// What is wrong with the text, as the end of a sentence that begins with it.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let no_duration = |_| "is not a duration; write it as `15m`, `90s` or `1h 30m`".to_owned();
    let text = text.trim().to_ascii_lowercase();
    if let Ok(seconds) = text.parse::<u32>() {
        return Ok(Duration::from_secs(seconds.into()));
    }
    let span: Span = text.parse().map_err(no_duration)?;
    let length = span
        .to_duration(SpanRelativeTo::days_are_24_hours())
        .map_err(|_| "has months or years, which differ in length; give days".to_owned())?;
    if length.subsec_nanos() != 0 {
        return Err("is not a whole number of seconds".to_owned());
    }
    Duration::try_from(length).map_err(|_| "is negative".to_owned())
}

/// The shortest text that [`parse_duration`] reads as exactly this time: `15m`, `1h 30m`, `2d`.
#[must_use]
pub fn duration_exact(duration: Duration) -> String {
    let words = in_units(duration).map(|(amount, short, _)| format!("{amount}{short}"));
    joined(words).unwrap_or_else(|| "0s".to_owned())
}

/// The duration for a person: `15 minutes`, `1 hour 30 minutes`.
#[must_use]
pub fn duration_text(duration: Duration) -> String {
    let words = in_units(duration).map(|(amount, _, long)| {
        let plural = if amount == 1 { "" } else { "s" };
        format!("{amount} {long}{plural}")
    });
    joined(words).unwrap_or_else(|| "0 seconds".to_owned())
}

/// How many there are of each unit, which is told short and long: `(15, "m", "minute")`.
pub(crate) fn in_units(
    duration: Duration,
) -> impl Iterator<Item = (u64, &'static str, &'static str)> {
    let mut seconds = duration.as_secs();
    DURATIONS
        .into_iter()
        .filter_map(move |(short, long, seconds_per_unit)| {
            let amount = seconds / seconds_per_unit;
            seconds %= seconds_per_unit;
            (amount > 0).then_some((amount, short, long))
        })
}

fn joined(words: impl Iterator<Item = String>) -> Option<String> {
    words.reduce(|before, word| format!("{before} {word}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MB: u64 = 1 << 20;

    #[test]
    fn sizes_are_read_as_people_write_them() {
        #[rustfmt::skip]
        let table = [
            ("50MB", 50 * MB), ("50 mb", 50 * MB), (" 50MiB ", 50 * MB), ("50m", 50 * MB),
            ("1.5GB", 1536 * MB), ("0.5 KB", 512), ("1TB", MB * MB), ("7", 7), ("7B", 7), ("0", 0),
        ];
        for (text, bytes) in table {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in [
            "",
            "MB",
            "50 apples",
            "-1",
            "1.2.3MB",
            ".5MB",
            "5.",
            "5. MB",
            "1e6",
            "∞",
        ] {
            assert!(parse_size(text).is_err(), "{text}");
        }
        let reason = parse_size("9999999TB").unwrap_err();
        assert_eq!(reason, "is larger than any file can be");
    }

    #[test]
    fn a_size_written_exactly_reads_back_as_the_same_bytes() {
        #[rustfmt::skip]
        let table = [
            (0, "0B"), (1, "1B"), (1000, "1000B"), (1024, "1KB"), (1536, "1.5KB"), (50 * MB, "50MB"),
            (50 * MB + 1, "52428801B"), (1536 * MB, "1.5GB"), (1024 * MB, "1GB"), (1025 * MB, "1025MB"),
        ];
        for (bytes, text) in table {
            assert_eq!(size_exact(bytes), text);
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
        for bytes in (0..3 * MB).step_by(4093) {
            assert_eq!(parse_size(&size_exact(bytes)), Ok(bytes));
        }
    }

    #[test]
    fn a_person_reads_round_sizes() {
        #[rustfmt::skip]
        let table = [
            (0, "0 bytes"), (1, "1 byte"), (980, "980 bytes"), (1024, "1 KB"), (1_468_006, "1.4 MB"),
            (50 * MB, "50 MB"), (MB - 1, "1 MB"), (MB - 2048, "1022 KB"), (12 * MB + MB / 2, "12.5 MB"),
            (150 * MB + MB / 2, "151 MB"), (116_173, "113 KB"), (1536 * MB, "1.5 GB"),
        ];
        for (bytes, text) in table {
            assert_eq!(size_text(bytes), text, "{bytes}");
        }
    }

    #[test]
    fn durations_are_read_as_people_write_them() {
        #[rustfmt::skip]
        let table = [
            ("15m", 900), ("90s", 90), ("1h 30m", 5400), ("1h30m", 5400), ("2 days", 172_800), ("45", 45),
            ("15min", 900), ("15 Minutes", 900), ("1.5h", 5400), ("1w", 604_800), (" 0 ", 0),
        ];
        for (text, seconds) in table {
            assert_eq!(
                parse_duration(text),
                Ok(Duration::from_secs(seconds)),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_duration_is_refused_with_the_reason() {
        #[rustfmt::skip]
        let table = [
            ("soon", "is not a duration"), ("", "is not a duration"), ("15 parsecs", "is not a duration"),
            ("-5m", "is negative"), ("5m ago", "is negative"), ("2 months", "has months or years"),
            ("1500ms", "is not a whole number of seconds"),
        ];
        for (text, reason) in table {
            let said = parse_duration(text).unwrap_err();
            assert!(said.starts_with(reason), "{text}: {said}");
        }
    }

    #[test]
    fn a_duration_written_exactly_reads_back_as_the_same_time() {
        let table = [
            (0, "0s"),
            (45, "45s"),
            (900, "15m"),
            (5400, "1h 30m"),
            (172_800, "2d"),
        ];
        for (seconds, text) in table {
            assert_eq!(duration_exact(Duration::from_secs(seconds)), text);
        }
        for seconds in (0..200_000).step_by(77) {
            let duration = Duration::from_secs(seconds);
            assert_eq!(parse_duration(&duration_exact(duration)), Ok(duration));
        }
    }

    #[test]
    fn a_person_reads_durations_in_words() {
        let table = [
            (1, "1 second"),
            (900, "15 minutes"),
            (5400, "1 hour 30 minutes"),
        ];
        for (seconds, text) in table {
            assert_eq!(duration_text(Duration::from_secs(seconds)), text);
        }
    }
}
