//! A port for a server to listen on.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};

use crate::{HarnessError, random};

/// Below the range from which Linux takes the ports of outgoing connections, where it can be read.
const DEFAULT_EPHEMERAL_FROM: u16 = 32768;
const LOWEST: u16 = 10_000;
const TRIES: usize = 200;

/// A port on 127.0.0.1 that nothing listens on now.
///
/// It lies below the range of outgoing connections: a client that keeps dialling a killed server would otherwise be
/// given that very port in the end, connect to itself, and keep the server from coming back.
///
/// # Errors
///
/// [`HarnessError::NoFreePort`] when none of the ports tried is free.
pub fn free_port() -> Result<u16, HarnessError> {
    let highest = ephemeral_from().max(LOWEST + 1) - 1;
    let span = u64::from(highest - LOWEST) + 1;
    (0..TRIES)
        .filter_map(|_| u16::try_from(u64::from(LOWEST) + random::number() % span).ok())
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .ok_or(HarnessError::NoFreePort {
            tried: TRIES,
            lowest: LOWEST,
            highest,
        })
}

fn ephemeral_from() -> u16 {
    fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range")
        .ok()
        .and_then(|range| range.split_whitespace().next()?.parse().ok())
        .unwrap_or(DEFAULT_EPHEMERAL_FROM)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_port_can_be_bound_and_lies_below_outgoing_ones() {
        let port = free_port().unwrap();
        assert!((LOWEST..ephemeral_from()).contains(&port));
        TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    }
}
