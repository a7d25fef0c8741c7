//! The languages in which people are spoken to.

/// One of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Language {
    /// English, where nobody asks for another.
    English,
    /// Spanish.
    Spanish,
    /// Arabic.
    Arabic,
}

impl Language {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::English, Self::Spanish, Self::Arabic];

    /// Its tag, as in BCP 47 and ISO 639-1; the word in the database, too.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::Spanish => "es",
            Self::Arabic => "ar",
        }
    }

    /// Where its lines begin, as HTML has it.
    #[must_use]
    pub fn direction(self) -> &'static str {
        match self {
            Self::English | Self::Spanish => "ltr",
            Self::Arabic => "rtl",
        }
    }

    /// The language of a BCP 47 tag, wherever it is spoken: `es-MX` is Spanish.
    #[must_use]
    pub fn of_tag(tag: &str) -> Option<Self> {
        let language = tag.split(['-', '_']).next().unwrap_or_default();
        let mut all = Self::ALL.into_iter();
        all.find(|known| known.as_str().eq_ignore_ascii_case(language))
    }

    /// The one that is liked best by a header `Accept-Language` (RFC 9110, section 12.5.4), if it
    /// names one of them.
    #[must_use]
    pub fn accepted(header: &str) -> Option<Self> {
        let mut liked = None;
        let mut most = 0.0;
        for range in header.split(',') {
            let (tag, quality) = range.split_once(';').unwrap_or((range, "q=1"));
            let quality = quality.trim().strip_prefix(['q', 'Q']);
            let quality = quality.and_then(|rest| rest.strip_prefix('=')?.parse().ok());
            let quality: f32 = quality.unwrap_or_default();
            // Of equals the first: browsers write them in order.
            if let Some(language) = Self::of_tag(tag.trim()).filter(|_| quality > most) {
                (liked, most) = (Some(language), quality);
            }
        }
        liked
    }
}

#[cfg(test)]
mod tests {
    use super::Language::{self, Arabic, English, Spanish};

    #[test]
    fn a_tag_counts_by_its_language() {
        let table = [
            ("es", Some(Spanish)),
            ("es-MX", Some(Spanish)),
            ("ES_es", Some(Spanish)),
            ("ar-EG-u-nu-arab", Some(Arabic)),
            ("en-US", Some(English)),
            ("est", None),
            ("", None),
            ("*", None),
        ];
        for (tag, language) in table {
            assert_eq!(Language::of_tag(tag), language, "{tag}");
        }
    }

    #[test]
    fn browsers_say_what_they_like_best() {
        let table = [
            ("es-ES,es;q=0.9,en;q=0.8", Some(Spanish)),
            ("de-DE,de;q=0.9,ar;q=0.8,en;q=0.7", Some(Arabic)),
            ("en;q=0.3, ar;Q=0.5", Some(Arabic)),
            ("es, ar, en", Some(Spanish)),
            ("es;q=0, en;q=NaN", None),
            ("fr", None),
            ("*", None),
            (";;;q=x,,", None),
        ];
        for (header, language) in table {
            assert_eq!(Language::accepted(header), language, "{header}");
        }
    }
}
