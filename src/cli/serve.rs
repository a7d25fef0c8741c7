//! `askfile serve`: the page and MCP, until told to stop.

use std::net::SocketAddr;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::{
    host::{Host, Offer, Taken, cannot_wait, must_not_be_exposed, start},
    network::local_url,
    say,
    stop::stop_signal,
};
use crate::{
    app,
    config::Settings,
    host::{Notice, Turn},
    http,
    objects::Place,
    service::Service,
};

pub(super) async fn serve(settings: Settings) -> Result<(), String> {
    must_not_be_exposed(&settings)?;
    app::make_folder(&settings.data_dir).map_err(|error| error.to_string())?;
    let stop = stop_signal().map_err(|error| error.to_string())?;
    let mut stop = std::pin::pin!(stop);
    let bound = async {
        let turn = take_turn(&settings).await?;
        Host::bind(&settings, turn, Taken::Refuse).await
    };
    let host = tokio::select! {
        bound = bound => bound?,
        () = &mut stop => return Ok(()),
    };
    let service = start(settings, host.public_url.clone()).await?;
    allow_many_connections();
    say(&greeting(&service, host.listen));
    host.serve(&service, Offer::Everything, stop).await
}

/// Each connection is an open file, of which systems let a program have few unless it asks for more.
fn allow_many_connections() {
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: limit.maximum,
        ..limit
    };
    if let Err(error) = setrlimit(Resource::Nofile, most) {
        tracing::warn!(cause = %error, "no more connections than usual are possible");
    }
}

/// Where another askfile on the same data folder serves this address, waits for that one to end: its
/// links are this one's links. On a free port everybody serves for himself.
async fn take_turn(settings: &Settings) -> Result<Option<Turn>, String> {
    let listen = settings.listen;
    if listen.port() == 0 {
        return Ok(None);
    }
    let notice = Notice::of(&settings.data_dir, listen);
    let turn = notice.try_turn().map_err(|error| cannot_wait(&error))?;
    if turn.is_some() {
        return Ok(turn);
    }
    say(&format!(
        "another askfile on this data folder serves {listen}; taking over when it ends"
    ));
    let turn = notice.turn().await;
    turn.map(Some).map_err(|error| cannot_wait(&error))
}

fn greeting(service: &Service, listen: SocketAddr) -> String {
    let settings = service.settings();
    // Tokens are for the public name alone.
    let mcp = if settings.auth.takes_tokens() && settings.public_url.is_some() {
        format!("{}/mcp", service.public_url())
    } else {
        format!("{}/mcp", local_url(listen))
    };
    let files = match &settings.objects {
        Place::Disk => String::new(),
        bucket @ Place::Bucket { .. } => format!("  files    {bucket}\n"),
    };
    let first = format!(
        "askfile {} is ready\n\n  links    {}/uploads/…\n  data     {}\n{files}",
        env!("CARGO_PKG_VERSION"),
        service.public_url(),
        settings.data_dir.display(),
    );
    if http::is_links_only(settings, &service.public_url()) {
        return format!(
            "{first}  MCP      closed, because public_url is not this machine and everybody would \
             be taken\n           for its owner; --auth keys opens it to who has a key\n"
        );
    }
    let auth = settings.auth;
    let issuer = settings.oauth_issuer.as_deref().unwrap_or_default();
    let ways = [
        (
            auth.keys,
            "  keys     askfile keys create --name NAME\n".to_owned(),
        ),
        (
            auth.builtin,
            "  sign in  askfile signin --for NAME\n".to_owned(),
        ),
        (auth.oauth, format!("  tokens   of {issuer}\n")),
    ];
    let ways = ways
        .into_iter()
        .filter_map(|(is_on, way)| is_on.then_some(way));
    let ways: String = ways.collect();
    if auth.takes_tokens() && !auth.keys {
        return format!(
            "{first}  MCP      {mcp}\n{ways}\
             \nTry it with MCP Inspector, which has you sign in:\n\
             \n  npx -y @modelcontextprotocol/inspector\n"
        );
    }
    let header = if auth.keys {
        "--header \"Authorization: Bearer $ASKFILE_KEY\" "
    } else {
        ""
    };
    format!(
        "{first}  MCP      {mcp}\n{ways}\
         \nTry it with MCP Inspector:\n\
         \n  npx -y @modelcontextprotocol/inspector --cli {mcp} {header}--method tools/call \\\n    \
         --tool-name upload_create --tool-arg prompt=\"A photo of the receipt, please\"\n"
    )
}
