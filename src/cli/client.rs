//! `askfile client`: what to give an MCP client so that it finds this askfile.

use std::{
    collections::BTreeMap,
    env,
    path::{Path, absolute},
};

use clap::{Args, ValueEnum};
use directories::BaseDirs;
use serde_json::{Value, json};

use super::{network::local_url, say};
use crate::{
    config::{Flags, KEY_VARIABLE, Loaded, Origin, Setting, Settings, TABLE},
    http,
};

/// `askfile client`
#[derive(Debug, Clone, Args)]
pub struct Client {
    /// The program that is to use askfile
    #[arg(value_name = "CLIENT")]
    program: Program,
    #[command(flatten)]
    pub(super) flags: Flags,
}

/// A program that speaks MCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Program {
    /// Claude Desktop and Claude Code
    Claude,
    /// Cursor
    Cursor,
    /// VS Code
    Vscode,
    /// MCP Inspector
    Inspector,
    /// ChatGPT, as a hosted connector
    Chatgpt,
}

/// What is to be done in a client.
#[derive(Debug, PartialEq, Eq)]
struct Setup {
    /// For standard output: what the client reads, and nothing else.
    snippet: String,
    /// For standard error: where it goes, and what else to know.
    advice: Vec<String>,
}

impl Client {
    pub(super) fn run(&self, loaded: &Loaded) -> Result<(), String> {
        let binary = env::current_exe().map_err(|error| error.to_string())?;
        let setup = self.setup(loaded, &binary)?;
        for line in setup.advice {
            eprintln!("{line}");
        }
        say(&setup.snippet);
        Ok(())
    }

    /// # Errors
    /// What must change before this client can be served.
    fn setup(&self, loaded: &Loaded, binary: &Path) -> Result<Setup, String> {
        let askfile = Askfile::new(loaded, binary)?;
        let mut setup = match self.program {
            Program::Claude => askfile.for_claude(),
            Program::Cursor => askfile.for_cursor()?,
            Program::Vscode => askfile.for_vscode()?,
            Program::Inspector => askfile.for_inspector()?,
            Program::Chatgpt => askfile.for_chatgpt()?,
        };
        for setting in given(loaded).filter(|setting| setting.secret) {
            setup.advice.push(format!(
                "{} is secret and not shown here: put it in a settings file, or add it yourself.",
                setting.key
            ));
        }
        Ok(setup)
    }
}

/// This askfile, as somebody else starts or reaches it.
struct Askfile<'a> {
    settings: &'a Settings,
    binary: String,
    /// The settings that the client's own environment does not give.
    environment: BTreeMap<String, String>,
}

impl<'a> Askfile<'a> {
    fn new(loaded: &'a Loaded, binary: &Path) -> Result<Self, String> {
        let settings = &loaded.settings;
        let shown = given(loaded).filter(|setting| !setting.secret);
        let mut environment: BTreeMap<String, String> = shown
            .map(|setting| (setting.variable.clone(), (setting.show)(settings)))
            .collect();
        // A client starts askfile in a folder of its own choice.
        if let Some(file) = &loaded.file {
            environment.insert("ASKFILE_CONFIG".into(), text(file)?);
        }
        if *loaded.origin("data_dir") != Origin::Default {
            environment.insert("ASKFILE_DATA_DIR".into(), text(&settings.data_dir)?);
        }
        Ok(Self {
            settings,
            binary: text(binary)?,
            environment,
        })
    }

    fn for_claude(&self) -> Setup {
        let file = Path::new("claude_desktop_config.json");
        let folder = BaseDirs::new().map(|dirs| dirs.config_dir().join("Claude"));
        let file = folder.map_or(file.to_owned(), |folder| folder.join(file));
        let elsewhere = self.address().ok().flatten().filter(|_| self.wants_key());
        let elsewhere = elsewhere.map(|url| {
            format!(
                "Claude Code elsewhere, with a key: claude mcp add --transport http askfile {url} \
                 --header {BEARER_OF_SHELL}"
            )
        });
        let hosted = self.hosted_address().map(|url| {
            format!(
                "claude.ai: add a custom connector with the address {url}.{}",
                self.sign_in()
            )
        });
        Setup {
            snippet: pretty(&json!({ "mcpServers": { "askfile": self.command() } })),
            advice: [
                format!(
                    "Claude Desktop: put this into {}, then start Claude again.",
                    file.display()
                ),
                // After `--env` comes another option: a name would be taken for one more variable.
                format!(
                    "Claude Code: claude mcp add {}--transport stdio askfile -- {} stdio",
                    self.variables("--env"),
                    quoted(&self.binary)
                ),
            ]
            .into_iter()
            .chain(elsewhere)
            .chain(hosted)
            .collect(),
        }
    }

    fn for_cursor(&self) -> Result<Setup, String> {
        let (server, start) = match self.address()? {
            Some(url) if self.wants_key() => {
                let bearer = format!("Bearer ${{env:{KEY_VARIABLE}}}");
                let headers = json!({ "Authorization": bearer });
                (json!({ "url": url, "headers": headers }), START)
            }
            Some(url) => (json!({ "url": url }), START),
            None => (self.command(), STARTS_ITSELF),
        };
        let place =
            "Cursor: put this into .cursor/mcp.json of a project, or into ~/.cursor/mcp.json.";
        let mut advice = vec![place.into(), start.into()];
        if self.wants_key() {
            advice.push(format!("{MAKE_KEY} Cursor takes it from {KEY_VARIABLE}."));
        } else if self.settings.auth.takes_tokens() {
            advice.push(format!("Cursor has you sign in.{}", self.sign_in()));
        }
        Ok(Setup {
            snippet: pretty(&json!({ "mcpServers": { "askfile": server } })),
            advice,
        })
    }

    fn for_vscode(&self) -> Result<Setup, String> {
        let mut inputs = None;
        let (server, start) = if let Some(url) = self.address()? {
            let mut server = json!({ "type": "http", "url": url });
            if self.wants_key() {
                server["headers"] = json!({ "Authorization": "Bearer ${input:askfile-key}" });
                inputs = Some(json!([{
                    "type": "promptString",
                    "id": "askfile-key",
                    "description": "The key of askfile",
                    "password": true,
                }]));
            }
            (server, START)
        } else {
            let mut server = self.command();
            server["type"] = "stdio".into();
            (server, STARTS_ITSELF)
        };
        let mut snippet = json!({ "servers": { "askfile": server } });
        let place = "VS Code: put this into .vscode/mcp.json of a workspace.";
        let mut advice = vec![place.into(), start.into()];
        if let Some(inputs) = inputs {
            snippet["inputs"] = inputs;
            advice.push(format!("{MAKE_KEY} VS Code asks for it and keeps it."));
        } else if self.settings.auth.takes_tokens() {
            advice.push(format!("VS Code has you sign in.{}", self.sign_in()));
        }
        Ok(Setup {
            snippet: pretty(&snippet),
            advice,
        })
    }

    fn for_inspector(&self) -> Result<Setup, String> {
        const INSPECTOR: &str = "npx -y @modelcontextprotocol/inspector --cli";
        let (snippet, start) = if let Some(url) = self.address()? {
            let key = if self.wants_key() {
                format!("--header {BEARER_OF_SHELL} ")
            } else {
                String::new()
            };
            (format!("{INSPECTOR} {url} {key}--method tools/list"), START)
        } else {
            let (variables, binary) = (self.variables("-e"), quoted(&self.binary));
            let line = format!("{INSPECTOR} {variables}--method tools/list -- {binary} stdio");
            (line, STARTS_ITSELF)
        };
        Ok(Setup {
            snippet,
            advice: vec![
                "MCP Inspector: run this in a shell; it needs Node 22.19 or newer. Without --cli \
                 and --method it opens in a browser."
                    .into(),
                start.into(),
            ],
        })
    }

    /// Where programs that run elsewhere reach it, if they find out by themselves how to be let in.
    fn hosted_address(&self) -> Option<String> {
        let url = self.settings.public_url.as_ref();
        let url =
            url.filter(|url| url.starts_with("https://") && self.settings.page_listen.is_none());
        url.filter(|_| self.settings.auth.takes_tokens())
            .map(|url| format!("{url}/mcp"))
    }

    /// What people do whom a client leads to the page on which it is let in.
    fn sign_in(&self) -> &'static str {
        if self.settings.auth.builtin {
            " On the page to which it leads, type the code of `askfile signin --for NAME`."
        } else {
            ""
        }
    }

    /// ChatGPT calls from its own servers, and takes no keys.
    fn for_chatgpt(&self) -> Result<Setup, String> {
        let url = self.settings.public_url.as_deref();
        let Some(url) = url.filter(|url| url.starts_with("https://")) else {
            return Err(
                "ChatGPT calls MCP servers from the internet, so askfile needs a public HTTPS \
                 address: set public_url to one whose proxy or tunnel leads here, and auth to \
                 builtin, so that people sign in: ChatGPT takes no keys."
                    .into(),
            );
        };
        if let Some(snippet) = self.hosted_address() {
            return Ok(Setup {
                snippet,
                advice: vec![format!(
                    "ChatGPT: make a connector (an app, in developer mode) with this address and \
                     OAuth.{}",
                    self.sign_in()
                )],
            });
        }
        if !self.settings.auth.is_open() || !self.settings.i_know_this_is_open {
            return Err(format!(
                "ChatGPT would call {url}/mcp, which is closed to it: it takes no keys. Set auth to \
                 builtin, so that people sign in, and leave page_listen out."
            ));
        }
        Ok(Setup {
            snippet: format!("{url}/mcp"),
            advice: vec![
                "ChatGPT: make a connector with this address, without authentication.".into(),
                "Everybody who finds this address acts as the owner of this askfile: end it after \
                 the trial."
                    .into(),
            ],
        })
    }

    /// How a client starts it.
    fn command(&self) -> Value {
        json!({ "command": self.binary, "args": ["stdio"], "env": self.environment })
    }

    /// The environment as options of a shell command, each with a space after it.
    fn variables(&self, option: &str) -> String {
        let variables = self.environment.iter();
        let options = variables.map(|(name, value)| {
            let pair = quoted(&format!("{name}={value}"));
            format!("{option} {pair} ")
        });
        options.collect()
    }

    /// Where a running server speaks MCP; nowhere if it serves signed links only.
    fn address(&self) -> Result<Option<String>, String> {
        let local = local_url(self.settings.listen);
        let public = self.settings.public_url.as_ref().unwrap_or(&local);
        if http::is_links_only(self.settings, public) {
            return Ok(None);
        }
        if self.settings.listen.port() == 0 {
            return Err(
                "listen has the port 0, which is another one at each start: choose a port.".into(),
            );
        }
        // Where there is a lock, clients elsewhere get in too.
        let is_locked = !self.settings.auth.is_open();
        let is_reached = is_locked && self.settings.page_listen.is_none();
        let url = if is_reached { public } else { &local };
        Ok(Some(format!("{url}/mcp")))
    }

    /// Whether callers over HTTP show a key.
    fn wants_key(&self) -> bool {
        self.settings.auth.keys
    }
}

/// The header with the key, as a word of a shell command.
const BEARER_OF_SHELL: &str = "\"Authorization: Bearer $ASKFILE_KEY\"";
/// How to come by a key.
const MAKE_KEY: &str = "`askfile keys create --name NAME` makes the key.";
/// What must be done where a client is given an address.
const START: &str = "Start `askfile serve` first, with the same settings.";
/// What is to be known where a client is given a command.
const STARTS_ITSELF: &str =
    "It starts askfile itself: with this public_url, MCP over HTTP is closed.";

/// The settings that would be others where a client starts askfile.
fn given(loaded: &Loaded) -> impl Iterator<Item = &'static Setting> {
    TABLE.iter().filter(|setting| {
        matches!(
            loaded.origin(setting.key),
            Origin::Environment(_) | Origin::Flag(_)
        )
    })
}

/// The path as a client needs it: it starts askfile in a folder of its own choice.
fn text(path: &Path) -> Result<String, String> {
    let path = absolute(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let text = path.to_str().map(str::to_owned);
    text.ok_or_else(|| format!("{}: this path cannot be written as text", path.display()))
}

fn pretty(value: &Value) -> String {
    format!("{value:#}")
}

/// The text as one word of a POSIX shell.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load;

    fn setup(program: Program, environment: &[(&str, &str)]) -> Result<Setup, String> {
        let environment = environment.iter();
        let environment = environment.map(|(name, value)| (name.into(), value.into()));
        let home = [("ASKFILE_DATA_DIR".into(), "/srv/ask file".into())];
        let flags = Flags::default();
        let loaded = load(&flags, environment.chain(home), Path::new("/nowhere")).unwrap();
        Client { program, flags }.setup(&loaded, Path::new("/opt/askfile"))
    }

    fn json_of(program: Program, environment: &[(&str, &str)]) -> Value {
        serde_json::from_str(&setup(program, environment).unwrap().snippet).unwrap()
    }

    const PUBLIC: [(&str, &str); 1] = [("ASKFILE_PUBLIC_URL", "https://files.example.com")];

    #[test]
    fn a_client_that_starts_askfile_gets_the_same_settings() {
        let given = [("ASKFILE_MAX_FILE_SIZE", "10MB")];
        let env = json!({"ASKFILE_DATA_DIR": "/srv/ask file", "ASKFILE_MAX_FILE_SIZE": "10MB"});
        assert_eq!(
            json_of(Program::Claude, &given),
            json!({"mcpServers": {"askfile": {
                "command": "/opt/askfile", "args": ["stdio"], "env": env,
            }}})
        );
        let advice = setup(Program::Claude, &given).unwrap().advice;
        assert!(advice[0].contains("claude_desktop_config.json"));
        assert_eq!(
            advice[1],
            "Claude Code: claude mcp add --env 'ASKFILE_DATA_DIR=/srv/ask file' \
             --env ASKFILE_MAX_FILE_SIZE=10MB --transport stdio askfile -- /opt/askfile stdio"
        );
    }

    #[test]
    fn a_client_of_a_running_server_gets_its_address() {
        let listen = [("ASKFILE_LISTEN", "0.0.0.0:9000")];
        let url = "http://127.0.0.1:9000/mcp";
        assert_eq!(
            json_of(Program::Cursor, &listen),
            json!({"mcpServers": {"askfile": {"url": url}}})
        );
        assert_eq!(
            json_of(Program::Vscode, &listen),
            json!({"servers": {"askfile": {"type": "http", "url": url}}})
        );
        let inspector = setup(Program::Inspector, &listen).unwrap();
        assert!(inspector.snippet.contains(url), "{}", inspector.snippet);
    }

    #[test]
    fn where_http_serves_links_only_every_client_starts_askfile_itself() {
        let cursor = json_of(Program::Cursor, &PUBLIC);
        assert_eq!(cursor["mcpServers"]["askfile"]["args"], json!(["stdio"]));
        let vscode = json_of(Program::Vscode, &PUBLIC);
        assert_eq!(vscode["servers"]["askfile"]["type"], "stdio");
        let env = &vscode["servers"]["askfile"]["env"];
        assert_eq!(env["ASKFILE_PUBLIC_URL"], "https://files.example.com");
        let inspector = setup(Program::Inspector, &PUBLIC).unwrap().snippet;
        assert!(inspector.ends_with("-- /opt/askfile stdio"), "{inspector}");
    }

    #[test]
    fn where_a_key_is_wanted_every_client_is_told_where_to_put_it() {
        let keys = [PUBLIC[0], ("ASKFILE_AUTH", "keys")];
        let url = "https://files.example.com/mcp";
        let cursor = &json_of(Program::Cursor, &keys)["mcpServers"]["askfile"];
        assert_eq!(cursor["url"], url);
        let header = &cursor["headers"]["Authorization"];
        assert_eq!(header, "Bearer ${env:ASKFILE_KEY}");
        let vscode = json_of(Program::Vscode, &keys);
        let header = &vscode["servers"]["askfile"]["headers"]["Authorization"];
        assert_eq!(header, "Bearer ${input:askfile-key}");
        assert_eq!(vscode["inputs"][0]["id"], "askfile-key");
        let told = [
            setup(Program::Inspector, &keys).unwrap().snippet,
            setup(Program::Claude, &keys).unwrap().advice[2].clone(),
        ];
        for line in told {
            let header = "--header \"Authorization: Bearer $ASKFILE_KEY\"";
            assert!(line.contains(url) && line.contains(header), "{line}");
        }
        let why = setup(Program::Chatgpt, &keys).unwrap_err();
        assert!(why.contains("takes no keys"), "{why}");
    }

    #[test]
    fn where_people_sign_in_clients_get_the_address_alone() {
        let builtin = [PUBLIC[0], ("ASKFILE_AUTH", "builtin")];
        let url = "https://files.example.com/mcp";
        let chatgpt = setup(Program::Chatgpt, &builtin).unwrap();
        assert_eq!(chatgpt.snippet, url);
        let cursor = setup(Program::Cursor, &builtin).unwrap();
        let entry = json!({"mcpServers": {"askfile": {"url": url}}});
        assert_eq!(
            serde_json::from_str::<Value>(&cursor.snippet).unwrap(),
            entry
        );
        let claude = setup(Program::Claude, &builtin).unwrap();
        for told in [&chatgpt.advice[0], &cursor.advice[2], &claude.advice[2]] {
            assert!(told.contains("askfile signin --for NAME"), "{told}");
        }
        let both = [PUBLIC[0], ("ASKFILE_AUTH", "keys, builtin")];
        assert_eq!(setup(Program::Chatgpt, &both).unwrap().snippet, url);
    }

    #[test]
    fn chatgpt_is_refused_until_its_calls_could_be_answered() {
        let why = setup(Program::Chatgpt, &[]).unwrap_err();
        assert!(why.contains("public HTTPS address"), "{why}");
        let why = setup(Program::Chatgpt, &PUBLIC).unwrap_err();
        assert!(why.contains("https://files.example.com/mcp, which is closed"));
        let open = [PUBLIC[0], ("ASKFILE_I_KNOW_THIS_IS_OPEN", "true")];
        let setup = setup(Program::Chatgpt, &open).unwrap();
        assert_eq!(setup.snippet, "https://files.example.com/mcp");
    }

    #[test]
    fn a_key_is_left_out_and_said_to_be() {
        let key = "0a".repeat(32);
        let setup = setup(Program::Claude, &[("ASKFILE_LINK_KEYS", &key)]).unwrap();
        let all = format!("{} {}", setup.snippet, setup.advice.join(" "));
        assert!(!all.contains(&key) && !all.contains("hidden"), "{all}");
        assert!(all.contains("link_keys is secret"), "{all}");
    }

    #[test]
    fn what_a_shell_would_take_apart_is_quoted() {
        assert_eq!(quoted("/opt/a-b_c.d"), "/opt/a-b_c.d");
        assert_eq!(quoted("it's $HOME"), r"'it'\''s $HOME'");
        assert_eq!(quoted(""), "''");
    }
}
