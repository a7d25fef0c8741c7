//! The real binary, on a data folder of its own.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::client::{Client, call, structured};

pub struct Server {
    process: Child,
    pub address: String,
    pub folder: TempDir,
}

impl Server {
    pub fn start(settings: &[(&str, &str)]) -> Self {
        // In the target folder, which is on a disk where a temporary one may be in memory.
        let folder = TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_askfile"));
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--log", "warn"])
            .env("ASKFILE_DATA_DIR", folder.path())
            .env("ASKFILE_RATE_LIMIT_UPLOADS_PER_MINUTE", "0")
            .env("ASKFILE_RATE_LIMIT_LINKS_PER_MINUTE", "0")
            .env("ASKFILE_RATE_LIMIT_TOOL_CALLS_PER_MINUTE", "0")
            .stdout(Stdio::piped());
        for (name, value) in settings {
            command.env(name, value);
        }
        let mut process = command.spawn().unwrap();
        let lines = BufReader::new(process.stdout.take().unwrap()).lines();
        let address = lines
            .map_while(Result::ok)
            .find_map(|line| Some(line.split_once("http://")?.1.split('/').next()?.to_owned()))
            .unwrap();
        Self {
            process,
            address,
            folder,
        }
    }

    pub async fn client(&self) -> Client {
        Client::open(&self.address).await
    }

    /// The paths and queries of so many fresh links, and the last one's token.
    pub async fn links(&self, count: usize) -> (Vec<String>, String) {
        let mut client = self.client().await;
        let request = call(&self.address, "upload_create", &json!({}));
        let (mut paths, mut token) = (Vec::new(), String::new());
        for _ in 0..count {
            let made: Value = structured(&client.call(&request).await);
            let url = made["upload_url"].as_str().unwrap();
            paths.push(url[url.find("/uploads/").unwrap()..].to_owned());
            made["token"].as_str().unwrap().clone_into(&mut token);
        }
        (paths, token)
    }

    /// Resident memory in MB: now, or at its highest.
    pub fn memory(&self, which: &str) -> f64 {
        let file = format!("/proc/{}/status", self.process.id());
        let status = std::fs::read_to_string(file).unwrap();
        let line = status.lines().find(|line| line.starts_with(which)).unwrap();
        let kilobytes: f64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
        kilobytes / 1024.0
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
