//! The browser's driver comes up, and everything of it goes.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;

use outbox_test_harness::browser::Window;
use outbox_test_harness::requirement;

/// One request to the driver, by hand: the harness has no client of its own.
fn request(port: &str, method: &str, path: &str, body: &str) -> String {
    let mut stream = TcpStream::connect(port).unwrap();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {port}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    // The driver keeps the connection open, whatever it is asked.
    let mut answer = Vec::new();
    loop {
        let text = String::from_utf8_lossy(&answer).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                (name.eq_ignore_ascii_case("content-length")).then(|| value.trim().parse().unwrap())
            });
            if body.len() >= length.unwrap_or(0) {
                return text;
            }
        }
        let mut part = [0; 4096];
        let read = stream.read(&mut part).unwrap();
        assert_ne!(read, 0, "{text}");
        answer.extend_from_slice(&part[..read]);
    }
}

#[test]
fn a_session_has_a_browser_and_both_go_with_the_driver() {
    let Some(browser) = requirement::browser() else {
        return;
    };
    let address = browser.url().trim_start_matches("http://").to_owned();
    let capabilities = format!(
        r#"{{"capabilities": {{"alwaysMatch": {}}}}}"#,
        browser.capabilities(Window::Phone)
    );
    let answer = request(&address, "POST", "/session", &capabilities);
    let session = answer
        .split(r#""sessionId":""#)
        .nth(1)
        .unwrap_or_else(|| panic!("{answer}"));
    let session = session.split('"').next().unwrap();
    let page = r#"{"url": "data:text/html,<meta name=viewport content=width=device-width>"}"#;
    request(&address, "POST", &format!("/session/{session}/url"), page);
    let script = r#"{"script": "return 'wide: ' + window.innerWidth", "args": []}"#;
    let answer = request(
        &address,
        "POST",
        &format!("/session/{session}/execute/sync"),
        script,
    );
    assert!(answer.contains("wide: 390"), "{answer}");

    let (driver, folder) = (
        PathBuf::from(format!("/proc/{}", browser.pid())),
        browser.folder().to_owned(),
    );
    // Also those that have left the tree: all have the folder in their environment.
    let of_ours = || {
        let processes = std::fs::read_dir("/proc").unwrap().flatten();
        let environments = processes.filter_map(|process| std::fs::read(process.path().join("environ")).ok());
        let folder = folder.to_str().unwrap().as_bytes();
        let ours = environments.filter(|text| text.windows(folder.len()).any(|part| part == folder));
        ours.count()
    };
    assert!(driver.exists() && of_ours() > 0);
    drop(browser);
    assert!(!driver.exists() && of_ours() == 0 && !folder.exists());
}
