//! Sends commands to Redis: the harness brings no client of its own, and the protocol is a page long.

use std::io::{BufRead, BufReader, Error, ErrorKind, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::HarnessError;
use crate::url::{self, Address};

const DEFAULT_PORT: &str = "6379";

/// How long a connection, or an answer, may take.
const ANSWERS_WITHIN: Duration = Duration::from_secs(10);

/// No answer that tests ask for is longer.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// How many answers may stand in one answer, and how deep: tests ask for flat lists.
const ELEMENTS_MAX: usize = 10_000;
const DEPTH_MAX: usize = 8;

/// One connection.
#[derive(Debug)]
pub struct RedisClient {
    stream: BufReader<TcpStream>,
}

impl RedisClient {
    /// Connects to the server that the URL leads to, and logs in if the URL has a password.
    ///
    /// # Errors
    ///
    /// [`HarnessError::BadInput`] when it is no `redis://` URL; another when nobody answers there.
    pub fn connect(redis_url: &str) -> Result<Self, HarnessError> {
        Self::connect_within(redis_url, ANSWERS_WITHIN)
    }

    /// The same with another limit to the wait for the connection and for each answer. Default: 10 s.
    ///
    /// # Errors
    ///
    /// As [`Self::connect`].
    pub fn connect_within(redis_url: &str, limit: Duration) -> Result<Self, HarnessError> {
        let address = Address::of(redis_url, url::REDIS)?;
        let port = address.port.as_deref().unwrap_or(DEFAULT_PORT);
        let stream = connect(&format!("{}:{port}", bracketed(&address.host)), limit)
            .map_err(HarnessError::io("connect to Redis"))?;
        let mut client = Self {
            stream: BufReader::new(stream),
        };
        match (&address.user, &address.password) {
            (Some(user), Some(password)) => client.run(&["AUTH", user, password]).map(drop)?,
            (None, Some(password)) => client.run(&["AUTH", password]).map(drop)?,
            (_, None) => {}
        }
        Ok(client)
    }

    /// Sends one command and returns its answer as text: the elements of a list one a line, nothing for nil.
    ///
    /// # Errors
    ///
    /// [`HarnessError::Refused`] with the server's answer; another when there is none.
    pub fn run(&mut self, words: &[&str]) -> Result<String, HarnessError> {
        let error = || HarnessError::io("ask Redis");
        let mut request = format!("*{}\r\n", words.len());
        for word in words {
            request += &format!("${}\r\n{word}\r\n", word.len());
        }
        self.stream
            .get_mut()
            .write_all(request.as_bytes())
            .map_err(error())?;
        let mut lines = Vec::new();
        self.read_answer(&mut lines, DEPTH_MAX)?;
        Ok(lines.join("\n"))
    }

    fn read_answer(&mut self, lines: &mut Vec<String>, depth_left: usize) -> Result<(), HarnessError> {
        let error = || HarnessError::io("hear from Redis");
        let head = self.read_line().map_err(error())?;
        let (kind, rest) = head.split_at_checked(1).unwrap_or_default();
        match kind {
            "+" | ":" => lines.push(rest.to_owned()),
            "-" => return Err(HarnessError::Refused(rest.to_owned())),
            "$" => lines.push(self.read_text(rest).map_err(error())?),
            "*" => {
                let elements = length(rest).map_err(error())?.unwrap_or_default();
                if elements > ELEMENTS_MAX || depth_left == 0 {
                    return Err(error()(too_much()));
                }
                for _ in 0..elements {
                    self.read_answer(lines, depth_left - 1)?;
                }
            }
            _ => return Err(error()(not_understood(&head))),
        }
        Ok(())
    }

    fn read_line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        let most = u64::try_from(ANSWER_BYTES_MAX).unwrap_or(u64::MAX);
        (&mut self.stream).take(most).read_line(&mut line)?;
        if line.is_empty() {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end_matches(['\r', '\n']).to_owned())
    }

    fn read_text(&mut self, announced: &str) -> std::io::Result<String> {
        let Some(bytes) = length(announced)? else {
            return Ok(String::new());
        };
        if bytes > ANSWER_BYTES_MAX {
            return Err(too_much());
        }
        let mut text = vec![0; bytes + "\r\n".len()];
        self.stream.read_exact(&mut text)?;
        text.truncate(bytes);
        Ok(String::from_utf8_lossy(&text).into_owned())
    }
}

fn connect(address: &str, limit: Duration) -> std::io::Result<TcpStream> {
    let address = address.to_socket_addrs()?.next().ok_or(ErrorKind::NotFound)?;
    let stream = TcpStream::connect_timeout(&address, limit)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(limit))?;
    stream.set_write_timeout(Some(limit))?;
    Ok(stream)
}

fn bracketed(host: &str) -> String {
    if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    }
}

/// A negative length means nil.
fn length(text: &str) -> std::io::Result<Option<usize>> {
    let number: i64 = text.parse().map_err(|_| not_understood(text))?;
    Ok(usize::try_from(number).ok())
}

fn too_much() -> Error {
    Error::other("it says more than a test asks for")
}

fn not_understood(line: &str) -> Error {
    Error::other(format!("it doesn't speak like this: {line:?}"))
}
