//! How the one table of settings becomes a struct, a reader and a list.

use std::sync::LazyLock;

use super::Settings;

/// What is known about a setting besides its value.
#[derive(Debug)]
pub struct Setting {
    /// Its name in `askfile.toml`.
    pub key: &'static str,
    /// Its name in the environment: `ASKFILE_` and the key in capitals.
    pub variable: String,
    /// Its name on the command line, without the dashes: the key in kebab case.
    pub flag: String,
    /// Its default, as it could be written in `askfile.toml`.
    pub default: &'static str,
    /// What it means, in a sentence or two of Markdown.
    pub meaning: &'static str,
    /// What stands for its value in help: `SIZE`.
    pub placeholder: &'static str,
    /// Whether its value is never shown.
    pub secret: bool,
    /// Whether its flag means `true` where it has no value.
    pub switch: bool,
    /// Its effective value, as it could be written in `askfile.toml`; of a secret, how many.
    pub show: fn(&Settings) -> String,
}

/// Every setting, in the order of the struct.
pub static TABLE: LazyLock<Vec<Setting>> = LazyLock::new(Settings::table);

/// Makes, from one entry each, the fields of [`Settings`], their readers and the rows of [`TABLE`].
///
/// An entry is `/// meaning`, `field: Type = form, "default";`. Where what is in force is not the
/// field alone, a function of all settings follows the default and says it. A setting of a table in
/// the file has its name there after the field: `scan_clamd as "scan.clamd": …`.
macro_rules! settings {
    ($(
        $(#[doc = $meaning:literal])+
        $key:ident $(as $name:literal)?: $type:ty = $form:expr, $default:literal $(, $show:expr)?;
    )+) => {
        /// What the operator decides.
        #[derive(Clone)]
        pub struct Settings {
            $($(#[doc = $meaning])+ pub $key: $type,)+
            /// What files may be wanted for: the built-in purposes, then the operator's own.
            pub purposes: Vec<Purpose>,
            /// What may be put on targets, for those kinds that the operator says something of.
            pub target_types: Vec<TargetType>,
            /// Where back ends are told what happens.
            pub webhooks: Vec<Endpoint>,
        }

        impl Settings {
            pub(in crate::config) fn table() -> Vec<Setting> {
                vec![$(Setting {
                    key: settings!(@name $key $($name)?),
                    variable: format!("ASKFILE_{}", stringify!($key).to_ascii_uppercase()),
                    flag: stringify!($key).replace('_', "-"),
                    default: $default,
                    meaning: concat!($($meaning),+).trim(),
                    placeholder: $form.placeholder(),
                    secret: $form.is_secret(),
                    switch: $form.is_switch(),
                    show: settings!(@show $key, $form $(, $show)?),
                }),+]
            }

            /// Everything but what has a table of its own; `None` if a value was refused.
            pub(in crate::config) fn read(values: &mut Values) -> Option<Self> {
                let mut table = TABLE.iter();
                $(let $key = values.read(table.next()?, &$form);)+
                Some(Self { $($key: $key?,)+ purposes: Vec::new(),
                    target_types: Vec::new(), webhooks: Vec::new() })
            }
        }
    };
    (@name $key:ident) => { stringify!($key) };
    (@name $key:ident $name:literal) => { $name };
    (@show $key:ident, $form:expr) => { |settings| $form.show(&settings.$key) };
    (@show $key:ident, $form:expr, $show:expr) => { $show };
}
pub(super) use settings;

/// The README's table of settings, in Markdown.
#[must_use]
pub fn markdown() -> String {
    let head = "| Setting | Default | Meaning |\n| --- | --- | --- |\n".to_owned();
    TABLE.iter().fold(head, |table, setting| {
        let Setting {
            key,
            default,
            meaning,
            ..
        } = setting;
        table + &format!("| `{key}` | `{default}` | {meaning} |\n")
    })
}

/// The known word that is most like this one, if any is.
pub(super) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let likeness = |known: &&str| strsim::jaro_winkler(word, known);
    known
        .into_iter()
        .filter(|known| likeness(known) >= 0.8)
        .max_by(|a, b| likeness(a).total_cmp(&likeness(b)))
}

/// A question to end an error with, or nothing where no known word is near.
pub(super) fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, known).map_or_else(String::new, |near| format!("; did you mean `{near}`?"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_has_one_name_in_three_spellings() {
        let setting = TABLE.iter().find(|s| s.key == "max_file_size").unwrap();
        assert_eq!(setting.variable, "ASKFILE_MAX_FILE_SIZE");
        assert_eq!(setting.flag, "max-file-size");
        assert_eq!((setting.default, setting.placeholder), ("50MB", "SIZE"));
        let setting = TABLE.iter().find(|s| s.key == "scan.clamd").unwrap();
        assert_eq!(setting.variable, "ASKFILE_SCAN_CLAMD");
        assert_eq!(setting.flag, "scan-clamd");
    }

    #[test]
    fn the_readme_table_has_a_row_of_three_cells_for_every_setting() {
        let table = markdown();
        assert!(
            table.contains("\n| `link_ttl` | `15m` | How long"),
            "{table}"
        );
        assert_eq!(table.lines().count(), TABLE.len() + 2);
        for line in table.lines() {
            assert_eq!(line.matches('|').count(), 4, "{line}");
        }
    }

    #[test]
    fn only_what_is_near_is_suggested() {
        let known = ["listen", "max_file_size"];
        assert_eq!(
            did_you_mean("max-filesize", known),
            "; did you mean `max_file_size`?"
        );
        assert_eq!(did_you_mean("banana", known), "");
    }

    #[test]
    fn the_readme_has_the_settings_table() {
        let readme = include_str!("../../README.md");
        assert!(
            readme.contains(markdown().trim()),
            "the settings table in README.md should be\n{}",
            markdown()
        );
    }
}
