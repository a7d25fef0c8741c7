//! The command line's layer: one flag for each setting, and `--config`.

use std::{fmt, path::PathBuf};

use clap::{Arg, ArgMatches, Args, Command, FromArgMatches, value_parser};

use super::{
    layers::{Given, Origin},
    table::{Setting, TABLE},
};

/// The settings given on the command line; `#[command(flatten)]` it into a subcommand.
#[derive(Clone, Default)]
pub struct Flags {
    pub(super) given: Vec<Given>,
    pub(super) config: Option<PathBuf>,
}

impl fmt::Debug for Flags {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let flags = self.given.iter().map(|given| given.setting.flag.as_str());
        f.debug_list().entries(flags).finish_non_exhaustive()
    }
}

/// Those alone that say which data there is: for what the operator does beside the server.
#[derive(Debug, Clone, Default)]
pub struct DataFlags(pub Flags);

/// The settings of [`DataFlags`].
const OF_DATA: [&str; 2] = ["data_dir", "log"];

impl Args for Flags {
    fn augment_args(command: Command) -> Command {
        // Of the many commands, one is run: the flags of the others are never made.
        command.defer(|command| command.args(args(|_| true)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

impl Args for DataFlags {
    fn augment_args(command: Command) -> Command {
        command.defer(|command| command.args(args(|setting| OF_DATA.contains(&setting.key))))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// `--config`, and the flags of some settings.
fn args(some: impl Fn(&Setting) -> bool) -> impl Iterator<Item = Arg> {
    let config = Arg::new("config")
        .long("config")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("Settings file [default: askfile.toml in this folder, if there is one]");
    let some = TABLE.iter().filter(move |setting| some(setting));
    let flags = some.map(|setting| {
        let flag = Arg::new(setting.key)
            .long(setting.flag.as_str())
            .value_name(setting.placeholder)
            .help(format!(
                "{} [default: {}]",
                setting.meaning, setting.default
            ));
        if setting.switch {
            // Without `=` the next word would be taken for its value.
            flag.num_args(0..=1)
                .require_equals(true)
                .default_missing_value("true")
        } else {
            flag
        }
    });
    let all = std::iter::once(config).chain(flags);
    all.map(|flag| flag.help_heading("Settings"))
}

impl FromArgMatches for Flags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let given = TABLE.iter().filter_map(|setting| {
            // Not every command has every flag.
            let text = matches.try_get_one::<String>(setting.key).ok().flatten()?;
            Some(Given::new(
                setting,
                text,
                Origin::Flag(setting.flag.clone()),
            ))
        });
        Ok(Self {
            given: given.collect(),
            config: matches.get_one("config").cloned(),
        })
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

impl FromArgMatches for DataFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        Flags::from_arg_matches(matches).map(Self)
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        self.0.update_from_arg_matches(matches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(line: &str) -> Result<Flags, clap::Error> {
        let command = Flags::augment_args(Command::new("askfile"));
        let matches = command.try_get_matches_from(line.split_whitespace())?;
        Flags::from_arg_matches(&matches)
    }

    fn texts(line: &str) -> Vec<(&'static str, String)> {
        let given = flags(line).unwrap().given.into_iter();
        given.map(|given| (given.setting.key, given.text)).collect()
    }

    #[test]
    fn every_setting_is_a_flag() {
        for setting in TABLE.iter() {
            let line = format!("askfile --{}=x", setting.flag);
            assert_eq!(texts(&line), [(setting.key, "x".to_owned())]);
        }
    }

    #[test]
    fn a_switch_needs_no_value_and_takes_no_other_word_for_it() {
        let given = texts("askfile --i-know-this-is-open --log debug");
        assert!(
            given.contains(&("i_know_this_is_open", "true".to_owned())),
            "{given:?}"
        );
        assert!(given.contains(&("log", "debug".to_owned())), "{given:?}");
        let swallowed = flags("askfile --i-know-this-is-open false");
        assert!(swallowed.is_err(), "{swallowed:?}");
        assert!(flags("askfile --log").is_err());
    }

    #[test]
    fn a_flag_that_is_not_given_is_not_there() {
        let flags = flags("askfile --config /x/a.toml").unwrap();
        assert!(flags.given.is_empty());
        assert_eq!(flags.config, Some(PathBuf::from("/x/a.toml")));
    }

    #[test]
    fn a_key_on_the_command_line_is_not_repeated_in_logs() {
        let flags = flags("askfile --link-keys 5ec4e7").unwrap();
        assert_eq!(format!("{flags:?}"), "[\"link-keys\", ..]");
    }

    #[test]
    fn the_flags_are_a_sound_command() {
        Flags::augment_args(Command::new("askfile")).debug_assert();
        DataFlags::augment_args(Command::new("askfile")).debug_assert();
    }
}
