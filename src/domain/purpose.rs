//! What a file is wanted for: what is accepted, which handles an upload mints, and which call each
//! handle is for.

use serde::{Deserialize, Serialize};

use super::mime::MimePattern;

/// A named use of files, from the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purpose {
    /// What `upload_create` calls it.
    pub name: String,
    /// Types that it takes, within the server's own list.
    pub accepts: Vec<MimePattern>,
    /// What becomes of images.
    pub images: Images,
    /// For how many seconds unattached media are kept; `None`: until deleted.
    pub retain_seconds: Option<u64>,
    /// The handles that one upload mints.
    pub handles: Vec<HandleSpec>,
    /// The calls that a completed upload suggests.
    pub suggestions: Vec<Suggestion>,
    /// The target types that its media may be attached to; empty: any.
    pub target_types: Vec<String>,
}

/// What becomes of images.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Images {
    /// They keep their format.
    Keep,
    /// Stills become JPEG.
    Jpeg,
}

/// A kind of handle.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HandleSpec {
    /// Its name in the answer, for example `person_source`.
    pub name: String,
    /// What its values begin with, for example `ps`.
    pub prefix: String,
    /// Whether other programs may fetch the media by a signed address.
    #[serde(default)]
    pub url: bool,
}

/// A call to suggest, as a template. `{upload_token}` is the session's token, `{name}` a handle,
/// `{name.url}` its signed address, `[{name}…]` or `[{name.url}…]` the list for all files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Suggestion {
    /// The call for one file; for each file, where there are several and no `several`.
    pub call: String,
    /// The call for several files at once, where they are all images.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub several_images: Option<String>,
}

/// What one media offers to a template.
#[derive(Debug)]
pub struct MediaHandles {
    /// Whether it is an image.
    pub is_image: bool,
    /// Name, value and, where its spec says so, signed address of each handle.
    pub handles: Vec<(String, String, Option<String>)>,
}

impl Suggestion {
    /// The exact calls for these files, in slot order.
    #[must_use]
    pub fn calls(&self, token: &str, files: &[MediaHandles]) -> Vec<String> {
        let template = match &self.several_images {
            Some(several) if files.len() > 1 && files.iter().all(|file| file.is_image) => several,
            _ => &self.call,
        };
        let about_all = with_lists(&template.replace("{upload_token}", token), files);
        let mut calls: Vec<String> = Vec::new();
        for file in files {
            let call = with_handles(&about_all, file);
            if !calls.contains(&call) {
                calls.push(call);
            }
        }
        calls
    }
}

/// Every placeholder that names a handle, with the handle's name and what it stands for.
fn placeholders(file: &MediaHandles) -> impl Iterator<Item = (String, &str)> {
    file.handles.iter().flat_map(|(name, value, url)| {
        let by_value = (format!("{{{name}}}"), value.as_str());
        let by_url = url.as_deref().map(|url| (format!("{{{name}.url}}"), url));
        [Some(by_value), by_url].into_iter().flatten()
    })
}

fn with_handles(template: &str, file: &MediaHandles) -> String {
    placeholders(file).fold(template.to_owned(), |call, (placeholder, value)| {
        call.replace(&placeholder, value)
    })
}

fn with_lists(template: &str, files: &[MediaHandles]) -> String {
    let Some(first) = files.first() else {
        return template.to_owned();
    };
    placeholders(first).fold(template.to_owned(), |call, (placeholder, _)| {
        let quoted: Vec<String> = files
            .iter()
            .flat_map(placeholders)
            .filter(|(other, _)| *other == placeholder)
            .map(|(_, value)| format!("\"{value}\""))
            .collect();
        call.replace(
            &format!("[{placeholder}…]"),
            &format!("[{}]", quoted.join(", ")),
        )
    })
}

/// The purposes that askfile ships with; `allowlist` is what `general` accepts.
#[must_use]
pub fn built_in(allowlist: &[MimePattern]) -> Vec<Purpose> {
    let types = |list: &[&str]| -> Vec<MimePattern> {
        list.iter().filter_map(|text| text.parse().ok()).collect()
    };
    let handle = |name: &str, prefix: &str, url| HandleSpec {
        name: name.into(),
        prefix: prefix.into(),
        url,
    };
    let call = |call: &str, several: Option<&str>| Suggestion {
        call: call.into(),
        several_images: several.map(Into::into),
    };
    let person = || handle("person_source", "ps", false);
    let study = || handle("study_media", "sm", true);
    let generate = || {
        call(
            "person_generate(source_upload_ids=[{person_source}…])",
            None,
        )
    };
    let iterate = || {
        call(
            "study_add_iteration(content_url=\"{study_media.url}\")",
            Some("study_add_iteration(image_urls=[{study_media.url}…])"),
        )
    };
    let purpose = |name: &str, accepts, images, handles, suggestions| Purpose {
        name: name.into(),
        accepts,
        images,
        retain_seconds: None,
        handles,
        suggestions,
        target_types: Vec::new(),
    };
    let images = ["image/*"];
    let post_media = [
        "image/jpeg",
        "image/png",
        "image/gif",
        "image/webp",
        "video/mp4",
        "video/quicktime",
    ];
    vec![
        purpose(
            "general",
            allowlist.to_vec(),
            Images::Keep,
            vec![handle("media", "md", false)],
            vec![call(
                "attach_media(upload_token=\"{upload_token}\", target_type=…, target_id=…)",
                None,
            )],
        ),
        purpose(
            "post_media",
            types(&post_media),
            Images::Jpeg,
            vec![handle("media", "md", false)],
            vec![call(
                "attach_media(upload_token=\"{upload_token}\", target_type=\"post\", target_id=…)",
                None,
            )],
        ),
        purpose(
            "person_source",
            types(&images),
            Images::Jpeg,
            vec![person()],
            vec![generate()],
        ),
        purpose(
            "study_media",
            types(&["image/*", "video/*"]),
            Images::Jpeg,
            vec![study()],
            vec![iterate()],
        ),
        purpose(
            "both",
            types(&images),
            Images::Jpeg,
            vec![person(), study()],
            vec![generate(), iterate()],
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(n: u32, is_image: bool) -> MediaHandles {
        MediaHandles {
            is_image,
            handles: vec![
                ("person_source".into(), format!("ps_{n}"), None),
                (
                    "study_media".into(),
                    format!("sm_{n}"),
                    Some(format!("http://h/m/sm_{n}")),
                ),
            ],
        }
    }

    fn calls(purpose: &str, files: &[MediaHandles]) -> Vec<String> {
        let purposes = built_in(&[]);
        let purpose = purposes.iter().find(|p| p.name == purpose).unwrap();
        purpose
            .suggestions
            .iter()
            .flat_map(|s| s.calls("T", files))
            .collect()
    }

    #[test]
    fn one_image_for_both_names_both_calls() {
        assert_eq!(
            calls("both", &[file(1, true)]),
            [
                "person_generate(source_upload_ids=[\"ps_1\"])",
                "study_add_iteration(content_url=\"http://h/m/sm_1\")",
            ]
        );
    }

    #[test]
    fn several_images_go_in_one_call() {
        assert_eq!(
            calls("both", &[file(1, true), file(2, true)]),
            [
                "person_generate(source_upload_ids=[\"ps_1\", \"ps_2\"])",
                "study_add_iteration(image_urls=[\"http://h/m/sm_1\", \"http://h/m/sm_2\"])",
            ]
        );
    }

    #[test]
    fn an_image_and_a_film_get_a_call_each() {
        assert_eq!(
            calls("study_media", &[file(1, true), file(2, false)]),
            [
                "study_add_iteration(content_url=\"http://h/m/sm_1\")",
                "study_add_iteration(content_url=\"http://h/m/sm_2\")",
            ]
        );
    }

    #[test]
    fn a_call_about_the_whole_session_is_suggested_once() {
        let suggested = calls("post_media", &[file(1, true), file(2, true)]);
        assert_eq!(
            suggested,
            ["attach_media(upload_token=\"T\", target_type=\"post\", target_id=…)"]
        );
    }
}
