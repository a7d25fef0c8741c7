//! What an operator meets when askfile starts.

use std::{fs, time::Duration};

use clap::{Args, Command, FromArgMatches};
use tempfile::TempDir;

use super::*;

/// A folder to start askfile in, with this `askfile.toml`.
fn folder(toml: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("askfile.toml"), toml).unwrap();
    folder
}

fn start(folder: &TempDir, environment: &str, flags: &str) -> Result<Loaded, Invalid> {
    let command = Flags::augment_args(Command::new("askfile").no_binary_name(true));
    let matches = command
        .try_get_matches_from(flags.split_whitespace())
        .unwrap();
    let flags = Flags::from_arg_matches(&matches).unwrap();
    let variables = environment.split_whitespace().map(|variable| {
        let (name, value) = variable.split_once('=').unwrap();
        (name.into(), value.into())
    });
    load(&flags, variables, folder.path())
}

/// The problems, with the folder's path left out.
fn problems(toml: &str, environment: &str, flags: &str) -> Vec<String> {
    let folder = folder(toml);
    let problems = start(&folder, environment, flags).unwrap_err().problems;
    let path = format!("{}/", folder.path().display());
    problems
        .iter()
        .map(|problem| problem.replace(&path, ""))
        .collect()
}

#[test]
fn a_flag_beats_the_environment_beats_the_file_beats_the_default() {
    let folder = folder("link_ttl = '2m'\nmax_wait = '2s'\nidle_timeout = 2");
    let environment = "ASKFILE_LINK_TTL=3m ASKFILE_MAX_WAIT=3s";
    let loaded = start(&folder, environment, "--link-ttl 4m").unwrap();
    let file = Origin::File(folder.path().join("askfile.toml"));
    let settings = &loaded.settings;
    for (key, duration, seconds, origin) in [
        (
            "link_ttl",
            settings.link_ttl,
            240,
            Origin::Flag("link-ttl".into()),
        ),
        (
            "max_wait",
            settings.max_wait,
            3,
            Origin::Environment("ASKFILE_MAX_WAIT".into()),
        ),
        ("idle_timeout", settings.idle_timeout, 2, file),
        (
            "shutdown_grace",
            settings.shutdown_grace,
            30,
            Origin::Default,
        ),
    ] {
        assert_eq!(duration, Duration::from_secs(seconds), "{key}");
        assert_eq!(*loaded.origin(key), origin, "{key}");
    }
}

#[test]
fn the_file_takes_numbers_truths_and_lists_as_toml_has_them() {
    let toml = "max_file_size = 1_000\ni_know_this_is_open = true\n\
                allowed_types = ['image/*', 'text/csv']\nmin_free_disk = 0x10";
    let settings = start(&folder(toml), "", "").unwrap().settings;
    assert_eq!((settings.max_file_size, settings.min_free_disk), (1000, 16));
    assert!(settings.i_know_this_is_open);
    assert_eq!(settings.allowed_types.len(), 2);
}

#[test]
fn without_a_file_the_defaults_do() {
    let nothing = tempfile::tempdir().unwrap();
    let loaded = start(&nothing, "", "").unwrap();
    assert_eq!(loaded.file, None);
    assert_eq!(*loaded.origin("listen"), Origin::Default);
    assert!(loaded.warnings.is_empty());
}

#[test]
fn the_flag_names_the_file_before_the_environment_does() {
    let (one, two) = (folder("max_wait = 1"), folder("max_wait = 2"));
    let path = |folder: &TempDir| folder.path().join("askfile.toml").display().to_string();
    let environment = format!("ASKFILE_CONFIG={}", path(&one));
    let flag = format!("--config {}", path(&two));
    let nothing = tempfile::tempdir().unwrap();
    let seconds = |environment: &str, flags: &str| {
        let settings = start(&nothing, environment, flags).unwrap().settings;
        settings.max_wait.as_secs()
    };
    assert_eq!(seconds(&environment, ""), 1);
    assert_eq!(seconds(&environment, &flag), 2);
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let said = problems("", "", "--config /nowhere/a.toml");
    assert_eq!(said.len(), 1);
    assert!(
        said[0].starts_with("/nowhere/a.toml: cannot be read: "),
        "{said:?}"
    );
}

#[test]
fn an_unknown_setting_is_refused_with_its_line_and_the_nearest_one() {
    assert_eq!(
        problems(
            "# Sizes\n\nmax_fil_size = 1\n[purposes.x]\n[server]\n",
            "",
            ""
        ),
        [
            "askfile.toml:3: unknown setting `max_fil_size`; did you mean `max_file_size`?",
            "askfile.toml:4: unknown setting `purposes`; did you mean `purpose`?",
            "askfile.toml:5: unknown setting `server`",
        ]
    );
}

#[test]
fn a_bad_value_is_refused_in_every_layer_even_where_it_is_overridden() {
    let advice = "is not a duration; write it as `15m`, `90s` or `1h 30m`";
    assert_eq!(
        problems(
            "link_ttl = 'soon'",
            "ASKFILE_LINK_TTL=later",
            "--link-ttl never"
        ),
        [
            format!("askfile.toml:1: link_ttl: \"soon\" {advice}"),
            format!("ASKFILE_LINK_TTL: \"later\" {advice}"),
            format!("--link-ttl: \"never\" {advice}"),
        ]
    );
}

#[test]
fn everything_that_is_wrong_is_said_at_once_and_nothing_else() {
    let toml = "listen = 'here'\nbananas = 1\n[purpose.photo]\n[purpose.general]\nretain = 1\n";
    let said = problems(toml, "ASKFILE_MAX_FILE_SIZE=big", "--log-format xml");
    let parts = [
        "toml:1: listen",
        "toml:2: unknown",
        "toml:3: purpose.photo",
        "big",
        "xml",
    ];
    for part in parts {
        assert!(
            said.iter().any(|problem| problem.contains(part)),
            "{part} in {said:?}"
        );
    }
    assert_eq!(said.len(), parts.len(), "{said:?}");
}

#[test]
fn a_value_of_a_type_that_no_setting_has_is_refused() {
    let advice = "give a text, a whole number, true or false, or a list of texts";
    assert_eq!(
        problems("max_wait = 1.5\nallowed_types = [1]\n", "", ""),
        [
            format!("askfile.toml:1: max_wait: is of the type float; {advice}"),
            format!("askfile.toml:2: allowed_types: is of the type array; {advice}"),
        ]
    );
}

#[test]
fn an_empty_value_is_refused_rather_than_taken_for_the_default() {
    let advice = "is empty; leave the setting out to have its default";
    assert_eq!(
        problems("allowed_types = []\nlog = ' '", "", ""),
        [
            format!("askfile.toml:1: allowed_types: \"\" {advice}"),
            format!("askfile.toml:2: log: \" \" {advice}"),
        ]
    );
}

#[test]
fn a_broken_file_is_refused_with_its_line_and_without_its_keys() {
    let said = problems("log = 'info'\nlink_keys = ['5ec4e7'\n", "", "");
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(said[0].starts_with("askfile.toml:"), "{said:?}");
    assert!(
        !said[0].contains("5ec4e7") && !said[0].contains('\n'),
        "{said:?}"
    );
}

#[test]
fn a_bad_key_is_refused_without_being_repeated() {
    let reason = "the value is refused: key 1 of 1 is not 64 lower-case hexadecimal digits";
    assert_eq!(
        problems("link_keys = '5ec4e7'", "ASKFILE_LINK_KEYS=5ec4e7", ""),
        [
            format!("askfile.toml:1: link_keys: {reason}"),
            format!("ASKFILE_LINK_KEYS: {reason}"),
        ]
    );
}

#[test]
fn the_default_purpose_must_be_one() {
    assert_eq!(
        problems("default_purpose = 'bot'", "", ""),
        ["askfile.toml:1: default_purpose: \"bot\" is not a purpose; did you mean `both`?"]
    );
    let own = folder("default_purpose = 'photo'\n[purpose.photo]\naccepts = ['image/*']");
    assert_eq!(
        start(&own, "", "").unwrap().settings.default_purpose,
        "photo"
    );
}

#[test]
fn what_has_no_effect_is_only_warned_about() {
    let folder = folder("max_file_size = '1MB'\nmax_image_size = '2MB'");
    let loaded = start(&folder, "ASKFILE_MAX_WIAT=9s", "").unwrap();
    assert_eq!(
        loaded.warnings,
        [
            "ASKFILE_MAX_WIAT is no setting and has no effect; did you mean `ASKFILE_MAX_WAIT`?",
            "`max_image_size` is 2MB, but no file may be larger than `max_file_size`, 1MB",
        ]
    );
    assert_eq!(loaded.settings.max_size(Kind::Image), 1 << 20);
}

#[test]
fn the_example_makes_both_the_default_purpose() {
    let folder = folder(include_str!("../../../examples/personas.toml"));
    let loaded = start(&folder, "", "").unwrap();
    let settings = &loaded.settings;
    assert!(loaded.warnings.is_empty(), "{:?}", loaded.warnings);
    assert_eq!(settings.default_purpose, "both");
    let both = settings.purpose("both").unwrap();
    assert_eq!(
        (both.handles.len(), both.retain_seconds),
        (2, Some(30 * 86_400))
    );
    let voice = settings.purpose("voice_sample").unwrap();
    assert_eq!(voice.handles[0].prefix, "vs");
    assert!(matches!(loaded.purpose_origin("both"), Origin::File(_)));
    assert_eq!(loaded.purpose_origin("general"), Origin::Default);
}

#[test]
fn a_setting_of_a_table_is_written_with_a_dot_or_in_its_table() {
    for toml in [
        "scan.clamd = '/run/clamd.sock'",
        "[scan]\nclamd = '/run/clamd.sock'",
    ] {
        let loaded = start(&folder(toml), "", "").unwrap();
        let clamd = loaded.settings.scan_clamd.map(|clamd| clamd.to_string());
        assert_eq!(clamd.as_deref(), Some("/run/clamd.sock"));
    }
    assert_eq!(
        problems("[scan]\nclam = 'x'\nclamd = 'nowhere'", "", ""),
        [
            "askfile.toml:2: unknown setting `scan.clam`; did you mean `scan.clamd`?",
            "askfile.toml:3: scan.clamd: \"nowhere\" is neither the path of a socket nor a host \
             with a port"
        ]
    );
    assert_eq!(
        problems("[scam]\nclamd = 'x'", "", ""),
        ["askfile.toml:1: unknown setting `scam`; did you mean `scan.timeout`?"]
    );
}

#[test]
fn what_a_mode_needs_is_said_at_start() {
    let told = problems("auth = \"oauth\"", "", "").join("\n");
    assert!(told.contains("needs `oauth.issuer`"), "{told}");
    let told = problems(
        "auth = \"keys, builtin\"\npage_listen = \"127.0.0.1:8788\"",
        "",
        "",
    );
    assert!(
        told.join("\n").contains("`page_listen` serves links alone"),
        "{told:?}"
    );
    let folder = folder("auth = \"builtin\"\npublic_url = \"http://files.example.com\"");
    let warnings = start(&folder, "", "").unwrap().warnings.join("\n");
    assert!(warnings.contains("is not https"), "{warnings}");
}
