//! What may be wrong with a purpose that reads well.

use super::{
    did_you_mean,
    file::{NAME_RULE, is_name},
};
use crate::domain::purpose::Purpose;

/// What is wrong with a purpose, each with the key that it is about.
pub(super) fn of(purpose: &Purpose) -> Vec<(&'static str, String)> {
    let mut faults = Vec::new();
    if purpose.accepts.is_empty() {
        faults.push((
            "accepts",
            "is empty, so nothing could be uploaded".to_owned(),
        ));
    }
    if purpose
        .target_types
        .iter()
        .any(|target| target.trim().is_empty())
    {
        faults.push(("target_types", "has an empty text in it".to_owned()));
    }
    for (n, handle) in purpose.handles.iter().enumerate() {
        let (name, prefix) = (&handle.name, &handle.prefix);
        let mut others = purpose.handles[..n].iter();
        if !is_name(name) || name == TOKEN {
            faults.push((
                "handles",
                format!("`{name}` cannot be a handle: {NAME_RULE}"),
            ));
        }
        if !(1..=8).contains(&prefix.len()) || !prefix.bytes().all(|b| b.is_ascii_lowercase()) {
            let rule = "a prefix has 1 to 8 of the letters a-z";
            faults.push(("handles", format!("`{prefix}` cannot be a prefix: {rule}")));
        }
        if others.any(|other| other.name == *name || other.prefix == *prefix) {
            faults.push((
                "handles",
                format!("`{name}` shares its name or prefix with another"),
            ));
        }
    }
    let calls = purpose.suggestions.iter();
    let calls = calls
        .flat_map(|s| [Some(&s.call), s.several_images.as_ref()])
        .flatten();
    for placeholder in calls.flat_map(|call| placeholders(call)) {
        faults.extend(misplaced(purpose, placeholder).map(|reason| ("suggestions", reason)));
    }
    faults
}

/// The placeholder that stands for the session's token.
const TOKEN: &str = "upload_token";

/// What is between braces; anything but a word with dots is the call's own, such as JSON.
fn placeholders(call: &str) -> impl Iterator<Item = &str> {
    let is_mark = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'.';
    call.split('{')
        .skip(1)
        .filter_map(|rest| Some(rest.split_once('}')?.0))
        .filter(move |word| !word.is_empty() && word.bytes().all(is_mark))
}

/// Why nothing would take the place of this placeholder.
fn misplaced(purpose: &Purpose, placeholder: &str) -> Option<String> {
    if placeholder == TOKEN {
        return None;
    }
    let name = placeholder.strip_suffix(".url");
    let wants_url = name.is_some();
    let name = name.unwrap_or(placeholder);
    match purpose.handles.iter().find(|handle| handle.name == name) {
        Some(handle) if wants_url && !handle.url => Some(format!(
            "`{{{placeholder}}}` needs `url = true` on the handle `{name}`"
        )),
        Some(_) => None,
        None => {
            let handles = purpose.handles.iter().map(|handle| handle.name.as_str());
            let hint = did_you_mean(name, handles.chain([TOKEN]));
            Some(format!(
                "`{{{placeholder}}}` names no handle of this purpose{hint}"
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::purpose::{HandleSpec, Suggestion, built_in};

    fn both() -> Purpose {
        built_in(&[]).pop().unwrap()
    }

    fn with_call(call: &str) -> Purpose {
        let suggestion = Suggestion {
            call: "f()".into(),
            several_images: Some(call.into()),
        };
        Purpose {
            suggestions: vec![suggestion],
            ..both()
        }
    }

    fn with_handles(handles: &[(&str, &str)]) -> Purpose {
        let handle = |(name, prefix): &(&str, &str)| HandleSpec {
            name: (*name).into(),
            prefix: (*prefix).into(),
            url: false,
        };
        Purpose {
            handles: handles.iter().map(handle).collect(),
            suggestions: Vec::new(),
            ..both()
        }
    }

    #[test]
    fn the_built_in_purposes_have_no_faults() {
        let allowed = ["image/png".parse().unwrap()];
        for purpose in built_in(&allowed) {
            assert_eq!(of(&purpose), [], "{}", purpose.name);
        }
    }

    #[test]
    fn a_call_may_have_handles_the_token_and_braces_of_its_own() {
        let call = "f({upload_token}, [{study_media.url}…], {person_source}, {\"a\": {}})";
        assert_eq!(of(&with_call(call)), []);
    }

    #[test]
    fn a_call_cannot_name_what_an_upload_does_not_mint() {
        #[rustfmt::skip]
        let table = [
            ("f({study_medai})", "`{study_medai}` names no handle of this purpose; did you mean `study_media`?"),
            ("f({Token})", "`{Token}` names no handle of this purpose"),
            ("f([{person_source.url}…])", "`{person_source.url}` needs `url = true` on the handle `person_source`"),
        ];
        for (call, reason) in table {
            assert_eq!(
                of(&with_call(call)),
                [("suggestions", reason.to_owned())],
                "{call}"
            );
        }
    }

    #[test]
    fn a_handle_has_a_plain_name_a_short_prefix_and_shares_neither() {
        #[rustfmt::skip]
        let table = [
            (&[("Photo", "ph")][..], "`Photo` cannot be a handle"),
            (&[("", "ph")], "`` cannot be a handle"),
            (&[("upload_token", "ph")], "`upload_token` cannot be a handle"),
            (&[("photo", "ph1")], "`ph1` cannot be a prefix"),
            (&[("photo", "photograph")], "`photograph` cannot be a prefix"),
            (&[("photo", "")], "`` cannot be a prefix"),
            (&[("a", "ph"), ("b", "ph")], "`b` shares its name or prefix"),
            (&[("a", "x"), ("a", "y")], "`a` shares its name or prefix"),
        ];
        for (handles, reason) in table {
            let faults = of(&with_handles(handles));
            assert!(
                faults.len() == 1 && faults[0].1.starts_with(reason),
                "{faults:?}"
            );
        }
        assert_eq!(
            of(&with_handles(&[("photo_2", "ph"), ("b", "abcdefgh")])),
            []
        );
    }

    #[test]
    fn a_target_type_has_a_name() {
        let purpose = Purpose {
            target_types: vec!["post".into(), " ".into()],
            ..both()
        };
        assert_eq!(
            of(&purpose),
            [("target_types", "has an empty text in it".to_owned())]
        );
    }
}
