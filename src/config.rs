//! The settings: built-in defaults, then `askfile.toml`, then `ASKFILE_*` variables, then flags.
//!
//! The entries of [`Settings`] below are the only list of them. A setting's key in the file, its
//! variable, its flag, its row in `askfile config` and its row in the README all come from there.

mod file;
mod flags;
mod forms;
mod layers;
mod load;
mod purposes;
mod table;
mod targets;
pub mod units;
mod webhooks;

use std::{fmt, net::SocketAddr, path::PathBuf, time::Duration};

use ipnet::IpNet;

pub use self::{
    flags::{DataFlags, Flags},
    forms::HostPattern,
    layers::{KEY_VARIABLE, Origin},
    load::{Invalid, Loaded, load},
    table::{Setting, TABLE, markdown},
};
use self::{
    forms::{
        Address, Allowed, Folder, Form, Format, Hosts, InWorkspace, Issuer, Keys, KindSize, Limit,
        MimeTypes, Mode, Most, Networks, Number, Objects, PageAddress, PublicUrl, Scanner, Size,
        StoreReach, Switch, Text, TextOr, Way, Within,
    },
    layers::{Given, Values},
    purposes::Purposes,
    table::settings,
};
use crate::{
    domain::{
        attachment::TargetType,
        capability::Capabilities,
        mime::{Kind, MimePattern},
        purpose::Purpose,
        quota::Quota,
        transfer::Transfer,
        webhook::Endpoint,
        workspace::WorkspaceRef,
    },
    intake::scan::Clamd,
    objects::{Place, Reach},
};

settings! {
    /// Address and port that the server listens on.
    listen: SocketAddr = Address, "127.0.0.1:8787";

    /// A second address, for signed links and nothing else, that phones in the network or a tunnel
    /// may reach; `none`, or for example `0.0.0.0:8788`.
    page_listen: Option<SocketAddr> = PageAddress, "none";

    /// Where people reach the page, such as `https://example.com/files`; `none`: at `page_listen`,
    /// else at `listen`.
    public_url: Option<String> = PublicUrl, "none";

    /// Addresses and networks of the proxies that say in `X-Forwarded-For` or `Forwarded` who sent a
    /// request, such as `127.0.0.1, 10.0.0.0/8`; `none`: nobody is believed, and whoever comes through
    /// a proxy shares its limits.
    trusted_proxies: Vec<IpNet> = Networks, "none";

    /// Folder for the database, the files and the link key; `auto` is the platform's folder for data.
    data_dir: PathBuf = Folder, "auto";

    /// Where files are kept: `disk` is `data_dir`; `s3://bucket/prefix` is a bucket of an
    /// S3-compatible store. Its keys are `AWS_ACCESS_KEY_ID` and `AWS_SECRET_ACCESS_KEY` in the
    /// environment.
    objects: Place = Objects, "disk";

    /// Address of the S3-compatible store, such as `https://s3.example.com`; `none` is Amazon's.
    s3_endpoint as "s3.endpoint": Option<String> = PublicUrl, "none";

    /// Address of the store for browsers and other programs, to which downloads lead; `auto` is
    /// `s3.endpoint`, `none`: they cannot reach it, and askfile hands the files out.
    s3_public_endpoint as "s3.public_endpoint": Reach = StoreReach, "auto";

    /// Region of the bucket; `auto` is `AWS_REGION` of the environment, else `us-east-1`.
    s3_region as "s3.region": String = Text("REGION"), "auto";

    /// Whether the bucket's name is in the path of its address, `https://host/bucket`; else it is in
    /// the host, `https://bucket.host`.
    s3_path_style as "s3.path_style": bool = Switch, "true";

    /// How files come: `proxy` is through askfile, `direct` is straight into the bucket, from the
    /// page of a browser; `auto` is `direct` where files are kept in a bucket that browsers reach.
    transfer: Option<Transfer> = Way, "auto";

    /// How long a link works, from 1m to 1d.
    link_ttl: Duration = Within(60..=86_400), "15m";

    /// Largest file of any kind.
    max_file_size: u64 = Size(1), "50MB";

    /// Largest image.
    max_image_size: Option<u64> = KindSize, "max_file_size", |s| size_of(s, Kind::Image);

    /// Largest video.
    max_video_size: Option<u64> = KindSize, "max_file_size", |s| size_of(s, Kind::Video);

    /// Largest sound.
    max_audio_size: Option<u64> = KindSize, "max_file_size", |s| size_of(s, Kind::Audio);

    /// Largest document.
    max_document_size: Option<u64> = KindSize, "max_file_size", |s| size_of(s, Kind::Document);

    /// Types that are taken at all, such as `image/png, video/*`; `auto` is every type that askfile
    /// knows by name.
    allowed_types: Vec<MimePattern> = MimeTypes, "auto";

    /// The purpose of an upload for which the agent names none.
    default_purpose: String = Text("PURPOSE"), "general";

    /// Uploads that one address may start in a minute, and files that one program may put that it
    /// declared; 0 is no limit.
    rate_limit_uploads_per_minute: u32 = Number(0..=u32::MAX), "10";

    /// Wrong links, and apart from those wrong keys, that one address may try in a minute; right ones
    /// are always answered. 0 is no limit.
    rate_limit_wrong_per_minute: u32 = Number(0..=u32::MAX), "5";

    /// Links that may be minted for one workspace in a minute; 0 is no limit.
    rate_limit_links_per_minute: u32 = Number(0..=u32::MAX), "60";

    /// Tool calls that one caller may make in a minute, files read as resources among them; 0 is no
    /// limit.
    rate_limit_tool_calls_per_minute: u32 = Number(0..=u32::MAX), "600";

    /// Open sessions of MCP clients before 2026-07-28, which ask for one; of more, the one that was
    /// left alone longest ends. One caller has a quarter of them at most.
    max_mcp_sessions: usize = Number(1..=1_000_000), "1000";

    /// Uploads received at the same time; one more is asked to come back.
    max_concurrent_uploads: usize = Number(1..=1_000_000), "256";

    /// Most bytes of files that a workspace may have; `none` is no limit. A workspace may have a quota
    /// of its own: `askfile workspace set`.
    quota_stored as "quota.stored": Option<u64> = Limit, "none";

    /// Most bytes that may be on their way to a workspace at one time; `none` is no limit.
    quota_in_flight as "quota.in_flight": Option<u64> = Limit, "none";

    /// Most links of a workspace that may be open at one time; `none` is no limit.
    quota_links as "quota.links": Option<u64> = Most, "10000";

    /// The clamd that looks at every file before it is handed out: the path of its socket, or its
    /// host and port, such as `127.0.0.1:3310`; `none`: files are not scanned.
    scan_clamd as "scan.clamd": Option<Clamd> = Scanner, "none";

    /// Longest time that a scan may take, from 1s to 1h; then it is tried again later.
    scan_timeout as "scan.timeout": Duration = Within(1..=3_600), "2m";

    /// Free space to leave on the disk of `data_dir`; an upload that would take it is refused.
    min_free_disk: u64 = Size(0), "256MB";

    /// Longest time that a tool call waits for an upload, from 1s to 1h.
    max_wait: Duration = Within(1..=3_600), "45s";

    /// Time without a byte after which an upload loses its place, from 1s to 10m.
    idle_timeout: Duration = Within(1..=600), "30s";

    /// Time that uploads have to finish when the server stops, up to 1h.
    shutdown_grace: Duration = Within(0..=3_600), "30s";

    /// Keys that links are signed with, each 64 hexadecimal digits: the first signs, all are
    /// accepted; `auto` makes one in `data_dir` at the first start. Every user of the machine can
    /// see a flag, so set it elsewhere.
    link_keys: Vec<String> = Keys, "auto";

    /// Who is let in over HTTP: `open`, everybody on this machine, as its owner; `keys`, whoever
    /// shows a key of `askfile keys create`; `oauth`, whoever shows a token of `oauth.issuer`;
    /// `builtin`, clients that people let in with a code of `askfile signin`; or several, as
    /// `keys, builtin`.
    auth: Auth = Mode, "open";

    /// Address of the identity provider whose tokens are taken, such as `https://id.example.com`;
    /// `none`: there is none.
    oauth_issuer as "oauth.issuer": Option<String> = Issuer, "none";

    /// For whom its tokens must be made, their audience; `auto` is `/mcp` below `public_url`.
    oauth_audience as "oauth.audience": Option<String> = TextOr("AUDIENCE", "auto"), "auto";

    /// The claim of a token that names its workspaces, by id or alias; `none`: every token works in
    /// `workspace`.
    oauth_workspace_claim as "oauth.workspace_claim": Option<String> = TextOr("CLAIM", "none"), "none";

    /// How long an access token works that a client was granted in mode `builtin`, from 1s to 1d; it
    /// gets the next one by itself.
    oauth_access_token_ttl as "oauth.access_token_ttl": Duration = Within(1..=86_400), "1h";

    /// Hosts from which `media_import` fetches files, such as `*.oaiusercontent.com`, where ChatGPT has
    /// them; `*` is every public one, `none`: nothing is fetched.
    import_hosts as "import.hosts": Vec<HostPattern> = Hosts, "none";

    /// Networks that are not public from which askfile fetches what clients name too, such as
    /// `10.0.0.0/8`: files for `media_import`, and what they say of themselves in mode `builtin`;
    /// `none`: from public addresses alone.
    fetch_private_networks as "fetch.private_networks": Vec<IpNet> = Networks, "none";

    /// What callers without a key may do, in `open` mode and over stdio; `none`: nothing but look how
    /// their uploads stand.
    capabilities: Capabilities = Allowed, "asset:upload, media:read, media:attach, media:delete";

    /// The workspace of callers without a key, by its id or alias; `auto` is the one that comes with
    /// askfile.
    workspace: Option<WorkspaceRef> = InWorkspace, "auto";

    /// Serve other machines too, although whoever reaches the server may do everything.
    i_know_this_is_open: bool = Switch, "false";

    /// What is logged: `error`, `warn`, `info`, `debug`, `trace`, or a filter such as
    /// `info,askfile=debug`.
    log: String = Text("FILTER"), "info";

    /// How logs look: `text` or `json`.
    log_format: LogFormat = Format, "text";
}

/// Who is let in over HTTP; if nobody is named, everybody on this machine, as its owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Auth {
    /// Whoever shows a key of ours.
    pub keys: bool,
    /// Whoever shows a token of the operator's identity provider.
    pub oauth: bool,
    /// Clients that people let in here.
    pub builtin: bool,
}

impl Auth {
    /// Everybody on this machine, as its owner.
    pub const OPEN: Self = Self {
        keys: false,
        oauth: false,
        builtin: false,
    };
    /// Whoever shows a key.
    pub const KEYS: Self = Self {
        keys: true,
        ..Self::OPEN
    };

    /// Whether clients find out by themselves how to come by a token.
    #[must_use]
    pub fn takes_tokens(self) -> bool {
        self.oauth || self.builtin
    }

    /// Whether nobody is asked who they are.
    #[must_use]
    pub fn is_open(self) -> bool {
        self == Self::OPEN
    }
}

/// How logs look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// A line for people.
    Text,
    /// A JSON object on each line.
    Json,
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = TABLE
            .iter()
            .map(|setting| (setting.key, (setting.show)(self)));
        let purposes = self.purposes.iter().map(|purpose| purpose.name.as_str());
        let purposes = ("purposes", purposes.collect::<Vec<_>>().join(", "));
        let targets = self.target_types.iter().map(|target| target.name.as_str());
        let targets = ("target_types", targets.collect::<Vec<_>>().join(", "));
        let webhooks = self.webhooks.iter().map(|endpoint| endpoint.name.as_str());
        let webhooks = ("webhooks", webhooks.collect::<Vec<_>>().join(", "));
        f.debug_map()
            .entries(shown.chain([purposes, targets, webhooks]))
            .finish()
    }
}

impl Settings {
    /// The built-in defaults, with this data folder: for embedding and for tests.
    ///
    /// # Panics
    /// Never: a test reads every default.
    #[must_use]
    pub fn in_folder(data_dir: impl Into<PathBuf>) -> Self {
        let mut values = Values::default();
        // Where there is no home folder, the default one cannot be read.
        let setting = TABLE.iter().find(|setting| setting.key == "data_dir");
        let anywhere = setting.map(|setting| Given::new(setting, ".", Origin::Default));
        values.given.extend(anywhere);
        let mut settings = Self::read(&mut values).expect("the defaults are sound");
        settings.data_dir = data_dir.into();
        settings.purposes = Purposes::read(None, &settings.allowed_types).all;
        settings
    }

    /// Largest file of this kind, in bytes.
    #[must_use]
    pub fn max_size(&self, kind: Kind) -> u64 {
        let own = self.own_max_size(kind).unwrap_or(self.max_file_size);
        own.min(self.max_file_size)
    }

    fn own_max_size(&self, kind: Kind) -> Option<u64> {
        match kind {
            Kind::Image => self.max_image_size,
            Kind::Video => self.max_video_size,
            Kind::Audio => self.max_audio_size,
            Kind::Document => self.max_document_size,
            Kind::Other => None,
        }
    }

    /// What a workspace without quotas of its own may use.
    #[must_use]
    pub fn quota(&self) -> Quota {
        Quota {
            stored_bytes: self.quota_stored,
            in_flight_bytes: self.quota_in_flight,
            open_links: self.quota_links,
        }
    }

    /// What may be put on targets of this kind; `None`: anything.
    #[must_use]
    pub fn target_type(&self, kind: &str) -> Option<&TargetType> {
        self.target_types.iter().find(|known| known.name == kind)
    }

    /// The purpose of this name.
    #[must_use]
    pub fn purpose(&self, name: &str) -> Option<&Purpose> {
        self.purposes.iter().find(|purpose| purpose.name == name)
    }
}

fn size_of(settings: &Settings, kind: Kind) -> String {
    units::size_exact(settings.max_size(kind))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_defaults_are_the_ones_we_promise() {
        let settings = Settings::in_folder("/srv/askfile");
        assert_eq!(settings.listen.to_string(), "127.0.0.1:8787");
        assert_eq!(settings.data_dir, PathBuf::from("/srv/askfile"));
        assert_eq!(settings.link_ttl, Duration::from_secs(900));
        assert_eq!(settings.max_file_size, 50 << 20);
        assert_eq!(settings.min_free_disk, 256 << 20);
        assert_eq!(settings.max_wait, Duration::from_secs(45));
        assert_eq!(settings.idle_timeout, Duration::from_secs(30));
        assert_eq!(settings.rate_limit_uploads_per_minute, 10);
        assert_eq!(settings.max_concurrent_uploads, 256);
        assert_eq!(
            (settings.public_url, settings.i_know_this_is_open),
            (None, false)
        );
        assert_eq!(
            (settings.log.as_str(), settings.log_format),
            ("info", LogFormat::Text)
        );
    }

    #[test]
    fn the_default_purpose_is_one_of_the_built_in_ones() {
        let settings = Settings::in_folder("/srv/askfile");
        let general = settings.purpose(&settings.default_purpose).unwrap();
        assert_eq!(general.accepts, settings.allowed_types);
        assert_eq!(settings.purpose("bananas"), None);
    }

    #[test]
    fn no_kind_of_file_may_be_larger_than_any_file() {
        let settings = Settings {
            max_file_size: 100,
            max_image_size: Some(10),
            max_video_size: Some(1000),
            ..Settings::in_folder("/srv/askfile")
        };
        let sizes = Kind::ALL.map(|kind| settings.max_size(kind));
        assert_eq!(sizes, [10, 100, 100, 100, 100]);
    }

    #[test]
    fn a_key_never_gets_into_a_log() {
        let settings = Settings {
            link_keys: vec!["5ec4e7".into(), "5ec4e7".into()],
            ..Settings::in_folder("/srv/askfile")
        };
        let shown = format!("{settings:?}");
        assert!(
            shown.contains("\"link_keys\": \"(hidden, 2 keys)\""),
            "{shown}"
        );
        assert!(shown.contains("\"link_ttl\": \"15m\""), "{shown}");
        assert!(!shown.contains("5ec4e7"), "{shown}");
    }
}
