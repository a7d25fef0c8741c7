//! Numbers, sizes and durations, each within bounds.

use std::{fmt::Display, ops::RangeInclusive, str::FromStr, time::Duration};

use super::{super::units, Form};

/// A duration between two numbers of seconds.
pub struct Within(pub RangeInclusive<u64>);

impl Form for Within {
    type Value = Duration;

    fn placeholder(&self) -> &'static str {
        "DURATION"
    }

    fn read(&self, text: &str) -> Result<Duration, String> {
        let duration = units::parse_duration(text)?;
        if self.0.contains(&duration.as_secs()) {
            return Ok(duration);
        }
        let bound = |seconds: &u64| units::duration_exact(Duration::from_secs(*seconds));
        let (least, most) = (bound(self.0.start()), bound(self.0.end()));
        Err(format!("is out of range; give from {least} to {most}"))
    }

    fn show(&self, duration: &Duration) -> String {
        units::duration_exact(*duration)
    }
}

/// A size, at least so many bytes.
pub struct Size(pub u64);

impl Form for Size {
    type Value = u64;

    fn placeholder(&self) -> &'static str {
        "SIZE"
    }

    fn read(&self, text: &str) -> Result<u64, String> {
        let bytes = units::parse_size(text)?;
        if bytes < self.0 {
            let least = units::size_exact(self.0);
            return Err(format!("is too small; give at least {least}"));
        }
        Ok(bytes)
    }

    fn show(&self, bytes: &u64) -> String {
        units::size_exact(*bytes)
    }
}

/// A size of its own, or `max_file_size` for none.
pub struct KindSize;

impl Form for KindSize {
    type Value = Option<u64>;

    fn placeholder(&self) -> &'static str {
        "SIZE"
    }

    fn read(&self, text: &str) -> Result<Option<u64>, String> {
        if text == "max_file_size" {
            return Ok(None);
        }
        Size(1).read(text).map(Some)
    }

    fn show(&self, bytes: &Option<u64>) -> String {
        bytes.map_or_else(|| "max_file_size".to_owned(), units::size_exact)
    }
}

/// A size that something may not exceed, or `none`.
pub struct Limit;

impl Form for Limit {
    type Value = Option<u64>;

    fn placeholder(&self) -> &'static str {
        "SIZE"
    }

    fn read(&self, text: &str) -> Result<Option<u64>, String> {
        if text == "none" {
            return Ok(None);
        }
        Size(0).read(text).map(Some)
    }

    fn show(&self, bytes: &Option<u64>) -> String {
        bytes.map_or_else(|| "none".to_owned(), units::size_exact)
    }
}

/// A number that something may not exceed, or `none`.
pub struct Most;

impl Form for Most {
    type Value = Option<u64>;

    fn placeholder(&self) -> &'static str {
        "NUMBER"
    }

    fn read(&self, text: &str) -> Result<Option<u64>, String> {
        if text == "none" {
            return Ok(None);
        }
        let number = text.parse().map(Some);
        number.map_err(|_| "is neither a whole number nor `none`".to_owned())
    }

    fn show(&self, number: &Option<u64>) -> String {
        number.map_or_else(|| "none".to_owned(), |number| number.to_string())
    }
}

/// A whole number between two others.
pub struct Number<T>(pub RangeInclusive<T>);

impl<T: FromStr + PartialOrd + Display> Form for Number<T> {
    type Value = T;

    fn placeholder(&self) -> &'static str {
        "NUMBER"
    }

    fn read(&self, text: &str) -> Result<T, String> {
        let number = text.parse().ok().filter(|number| self.0.contains(number));
        let (least, most) = (self.0.start(), self.0.end());
        number.ok_or_else(|| format!("is not a whole number from {least} to {most}"))
    }

    fn show(&self, number: &T) -> String {
        number.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_stays_within_its_bounds() {
        let form = Within(60..=86_400);
        assert_eq!(form.read("60"), Ok(Duration::from_secs(60)));
        assert_eq!(form.show(&form.read("24h").unwrap()), "1d");
        for text in ["59s", "25h"] {
            assert_eq!(
                form.read(text).unwrap_err(),
                "is out of range; give from 1m to 1d"
            );
        }
    }

    #[test]
    fn a_size_has_a_floor() {
        assert_eq!(Size(1).read("1B"), Ok(1));
        assert_eq!(
            Size(1).read("0").unwrap_err(),
            "is too small; give at least 1B"
        );
        assert_eq!(Size(0).read("0"), Ok(0));
    }

    #[test]
    fn a_kind_may_leave_its_size_to_all_files() {
        for (text, bytes) in [("max_file_size", None), ("2KB", Some(2048))] {
            assert_eq!(KindSize.read(text), Ok(bytes));
            assert_eq!(KindSize.show(&bytes), text);
        }
        assert!(KindSize.read("0").is_err());
    }

    #[test]
    fn a_limit_may_be_none() {
        for text in ["none", "0", "10000"] {
            assert_eq!(Most.show(&Most.read(text).unwrap()), text);
        }
        assert!(Most.read("many").is_err());
        for text in ["none", "0B", "50GB"] {
            assert_eq!(Limit.show(&Limit.read(text).unwrap()), text);
        }
    }

    #[test]
    fn a_number_is_whole_and_within_its_bounds() {
        let form = Number::<u32>(1..=9);
        assert_eq!(form.read("9"), Ok(9));
        for text in ["0", "10", "-1", "2.5", "many"] {
            assert_eq!(
                form.read(text).unwrap_err(),
                "is not a whole number from 1 to 9"
            );
        }
    }
}
