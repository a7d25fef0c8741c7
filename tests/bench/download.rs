//! One large file from the local disk, against nginx that serves the same file.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command},
    time::Duration,
};

use serde_json::json;

use crate::{
    client::{call, structured},
    large::{GIB, make},
    median,
    server::Server,
    timed,
};

const ROUNDS: usize = 7;

/// nginx as it is set up for files, in a folder of its own.
struct Nginx {
    process: Child,
    port: u16,
}

impl Nginx {
    fn start(folder: &Path, root: &Path) -> Self {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        fs::create_dir(folder).unwrap();
        let (own, root) = (folder.display(), root.display());
        let config = format!(
            "daemon off; pid {own}/pid; error_log stderr; user root; events {{}}
             http {{
                 access_log off; sendfile on; tcp_nopush on;
                 client_body_temp_path {own}/a; proxy_temp_path {own}/b; fastcgi_temp_path {own}/c;
                 uwsgi_temp_path {own}/d; scgi_temp_path {own}/e;
                 server {{ listen 127.0.0.1:{port}; root {root}; }}
             }}"
        );
        let file = folder.join("nginx.conf");
        fs::write(&file, config).unwrap();
        let path = std::env::var("PATH").unwrap() + ":/usr/sbin:/usr/local/sbin";
        let process = Command::new("nginx")
            .env("PATH", path)
            .arg("-p")
            .arg(folder)
            .arg("-c")
            .arg(&file)
            .spawn()
            .unwrap();
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { process, port }
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        // Its worker ends with it only when it is asked to.
        let pid = self.process.id().to_string();
        let _ = Command::new("kill").args(["-QUIT", &pid]).status();
        let _ = self.process.wait();
    }
}

pub async fn run() {
    let server = Server::start(&[("ASKFILE_MAX_FILE_SIZE", "4GB")]);
    let source = server.folder.path().join("source");
    make(&source, GIB);
    let (paths, token) = server.links(1).await;
    let link = format!("http://{}{}", server.address, paths[0]);
    timed("curl", &["-sSf", "-T", source.to_str().unwrap(), &link]);
    fs::remove_file(source).unwrap();
    let mut client = server.client().await;
    let request = call(&server.address, "upload_status", &json!({ "token": token }));
    let status = structured(&client.call(&request).await);
    let media = &status["result"]["media"][0]["media_id"];
    let asked = json!({ "media_id": media, "expires_in_seconds": 3_600 });
    let request = call(&server.address, "media_get", &asked);
    let shown = structured(&client.call(&request).await);

    let medias = server.folder.path().join("medias");
    let nginx = Nginx::start(&server.folder.path().join("nginx"), &medias);
    let file = shown["upload_key"].as_str().unwrap();
    let file = file.trim_start_matches("medias/");
    let theirs = format!("http://127.0.0.1:{}/{file}", nginx.port);
    let ours = shown["download_url"].as_str().unwrap();
    let mut ratios = Vec::new();
    for _ in 0..ROUNDS {
        let [ours, theirs] = [ours, &theirs].map(|url| timed("curl", &["-sSf", url]));
        println!("  1 GiB: askfile {ours:.2} s, nginx {theirs:.2} s");
        ratios.push(theirs / ours);
    }
    println!(
        "download of 1 GiB / nginx serving the same file: {:.2} of its speed (goal: 0.70)",
        median(ratios)
    );
    println!(
        "  resident memory at its highest: {:.0} MB",
        server.memory("VmHWM")
    );
}
