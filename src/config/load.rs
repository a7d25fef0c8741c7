//! Puts the layers on top of each other and says everything that is wrong with them at once.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    path::{Path, PathBuf},
};

use super::{
    Flags, Origin, Settings,
    file::Source,
    layers::{Environment, Values},
    purposes::Purposes,
    table::did_you_mean,
    targets::TargetTypes,
    units,
    webhooks::Webhooks,
};
use crate::domain::mime::Kind;

/// Settings, and where they came from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// What is in force.
    pub settings: Settings,
    /// What the operator should know, though nothing is refused for it; a sentence each.
    pub warnings: Vec<String>,
    /// The settings file, if there is one.
    pub file: Option<PathBuf>,
    origins: BTreeMap<&'static str, Origin>,
    purposes_in_file: Vec<String>,
}

impl Loaded {
    /// Where the setting of this key came from.
    #[must_use]
    pub fn origin(&self, key: &str) -> &Origin {
        self.origins.get(key).unwrap_or(&Origin::Default)
    }

    /// Where the purpose of this name came from.
    #[must_use]
    pub fn purpose_origin(&self, name: &str) -> Origin {
        let is_in_file = self.purposes_in_file.iter().any(|given| given == name);
        let file = self.file.clone().filter(|_| is_in_file);
        file.map_or(Origin::Default, Origin::File)
    }
}

/// The settings are refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", problems.join("\n"))]
pub struct Invalid {
    /// Everything that is wrong, a sentence each: where, what, and often what was meant.
    pub problems: Vec<String>,
}

/// The settings that these layers make; `folder` is where an `askfile.toml` is looked for.
///
/// The file is the one that `--config` names, else `ASKFILE_CONFIG`, else `askfile.toml` in
/// `folder`, if there is one. A value is checked even where a higher layer overrides it.
///
/// # Errors
/// [`Invalid`] with every problem of every layer.
pub fn load(
    flags: &Flags,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
    folder: &Path,
) -> Result<Loaded, Invalid> {
    let environment = Environment::read(environment);
    let mut values = Values {
        problems: environment.problems,
        ..Values::default()
    };
    let named = flags.config.clone().or(environment.config);
    let source = Source::open(named, folder);
    let file = source
        .as_ref()
        .map(|source| source.as_ref().map(Source::parse).transpose());
    let file = match file {
        Ok(Ok(file)) => file,
        Ok(Err(problem)) => values.fail(problem),
        Err(problem) => values.fail(problem.clone()),
    };
    if let Some(file) = &file {
        let (given, problems) = file.settings();
        values.given.extend(given);
        values.problems.extend(problems);
    }
    values.given.extend(environment.given);
    values.given.extend(flags.given.iter().cloned());

    let settings = Settings::read(&mut values);
    // Purposes are judged by the default list where the operator's own is not to be had.
    let allowed_types = settings.as_ref().map_or_else(
        || Settings::in_folder("").allowed_types,
        |settings| settings.allowed_types.clone(),
    );
    let purposes = Purposes::read(file.as_ref(), &allowed_types);
    values.problems.extend(purposes.problems);
    let targets = TargetTypes::read(file.as_ref());
    values.problems.extend(targets.problems);
    let webhooks = Webhooks::read(file.as_ref(), environment.webhook_secrets);
    values.problems.extend(webhooks.problems);
    let purpose_names = purposes.all.iter().map(|purpose| purpose.name.as_str());
    if let Some(given) = values.in_force.get("default_purpose")
        && !purpose_names.clone().any(|name| name == given.text.trim())
    {
        let hint = did_you_mean(&given.text, purpose_names);
        let problem = given.problem(&format!("is not a purpose{hint}"));
        values.problems.push(problem);
    }

    if let Some(given) = values.in_force.get("auth")
        && let Some(problem) = settings.as_ref().and_then(problem_with_auth)
    {
        let problem = given.problem(problem);
        values.problems.push(problem);
    }

    let problems = values.problems;
    match settings {
        Some(settings) if problems.is_empty() => {
            let mut warnings = environment.warnings;
            warnings.extend(purposes.warnings);
            warnings.extend(webhooks.warnings);
            warnings.extend(idle_limits(&settings));
            warnings.extend(tokens_in_the_clear(&settings));
            let origins = values.in_force.into_iter();
            Ok(Loaded {
                settings: Settings {
                    purposes: purposes.all,
                    target_types: targets.all,
                    webhooks: webhooks.all,
                    ..settings
                },
                warnings,
                file: file.map(|file| file.source.path.clone()),
                origins: origins.map(|(key, given)| (key, given.origin)).collect(),
                purposes_in_file: purposes.from_file,
            })
        }
        _ => Err(Invalid { problems }),
    }
}

/// What the modes need that is not there.
fn problem_with_auth(settings: &Settings) -> Option<&'static str> {
    if settings.auth.oauth && settings.oauth_issuer.is_none() {
        return Some("needs `oauth.issuer`, the provider whose tokens are taken");
    }
    // Clients are led to one address for all of it.
    (settings.auth.builtin && settings.page_listen.is_some()).then_some(
        "lets clients in at public_url, where `page_listen` serves links alone: leave that out",
    )
}

/// Warns of tokens that whoever is on the way can take.
fn tokens_in_the_clear(settings: &Settings) -> Option<String> {
    let url = settings.public_url.as_ref()?;
    let is_clear = url.starts_with("http://") && !crate::http::is_on_this_machine(url);
    (is_clear && settings.auth.takes_tokens()).then(|| {
        format!("public_url: {url} is not https, so whoever is on the way can take clients’ tokens")
    })
}

/// Warns of limits on one kind of file that the limit on all files makes useless.
fn idle_limits(settings: &Settings) -> impl Iterator<Item = String> {
    let most = settings.max_file_size;
    Kind::ALL.into_iter().filter_map(move |kind| {
        let own = settings.own_max_size(kind).filter(|own| *own > most)?;
        let (own, most) = (units::size_exact(own), units::size_exact(most));
        let kind = kind.as_str();
        Some(format!(
            "`max_{kind}_size` is {own}, but no file may be larger than `max_file_size`, {most}"
        ))
    })
}

#[cfg(test)]
mod tests;
