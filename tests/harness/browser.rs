//! Debian's Chromium, driven by Playwright: pages are opened in it as people have them, by the keyboard alone if wanted,
//! and held against what a machine can tell of accessibility. `tests/browser/browser.mjs` says what a request to it is.

use std::{
    io::Write as _,
    process::{Command, Stdio},
};

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    task::JoinSet,
};

use crate::{
    npm::{self, Packages},
    target,
};

/// Where Debian puts it.
const CHROMIUM: &str = "/usr/bin/chromium";
const PROGRAM: &str = include_str!("../browser/browser.mjs");
/// What is installed: each by version and digest.
const PACKAGES: Packages = Packages {
    name: "browser",
    wanted: include_str!("../browser/package.json"),
    locked: include_str!("../browser/package-lock.json"),
};
/// A desk and a phone, in pixels.
const WIDTHS: [u32; 2] = [1280, 390];

/// What is wrong with pages, each looked at by the name of its picture and its path.
pub async fn faults(base: &str, pages: &[(&str, String)]) -> Vec<String> {
    let looks: Vec<_> = pages.iter().map(|(name, path)| json!({ "name": name, "path": path })).collect();
    drive(json!({ "base": base, "looks": looks, "settings": settings() })).await
}

/// What somebody does by the keyboard alone, in each of the settings one after the other. Besides the service only
/// `elsewhere` may be asked for anything.
///
/// # Panics
/// If a step cannot be done, or anything is wrong with a page on the way.
pub async fn walk(base: &str, elsewhere: &str, steps: &Value) {
    let request = json!({ "base": base, "elsewhere": [elsewhere], "steps": steps, "settings": settings() });
    let faults = drive(request).await;
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The same, where it takes JavaScript.
///
/// # Panics
/// As [`walk`].
pub async fn walk_with_javascript(base: &str, elsewhere: &str, steps: &Value) {
    let settings: Vec<_> = settings().into_iter().filter(|setting| setting["javascript"] == true).collect();
    let request = json!({ "base": base, "elsewhere": [elsewhere], "steps": steps, "settings": settings });
    let faults = drive(request).await;
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Each width, in the light and in the dark, with and without JavaScript.
fn settings() -> Vec<Value> {
    let mut settings = Vec::new();
    for width in WIDTHS {
        for theme in ["light", "dark"] {
            for javascript in [true, false] {
                settings.push(json!({ "width": width, "theme": theme, "javascript": javascript }));
            }
        }
    }
    settings
}

async fn drive(mut request: Value) -> Vec<String> {
    let done = tokio::task::spawn_blocking(move || {
        let (modules, screenshots) = (npm::installed(&PACKAGES), target().join("screenshots"));
        request["browser"] = json!(CHROMIUM);
        request["modules"] = json!(modules);
        request["screenshots"] = json!(screenshots);
        let mut node = Command::new("node")
            .args(["--input-type=module", "--eval", PROGRAM])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Node: ./tests/run installs it");
        let mut input = node.stdin.take().expect("a pipe");
        input.write_all(request.to_string().as_bytes()).expect("a request");
        drop(input);
        node.wait_with_output().expect("Node ends")
    });
    let output = done.await.expect("a thread");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "the browser was not driven to the end: {said}");
    let found: Value = serde_json::from_str(&said).expect("JSON");
    let faults = found["faults"].as_array().expect("faults").iter();
    faults.map(|fault| fault.as_str().expect("a sentence").to_owned()).collect()
}

/// Somebody else's address, where a browser that is sent there finds one page, whatever it asks for.
#[derive(Debug)]
pub struct Elsewhere {
    /// `http://127.0.0.1:<port>`
    pub base: String,
    _serving: JoinSet<()>,
}

impl Elsewhere {
    /// Waits on a free port, as long as it lives.
    pub async fn start(page: &str) -> Self {
        Self::serve("script-src 'self'", page).await
    }

    /// The same with a page that has a program of its own.
    pub async fn start_with_script(page: &str) -> Self {
        Self::serve("script-src 'unsafe-inline'", page).await
    }

    async fn serve(policy: &str, page: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let base = format!("http://{}", listener.local_addr().expect("an address"));
        let answer = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/html\r\ncontent-security-policy: {policy}\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{page}",
            page.len()
        );
        let mut serving = JoinSet::new();
        serving.spawn(async move {
            loop {
                let Ok((mut stream, _)) = listener.accept().await else { return };
                let mut head = [0; 8_192];
                let _read = stream.read(&mut head).await;
                let _written = stream.write_all(answer.as_bytes()).await;
            }
        });
        Self { base, _serving: serving }
    }
}
