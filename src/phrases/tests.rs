//! What the texts promise.

use std::{collections::BTreeSet, fs, path::Path};

use super::*;

const FORMS: [&str; 6] = ["_zero", "_one", "_two", "_few", "_many", "_other"];

fn keys(language: Language) -> BTreeSet<String> {
    let groups = &language.phrases().texts;
    let keys = groups
        .iter()
        .flat_map(|(group, texts)| texts.keys().map(move |key| format!("{group}.{key}")));
    keys.collect()
}

/// The key of a plural form without that form.
fn base(key: &str) -> Option<&str> {
    FORMS.iter().find_map(|form| key.strip_suffix(form))
}

/// The names that have a part which is found out first.
fn made() -> BTreeSet<String> {
    let kinds = Kind::ALL.into_iter().flat_map(|kind| {
        let kind = kind.as_str();
        [format!("types.{kind}"), format!("types.{kind}s")]
    });
    let families = ["image", "video", "audio", "text"].map(|family| format!("types.any_{family}"));
    let sizes = [10, 20, 30, 40].map(|power| size_parts(1 << power).unwrap().1);
    let sizes = sizes.map(|unit| format!("units.{unit}"));
    let day_and_more = Duration::from_secs(86_400 + 3_600 + 60 + 1);
    let times = in_units(day_and_more).map(|(_, _, unit)| format!("units.{unit}s"));
    let months = (1..=12).map(|month| format!("units.month_{month}"));
    let ends = [
        "used",
        "expired",
        "declined",
        "cancelled",
        "tampered",
        "unknown",
    ];
    let ends = ends.into_iter().flat_map(|end| {
        let parts = ["", "_title", "_text"];
        parts.map(|part| format!("outcome.{end}{part}"))
    });
    let scans = ["pending", "clean", "skipped"].map(|scan| format!("script.scan_{scan}"));
    // Whose keys are held against the table of errors.
    let codes = ["next", "problem"].into_iter().flat_map(|group| {
        let codes = Language::Spanish.phrases().texts[group].keys();
        codes.map(move |code| format!("{group}.{code}"))
    });
    let all = kinds.chain(families).chain(sizes).chain(times);
    all.chain(months)
        .chain(ends)
        .chain(scans)
        .chain(codes)
        .collect()
}

/// Every file that says something: the program and its pages.
fn sources(folder: &Path, all: &mut String) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, all);
        } else if path.extension().is_some_and(|of| of != "json") && !path.ends_with("tests.rs") {
            all.push_str(&fs::read_to_string(path).unwrap());
        }
    }
}

fn all_sources() -> String {
    let mut all = String::new();
    for folder in ["src", "web"] {
        sources(
            &Path::new(env!("CARGO_MANIFEST_DIR")).join(folder),
            &mut all,
        );
    }
    all
}

/// What stands in quotation marks and begins with the name of a group.
fn asked_for(sources: &str) -> BTreeSet<String> {
    let groups = &Language::English.phrases().texts;
    let quoted = sources.split('"').filter(|text| {
        let (group, key) = text.split_once('.').unwrap_or_default();
        groups.contains_key(group)
            && !key.is_empty()
            && key
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    });
    quoted.map(str::to_owned).collect()
}

#[test]
fn no_text_is_missing_and_none_is_unused() {
    let sources = all_sources();
    let asked = asked_for(&sources);
    let known = keys(Language::English);
    let files = [
        "card.css",
        "card.html",
        "card.js",
        "page.css",
        "page.html",
        "page.js",
        "layout.html",
        "units.rs",
    ];
    for key in asked.iter().filter(|key| !files.contains(&key.as_str())) {
        let has_forms = known.contains(&format!("{key}_other"));
        assert!(known.contains(key) || has_forms, "there is no text {key}");
    }
    let made = made();
    let is_said = |key: &str| asked.contains(key) || made.contains(key);
    for key in &known {
        let is_used = is_said(key) || base(key).is_some_and(is_said);
        assert!(is_used, "nobody says {key}");
    }
}

#[test]
fn every_language_says_the_same() {
    let plain = |language: Language| -> BTreeSet<String> {
        let keys = keys(language).into_iter();
        // What went wrong is said in English by the error itself, which knows more.
        let keys = keys.filter(|key| !key.starts_with("problem."));
        keys.filter(|key| base(key).is_none()).collect()
    };
    let counted = |language: Language| -> BTreeSet<String> {
        let keys = keys(language);
        let forms = keys.iter().filter_map(|key| base(key));
        forms.map(str::to_owned).collect()
    };
    for language in Language::ALL {
        assert_eq!(plain(language), plain(Language::English), "{language:?}");
        assert_eq!(
            counted(language),
            counted(Language::English),
            "{language:?}"
        );
        // A round million has a form of its own in Spanish.
        let categories: BTreeSet<String> = (0..200)
            .chain([1_000_000])
            .map(|n| language.phrases().category(n).to_owned())
            .collect();
        for key in counted(language) {
            let forms = FORMS
                .iter()
                .filter(|form| language.phrases().find(&format!("{key}{form}")).is_some());
            let forms: BTreeSet<String> = forms.map(|form| form[1..].to_owned()).collect();
            assert_eq!(forms, categories, "{language:?} {key}");
        }
    }
    let codes = |language: Language, group: &str| -> BTreeSet<String> {
        language.phrases().texts[group].keys().cloned().collect()
    };
    // What is not said to who opens a link.
    let elsewhere = ["ALREADY_CONSUMED", "TOOL_NOT_ENABLED", "UNAUTHENTICATED"];
    let mut problems = codes(Language::English, "next");
    problems.retain(|code| !elsewhere.contains(&code.as_str()));
    for language in [Language::Spanish, Language::Arabic] {
        assert_eq!(codes(language, "problem"), problems, "{language:?}");
    }
}

#[test]
fn every_language_fills_in_the_same_values() {
    let values = |language: Language, key: &str| -> BTreeSet<String> {
        let text = language.phrases().text(key);
        let names = text.split('{').skip(1);
        names
            .map(|rest| rest.split('}').next().unwrap().to_owned())
            .collect()
    };
    for language in Language::ALL {
        for key in keys(language) {
            let other = base(&key).map_or(key.clone(), |base| format!("{base}_other"));
            if Language::English.phrases().find(&other).is_none() {
                assert!(key.starts_with("problem."), "{key}");
                continue;
            }
            let mut known = values(Language::English, &other);
            let mut said = values(language, &key);
            if base(&key).is_some() {
                // "One file" and "two files" can be words.
                known.remove("n");
                said.remove("n");
            }
            assert_eq!(said, known, "{language:?} {key}");
        }
    }
}

#[test]
fn sizes_and_times_are_said_as_people_say_them() {
    let [en, es, ar] = Language::ALL.map(Language::phrases);
    assert_eq!(en.size(1_468_006), "1.4 MB");
    assert_eq!(es.size(1_468_006), "1,4 MB");
    assert_eq!(ar.size(52_428_800), "50 م.ب");
    assert_eq!(en.size(1), "1 byte");
    assert_eq!(ar.size(2), "بايتان");
    let time = Duration::from_secs(3_600 + 30 * 60);
    assert_eq!(en.duration(time), "1 hour 30 minutes");
    assert_eq!(es.duration(time), "1 hora 30 minutos");
    assert_eq!(ar.duration(time), "ساعة واحدة و30 دقيقة");
    assert_eq!(en.duration(Duration::ZERO), "0 seconds");
    let moment: Timestamp = "2026-11-02T04:05:00Z".parse().unwrap();
    assert_eq!(en.moment(moment), "04:05 UTC on 2 November 2026");
    assert_eq!(es.moment(moment), "04:05 UTC del 2 de noviembre de 2026");
}

#[test]
fn many_types_are_a_few_words_for_a_person() {
    let [en, es, _] = Language::ALL.map(Language::phrases);
    let allowed: Vec<MimePattern> = crate::domain::mime::TYPES
        .iter()
        .map(|known| known.mime.parse().unwrap())
        .collect();
    assert_eq!(en.accepted(&allowed[..3]), "JPEG, PNG, GIF");
    assert_eq!(en.accepted(&allowed[..6]), "pictures, MP4");
    assert_eq!(en.accepted(&allowed), "pictures, videos, sound, documents");
    let families = ["video/*", "font/*", "*/*"].map(|p| p.parse().unwrap());
    assert_eq!(en.accepted(&families), "any video, any font, any file");
    assert_eq!(
        es.accepted(&families[..2]),
        "cualquier vídeo, cualquier font"
    );
}

#[test]
fn values_are_filled_in_once_and_never_read_as_texts() {
    let filled = |text| filled(text, |name| (name == "a").then(|| "{a} {b}".to_owned()));
    assert_eq!(filled("{a}, {b}, {"), "{a} {b}, {b}, {}");
    assert_eq!(filled("nothing"), "nothing");
}

#[test]
fn an_agent_without_a_name_has_one_in_each_language() {
    for language in Language::ALL {
        let phrases = language.phrases();
        assert_eq!(phrases.asker("Claude"), "Claude");
        let is_english = phrases.asker(UNNAMED_AGENT) == UNNAMED_AGENT;
        assert_eq!(is_english, language == Language::English);
    }
}
