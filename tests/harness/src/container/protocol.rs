//! What the harness and the helper program (`tests/containers`) say to each other, a line each.

use std::fmt;
use std::str::FromStr;

use crate::HarnessError;

/// Which server an image holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// PostgreSQL.
    Postgres,
    /// MySQL or MariaDB.
    Mysql,
    /// Redis.
    Redis,
}

/// What the helper is asked to do with its container. It is removed when the helper's input ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Start again after it was stopped or killed.
    Start,
    /// Shut down in order.
    Stop,
    /// SIGKILL, answered when it is gone.
    Kill,
    /// Let all its processes stand still.
    Pause,
    /// Let them go on.
    Unpause,
    /// Answered with a [`State`].
    State,
    /// Answered with the end of what it printed.
    Log,
}

/// Whether a container runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It runs, as this process on the engine's machine.
    Running(u32),
    /// It ended with this code.
    Ended(u8),
}

/// The answer to a request, and the first line that the helper prints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// It was done. The text is the answer; at the start, the host on which the port is.
    Ok(String),
    /// It was not, and why.
    Failed(String),
}

const KINDS: [(Kind, &str); 3] = [
    (Kind::Postgres, "postgres"),
    (Kind::Mysql, "mysql"),
    (Kind::Redis, "redis"),
];

const REQUESTS: [(Request, &str); 7] = [
    (Request::Start, "start"),
    (Request::Stop, "stop"),
    (Request::Kill, "kill"),
    (Request::Pause, "pause"),
    (Request::Unpause, "unpause"),
    (Request::State, "state"),
    (Request::Log, "log"),
];

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(word(&KINDS, *self))
    }
}

impl FromStr for Kind {
    type Err = HarnessError;

    fn from_str(text: &str) -> Result<Self, HarnessError> {
        meaning(&KINDS, text)
    }
}

impl fmt::Display for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(word(&REQUESTS, *self))
    }
}

impl FromStr for Request {
    type Err = HarnessError;

    fn from_str(text: &str) -> Result<Self, HarnessError> {
        meaning(&REQUESTS, text)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Running(pid) => write!(f, "running {pid}"),
            Self::Ended(code) => write!(f, "ended {code}"),
        }
    }
}

impl FromStr for State {
    type Err = HarnessError;

    fn from_str(text: &str) -> Result<Self, HarnessError> {
        let parsed = match text.split_once(' ') {
            Some(("running", pid)) => pid.parse().ok().map(Self::Running),
            Some(("ended", code)) => code.parse().ok().map(Self::Ended),
            _ => None,
        };
        parsed.ok_or_else(|| not_understood(text))
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, text) = match self {
            Self::Ok(text) => ("ok", text),
            Self::Failed(text) => ("failed", text),
        };
        let line = text.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "");
        write!(f, "{word} {line}")
    }
}

impl FromStr for Reply {
    type Err = HarnessError;

    fn from_str(line: &str) -> Result<Self, HarnessError> {
        match line.split_once(' ') {
            Some(("ok", text)) => Ok(Self::Ok(unescaped(text))),
            Some(("failed", text)) => Ok(Self::Failed(unescaped(text))),
            _ => Err(not_understood(line)),
        }
    }
}

fn unescaped(line: &str) -> String {
    let mut text = String::with_capacity(line.len());
    let mut characters = line.chars();
    while let Some(character) = characters.next() {
        text.push(match character {
            '\\' if characters.next() == Some('n') => '\n',
            other => other,
        });
    }
    text
}

fn word<T: PartialEq>(words: &[(T, &'static str)], meaning: T) -> &'static str {
    words
        .iter()
        .find(|(candidate, _)| *candidate == meaning)
        .map_or("", |(_, word)| word)
}

fn meaning<T: Copy>(words: &[(T, &'static str)], text: &str) -> Result<T, HarnessError> {
    words
        .iter()
        .find(|(_, word)| *word == text)
        .map(|(meaning, _)| *meaning)
        .ok_or_else(|| not_understood(text))
}

fn not_understood(text: &str) -> HarnessError {
    HarnessError::BadInput(format!(
        "the helper for containers doesn't speak like this: {text:?}"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_what_is_understood() {
        for (request, word) in REQUESTS {
            assert_eq!(request.to_string(), word);
            assert_eq!(word.parse::<Request>().unwrap(), request);
        }
        for (kind, word) in KINDS {
            assert_eq!(kind.to_string().parse::<Kind>().unwrap(), kind);
            assert_eq!(kind.to_string(), word);
        }
        for state in [State::Running(7), State::Ended(137)] {
            assert_eq!(state.to_string().parse::<State>().unwrap(), state);
        }
        assert!("dance".parse::<Request>().is_err());
    }

    #[test]
    fn a_reply_is_one_line_whatever_it_says() {
        for reply in [Reply::Ok(String::new()), Reply::Failed("a\\n\n\\b\n".to_owned())] {
            let line = reply.to_string();
            assert!(!line.contains('\n'));
            assert_eq!(line.parse::<Reply>().unwrap(), reply);
        }
        assert!("what".parse::<Reply>().is_err());
    }
}
