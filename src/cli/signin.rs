//! `askfile signin`: a code with which a person lets clients in, in mode `builtin`.

use clap::Args;
use serde::Serialize;

use super::{in_json, keys::sentence, open, tell};
use crate::{
    config::{DataFlags, Flags, Settings},
    domain::capability::{Capabilities, Capability},
    service::{
        answers::rfc3339,
        oauth::{Offered, SignInRequest},
    },
};

/// `askfile signin`
#[derive(Debug, Args)]
pub struct SignIn {
    /// Whom it is for: pages say “Ana’s agent” then
    #[arg(long = "for", value_name = "NAME")]
    person: String,
    /// That person's address; what is granted and keys of one address are one person's
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// Where clients are let in with it: a workspace's alias or id [default: the workspace that comes
    /// with askfile]
    #[arg(long)]
    workspace: Option<String>,
    /// What they are let do there at most, with commas between: asset:upload, media:read,
    /// media:attach, media:delete, admin
    #[arg(
        long,
        value_name = "CAPABILITIES",
        default_value_t = Capabilities::AGENT,
        hide_default_value = false
    )]
    allow: Capabilities,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    flags: DataFlags,
}

/// What programs are told.
#[derive(Serialize)]
struct Told<'a> {
    code: String,
    #[serde(rename = "for")]
    person: &'a str,
    workspace: &'a str,
    capabilities: Vec<&'static str>,
    expires_at: String,
}

impl SignIn {
    pub(super) fn flags(&self) -> &Flags {
        &self.flags.0
    }

    pub(super) async fn run(self, settings: Settings) -> Result<(), String> {
        let service = open(settings).await?;
        let operator = service.operator("askfile signin");
        let request = SignInRequest {
            person: self.person,
            email: self.email,
            workspace: self.workspace,
            capabilities: self.allow,
        };
        let offered = service.offer_sign_in(&operator, request).await;
        let offered = offered.map_err(|error| sentence(&error))?;
        // Where nobody reads it, it ends by itself.
        show(&offered, self.json).map_err(|why| format!("the code could not be printed: {why}"))?;
        Ok(())
    }
}

/// The code goes to standard output, alone; what it is for to standard error.
fn show(offered: &Offered, as_json: bool) -> std::io::Result<()> {
    let workspace = offered.workspace.alias.as_str();
    if as_json {
        let capabilities = offered.capabilities.iter().map(Capability::as_str);
        return tell(&in_json(&Told {
            code: offered.code.reveal(),
            person: &offered.person,
            workspace,
            capabilities: capabilities.collect(),
            expires_at: rfc3339(offered.expires_at),
        }));
    }
    tell(&offered.code.reveal())?;
    eprintln!(
        "{} types it on the page to which the client leads, once, until {}.\nThe client may {} in \
         {workspace} then, or less if it asks for less.",
        offered.person,
        rfc3339(offered.expires_at),
        offered.capabilities,
    );
    Ok(())
}
