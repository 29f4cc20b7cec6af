//! The one script, and what its numbers mean.

use redis::{Cmd, Script};

use crate::lock::Token;

const SOURCE: &str = include_str!("lock.lua");

/// What a call holds besides key, token and text of the script: its name, its hash, an operation, two numbers.
const CALL_BYTES: usize = 160;

/// What is to be done with a key.
#[derive(Clone, Copy, Debug)]
pub(super) enum Operation {
    Acquire { token: Token, lease: u64 },
    Extend { token: Token, lease: u64 },
    Release { token: Token },
    MarkDone { keep: u64 },
}

/// What a number says that [`Operation::Acquire`] was answered with; from 0 on it is what is left of a lease.
pub(super) const GRANTED: i64 = -1;
pub(super) const DONE: i64 = -2;

/// What stands for a done mark.
pub(super) const MARK: &[u8] = b"D";

/// What says whether any other operation was carried out.
pub(super) const CARRIED_OUT: i64 = 1;

/// The script, whose hash is reckoned once.
#[derive(Debug)]
pub(super) struct LockScript {
    hash: String,
}

impl LockScript {
    pub(super) fn new() -> Self {
        Self {
            hash: Script::new(SOURCE).get_hash().to_owned(),
        }
    }

    /// A call by the hash, for a server that has seen the script.
    pub(super) fn by_hash(&self, name: &str, operation: Operation) -> Cmd {
        call("EVALSHA", &self.hash, name, operation)
    }

    /// A call by the text, after which the server knows the hash.
    pub(super) fn by_text(&self, name: &str, operation: Operation) -> Cmd {
        call("EVAL", SOURCE, name, operation)
    }
}

fn call(how: &str, script: &str, name: &str, operation: Operation) -> Cmd {
    const ARGUMENTS: usize = 7;
    let mut command = Cmd::with_capacity(ARGUMENTS, CALL_BYTES + script.len() + name.len());
    command.arg(how).arg(script).arg(1).arg(name);
    match operation {
        Operation::Acquire { token, lease } => command.arg("acquire").arg(lease).arg(value(token).as_slice()),
        Operation::Extend { token, lease } => command.arg("extend").arg(lease).arg(value(token).as_slice()),
        Operation::Release { token } => command.arg("release").arg(0).arg(value(token).as_slice()),
        Operation::MarkDone { keep } => command.arg("done").arg(keep),
    };
    command
}

/// What a lock looks like in Redis: people read it there, so its token is in hexadecimal digits.
fn value(token: Token) -> [u8; 33] {
    let mut text = [b'L'; 33];
    for (place, digit) in text.iter_mut().skip(1).zip((0..32).rev()) {
        *place = b"0123456789abcdef"[(token.number() >> (4 * digit)) as usize & 15];
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lock_is_its_token_in_hexadecimal_digits() {
        let token = Token::random();
        let expected = format!("L{:032x}", token.number());
        assert_eq!(value(token).as_slice(), expected.as_bytes());
    }
}
