//! Whether a container engine answers on this machine.

use std::env;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};

/// Where an engine is reached, if not at its usual socket.
const DOCKER_HOST: &str = "DOCKER_HOST";

const SOCKET: &str = "/var/run/docker.sock";

/// An engine that is there answers this at once.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);

/// See "Ping" in the Docker Engine API.
const PING: &[u8] = b"GET /_ping HTTP/1.0\r\nHost: docker\r\n\r\n";

/// Where the engine is; an error says why there is none.
pub(crate) fn find() -> Result<String> {
    let named = env::var(DOCKER_HOST).ok().filter(|host| !host.is_empty());
    let host = match named {
        Some(host) => host,
        None if Path::new(SOCKET).exists() => format!("unix://{SOCKET}"),
        None => bail!("there is no container engine: {DOCKER_HOST} is not set and {SOCKET} isn't there"),
    };
    ping(&host).with_context(|| format!("no container engine answers at {host}"))?;
    Ok(host)
}

fn ping(host: &str) -> Result<()> {
    match host.split_once("://") {
        Some(("unix", socket)) => {
            let stream = UnixStream::connect(socket)?;
            stream.set_read_timeout(Some(ANSWERS_WITHIN))?;
            pong(stream)
        }
        Some(("tcp" | "http", address)) => {
            let address = address.to_socket_addrs()?.next().context("it has no address")?;
            let stream = TcpStream::connect_timeout(&address, ANSWERS_WITHIN)?;
            stream.set_read_timeout(Some(ANSWERS_WITHIN))?;
            pong(stream)
        }
        _ => bail!("only unix:// and tcp:// are understood"),
    }
}

fn pong(mut stream: impl Read + Write) -> Result<()> {
    stream.write_all(PING)?;
    let mut answer = String::new();
    // What came before the deadline is enough, if it is the answer.
    let read = stream.read_to_string(&mut answer);
    match answer.lines().next() {
        Some(status) if status.split(' ').nth(1) == Some("200") => Ok(()),
        Some(status) => bail!("it answers {status:?}"),
        None => read.map_err(Into::into).and_then(|_| bail!("it answers nothing")),
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn answering(answer: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let host = format!("tcp://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = vec![0; PING.len()];
            stream.read_exact(&mut request).unwrap();
            stream.write_all(answer.as_bytes()).unwrap();
        });
        host
    }

    #[test]
    fn only_an_engine_answers_like_one() {
        ping(&answering("HTTP/1.0 200 OK\r\n\r\nOK")).unwrap();
        assert!(ping(&answering("HTTP/1.0 404 Not Found\r\n\r\n")).is_err());
        assert!(ping(&answering("")).is_err());
        assert!(ping("ssh://somewhere").is_err());
    }
}
