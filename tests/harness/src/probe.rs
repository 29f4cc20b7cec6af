//! Whether a server is there and answers, asked in its own protocol as far as one packet goes.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// A server that takes connections answers the first packet at once.
const ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// Version 3.0 of PostgreSQL's protocol.
const POSTGRES_PROTOCOL: u32 = 3 << 16;

/// MySQL's first packet: three bytes of length, one of sequence, then the protocol's version, which is 10. An error
/// packet has 255 there.
const GREETING_BYTES: usize = 5;
const MYSQL_PROTOCOL: u8 = 10;

/// What Redis answers to a ping once it takes commands.
const PONG: &[u8; 5] = b"+PONG";

/// Whether PostgreSQL is ready to let somebody in. One that still recovers takes the connection, too, but answers with
/// an error (`E`) where it would ask for authentication (`R`).
pub(crate) fn postgres(host: &str, port: u16) -> bool {
    let parameters = b"user\0postgres\0database\0postgres\0\0";
    let mut answer = [0; 1];
    let asked = connect(host, port).and_then(|mut stream| {
        let length = u32::try_from(2 * size_of::<u32>() + parameters.len()).unwrap_or_default();
        let head = [length.to_be_bytes(), POSTGRES_PROTOCOL.to_be_bytes()].concat();
        stream.write_all(&[&head, parameters.as_slice()].concat())?;
        stream.read_exact(&mut answer)
    });
    asked.is_ok() && answer == *b"R"
}

/// Whether MySQL or MariaDB greets. It accepts when recovery and the statements of the start are through.
pub(crate) fn mysql(host: &str, port: u16) -> bool {
    let mut greeting = [0; GREETING_BYTES];
    let greeted = connect(host, port).and_then(|mut stream| stream.read_exact(&mut greeting));
    greeted.is_ok() && greeting.last() == Some(&MYSQL_PROTOCOL)
}

/// Whether Redis takes commands.
pub(crate) fn redis(host: &str, port: u16) -> bool {
    let mut answer = [0; PONG.len()];
    let asked = connect(host, port).and_then(|mut stream| {
        stream.write_all(b"PING\r\n")?;
        stream.read_exact(&mut answer)
    });
    asked.is_ok() && answer == *PONG
}

/// Whether a server speaks HTTP/2 without encryption, as gRPC does: it answers the preface with its settings.
pub(crate) fn http2(host: &str, port: u16) -> bool {
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
    /// No bytes follow, and it is on no stream.
    const EMPTY_SETTINGS: [u8; 9] = [0, 0, 0, SETTINGS, 0, 0, 0, 0, 0];
    /// The fourth byte of a frame says what it is.
    const SETTINGS: u8 = 4;
    let mut frame = [0; 9];
    let asked = connect(host, port).and_then(|mut stream| {
        stream.write_all(&[PREFACE, &EMPTY_SETTINGS].concat())?;
        stream.read_exact(&mut frame)
    });
    asked.is_ok() && frame.get(3) == Some(&SETTINGS)
}

/// Whether it is this process that listens there, on an address of IPv4.
pub(crate) fn listens(pid: u32, port: u16) -> bool {
    const LISTENING: &str = "0A";
    let table = fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let ending = format!(":{port:04X}");
    let socket = table.lines().find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (local, state) = (fields.next()?, fields.nth(1)?);
        let inode = fields.nth(5)?;
        (local.ends_with(&ending) && state == LISTENING).then(|| format!("socket:[{inode}]"))
    });
    let Some(socket) = socket else { return false };
    let files = fs::read_dir(format!("/proc/{pid}/fd"));
    files
        .into_iter()
        .flatten()
        .flatten()
        .any(|file| fs::read_link(file.path()).is_ok_and(|target| target.as_os_str() == socket.as_str()))
}

fn connect(host: &str, port: u16) -> std::io::Result<TcpStream> {
    let address = (host, port)
        .to_socket_addrs()?
        .next()
        .ok_or(std::io::ErrorKind::NotFound)?;
    let stream = TcpStream::connect_timeout(&address, ANSWERS_WITHIN)?;
    stream.set_read_timeout(Some(ANSWERS_WITHIN))?;
    Ok(stream)
}
