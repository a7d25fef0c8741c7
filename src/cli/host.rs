//! Serving the page on `listen`, or waiting for our turn to.

use std::{io, net::SocketAddr, time::Duration};

use axum::Router;
use tokio::{net::TcpListener, task::JoinHandle, time::sleep};
use tokio_util::sync::CancellationToken;

use super::network::{lan_ip, local_url, reached_at};
use crate::{
    app,
    config::Settings,
    host::{Notice, PublicUrl, Served, Turn},
    http,
    service::Service,
};

/// How often an address is tried that another program has.
const TRY_AGAIN: Duration = Duration::from_millis(250);
/// How often it is tried before it counts as taken: of a process that was killed, the system may
/// give back the lock a moment before the address.
const TRIES: u32 = 4;

/// What is done where another program has the address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    /// The operator named it and must hear of it.
    Refuse,
    /// A link that works is worth more than its port: the address of the one before, or a free one.
    MoveAside,
}

/// What is served at `listen`. At `page_listen` it is links only, always.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offer {
    /// MCP too.
    Everything,
    /// Signed links, and what their page needs; for so long after the end too.
    Links(Duration),
}

/// Bound, and ready to serve.
#[derive(Debug)]
pub(super) struct Host {
    listener: TcpListener,
    page: Option<TcpListener>,
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where people reach the page.
    pub public_url: String,
    turn: Option<Turn>,
}

impl Host {
    /// Binds the addresses of the settings, and says so in the notice of the turn.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub(super) async fn bind(
        settings: &Settings,
        mut turn: Option<Turn>,
        taken: Taken,
    ) -> Result<Self, String> {
        let before = turn.as_ref().and_then(|turn| turn.before.as_ref());
        let is_heir = turn.as_ref().is_some_and(|turn| turn.was_awaited);
        // What forwards to us from a fixed address does so to where the settings say.
        let is_heir = is_heir && settings.public_url.is_none();
        let order = |wished, before, is_heir| match taken {
            Taken::Refuse => vec![wished],
            Taken::MoveAside => in_order(wished, before, is_heir),
        };
        let of_before = before.map(|served| served.listen);
        // With a page of its own, no links lead to `listen`.
        let has_links = is_heir && settings.page_listen.is_none();
        let listener = open("listen", &order(settings.listen, of_before, has_links)).await?;
        let page = match settings.page_listen {
            Some(wished) => {
                let of_before = before.and_then(|served| served.page_listen);
                Some(open("page-listen", &order(wished, of_before, is_heir)).await?)
            }
            None => None,
        };
        let listen = address_of(&listener)?;
        let public_url = match (&settings.public_url, &page) {
            (Some(url), _) => url.clone(),
            (None, Some(page)) => reached_at(address_of(page)?),
            (None, None) => local_url(listen),
        };
        if let Some(turn) = &mut turn {
            let served = Served {
                listen,
                page_listen: page.as_ref().map(address_of).transpose()?,
                public_url: public_url.clone(),
            };
            turn.post(&served)
                .map_err(|error| format!("the notice of the page's address: {error}"))?;
        }
        Ok(Self {
            listener,
            page,
            listen,
            public_url,
            turn,
        })
    }

    /// Serves until `stop` resolves.
    ///
    /// # Errors
    /// A sentence for the operator.
    pub(super) async fn serve(
        self,
        service: &Service,
        offer: Offer,
        stop: impl Future<Output = ()>,
    ) -> Result<(), String> {
        let router = match offer {
            Offer::Everything => http::router(service, self.listen),
            Offer::Links(_) => http::page_router(service, self.listen),
        };
        let stop = async move {
            stop.await;
            if let Offer::Links(longer) = offer {
                sleep(longer).await;
            }
        };
        let mut doors = vec![(self.listener, router)];
        doors.extend(self.page.map(|page| page_door(service, page)).transpose()?);
        let keeping = service.clone();
        tokio::spawn(async move { keeping.keep_house().await });
        let (closing, turn) = (service.clone(), self.turn);
        tokio::spawn(async move {
            closing.closing().await;
            // The listener is gone by now: the next in line may bind.
            drop(turn);
        });
        http::serve::serve_all(doors, service, stop)
            .await
            .map_err(|error| error.to_string())
    }
}

/// A listener that serves links only.
pub(super) fn page_door(
    service: &Service,
    page: TcpListener,
) -> Result<(TcpListener, Router), String> {
    let router = http::page_router(service, address_of(&page)?);
    Ok((page, router))
}

/// A service whose page others in the network reach, until so long after `stop`.
///
/// # Errors
/// A sentence for the operator.
pub(super) async fn start_in_network(
    settings: Settings,
    longer: Duration,
    stop: CancellationToken,
) -> Result<Beside, String> {
    let nowhere = "--lan: this machine is in no network";
    let ip = lan_ip().ok_or_else(|| nowhere.to_owned())?;
    let free = SocketAddr::new(ip, 0);
    let address = match settings.page_listen {
        Some(at) if at.ip().is_loopback() => {
            eprintln!("--lan: page_listen ({at}) is for this machine alone: the page is at {ip}.");
            free
        }
        chosen => chosen.unwrap_or(free),
    };
    let page = open("page-listen", &[address, free]).await?;
    let service = start(settings, reached_at(address_of(&page)?)).await?;
    let door = page_door(&service, page)?;
    let keeping = service.clone();
    tokio::spawn(async move { keeping.keep_house().await });
    let serving = service.clone();
    let page = tokio::spawn(async move {
        let stop = async {
            stop.cancelled().await;
            sleep(longer).await;
        };
        http::serve::serve_all(vec![door], &serving, stop)
            .await
            .map_err(|error| error.to_string())
    });
    Ok(Beside { service, page })
}

/// A service, and the task that serves its page.
pub(super) struct Beside {
    pub service: Service,
    /// Ends with `stop`, and with an error if the page cannot be served.
    pub page: JoinHandle<Result<(), String>>,
}

/// A service at once, and its page as soon as it is this process's turn.
///
/// # Errors
/// A sentence for the operator.
pub(super) async fn start_beside(
    settings: Settings,
    offer: Offer,
    stop: CancellationToken,
) -> Result<Beside, String> {
    if settings.listen.port() == 0 {
        let host = Host::bind(&settings, None, Taken::MoveAside).await?;
        let service = start(settings, host.public_url.clone()).await?;
        let serving = service.clone();
        let serve = async move { host.serve(&serving, offer, stop.cancelled()).await };
        let page = tokio::spawn(serve);
        return Ok(Beside { service, page });
    }
    app::make_folder(&settings.data_dir).map_err(|error| error.to_string())?;
    let notice = Notice::of(&settings.data_dir, settings.listen);
    let turn = notice.try_turn().map_err(|error| cannot_wait(&error))?;
    let service = start(settings, PublicUrl::posted(notice.clone())).await?;
    let serving = service.clone();
    let serve = async move {
        in_turn(&serving, notice, turn, offer, &stop).await?;
        // If its turn never came: whoever still waits for an upload is answered.
        serving.close();
        Ok(())
    };
    let page = tokio::spawn(serve);
    Ok(Beside { service, page })
}

async fn in_turn(
    service: &Service,
    notice: Notice,
    turn: Option<Turn>,
    offer: Offer,
    stop: &CancellationToken,
) -> Result<(), String> {
    let turn = if let Some(turn) = turn {
        turn
    } else {
        tokio::select! {
            turn = notice.turn() => turn.map_err(|error| cannot_wait(&error))?,
            () = stop.cancelled() => return Ok(()),
        }
    };
    let host = Host::bind(service.settings(), Some(turn), Taken::MoveAside).await?;
    tracing::info!(listen = %host.listen, "serving the page");
    host.serve(service, offer, stop.cancelled()).await
}

/// What a turn that cannot be waited for is told as.
pub(super) fn cannot_wait(error: &io::Error) -> String {
    format!("waiting to serve the page: {error}")
}

/// A service on these settings.
///
/// # Errors
/// A sentence for the operator.
pub(super) async fn start(
    settings: Settings,
    public_url: impl Into<PublicUrl>,
) -> Result<Service, String> {
    app::start(settings, public_url)
        .await
        .map_err(|error| error.to_string())
}

/// # Errors
/// If everybody in the network would be taken for the owner.
pub(super) fn must_not_be_exposed(settings: &Settings) -> Result<(), String> {
    if settings.listen.ip().is_loopback() || !settings.auth.is_open() {
        return Ok(());
    }
    if settings.i_know_this_is_open {
        tracing::warn!(
            "listening on {}: everybody who reaches it can act as the owner",
            settings.listen
        );
        return Ok(());
    }
    Err(format!(
        "listen is {}, which others can reach, and this askfile takes everybody for its owner. \
         Ask for keys with --auth keys, listen on 127.0.0.1, or say --i-know-this-is-open. To let \
         others open links and nothing else, set --page-listen.",
        settings.listen
    ))
}

/// Where one may listen who moves aside, the best first. An heir takes the address of the one `before`
/// if that can be had, so that links in use go on working.
fn in_order(wished: SocketAddr, before: Option<SocketAddr>, is_heir: bool) -> Vec<SocketAddr> {
    let mut order = vec![wished, SocketAddr::new(wished.ip(), 0)];
    // What is open to others is decided by our settings, not by those of the one before.
    if let Some(before) = before.filter(|before| before.ip() == wished.ip()) {
        order.insert(usize::from(!is_heir), before);
    }
    order.dedup();
    order
}

/// Binds the first of these addresses that can be had; `flag` is where the operator would name another
/// one.
async fn open(flag: &str, addresses: &[SocketAddr]) -> Result<TcpListener, String> {
    let mut problem = None;
    for &address in addresses {
        match try_to_listen(address).await {
            Ok(listener) => {
                if let Some((why, _)) = problem {
                    tracing::warn!("{why}; using {} instead", address_of(&listener)?);
                }
                return Ok(listener);
            }
            Err(why) => problem = problem.or(Some((why, address))),
        }
    }
    let (why, address) = problem.expect("there is an address");
    Err(format!(
        "{why}; choose another address with --{flag} {}:PORT",
        address.ip()
    ))
}

/// # Errors
/// Why it cannot be had.
async fn try_to_listen(address: SocketAddr) -> Result<TcpListener, String> {
    let mut tries = 0;
    loop {
        match http::serve::listen(address) {
            Ok(listener) => return Ok(listener),
            Err(error) if error.kind() != io::ErrorKind::AddrInUse => {
                return Err(format!("cannot listen on {address}: {error}"));
            }
            Err(_) if tries == TRIES => {
                return Err(format!("{address} is taken by another program"));
            }
            Err(_) => tries += 1,
        }
        sleep(TRY_AGAIN).await;
    }
}

fn address_of(listener: &TcpListener) -> Result<SocketAddr, String> {
    listener.local_addr().map_err(|error| error.to_string())
}
