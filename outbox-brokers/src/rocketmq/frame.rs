//! Commands of RocketMQ's remoting protocol as bytes, and back. Pure.
//!
//! `length(4) form(1) header length(3) header body`, the length being that of what follows it. The header is JSON; RocketMQ has
//! a binary form of it too, which servers use only towards clients that began with it.

use std::collections::HashMap;
use std::io;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

/// No command is larger: what claims to be isn't one.
const LENGTH_MAX: usize = 64 << 20;
/// It is an answer.
const ANSWER: i32 = 1;
/// The version of RocketMQ whose protocol this speaks (5.1.0), as its enumeration counts.
const VERSION: i32 = 441;

/// The fields of a command.
pub(super) type Fields = HashMap<String, String>;

/// A request or an answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Command {
    /// What is asked for, or how it went.
    pub(super) code: i32,
    /// By which an answer finds its request.
    pub(super) number: i32,
    pub(super) flag: i32,
    /// What an answer says of an error.
    pub(super) remark: String,
    pub(super) fields: Fields,
    pub(super) body: Bytes,
}

#[derive(Serialize, Deserialize)]
struct Header<'a> {
    code: i32,
    #[serde(default, skip_deserializing)]
    language: &'a str,
    #[serde(default)]
    version: i32,
    opaque: i32,
    #[serde(default)]
    flag: i32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    remark: Option<String>,
    #[serde(default, rename = "extFields", skip_serializing_if = "Option::is_none")]
    fields: Option<HashMap<String, Option<String>>>,
}

impl Command {
    pub(super) fn new(code: i32) -> Self {
        Self {
            code,
            ..Self::default()
        }
    }

    /// Adds a field.
    #[must_use]
    pub(super) fn with(mut self, name: &str, value: impl ToString) -> Self {
        self.fields.insert(name.to_owned(), value.to_string());
        self
    }

    #[must_use]
    pub(super) fn body(mut self, body: impl Into<Bytes>) -> Self {
        self.body = body.into();
        self
    }

    pub(super) fn is_answer(&self) -> bool {
        self.flag & ANSWER != 0
    }

    pub(super) fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    pub(super) fn number<N: std::str::FromStr>(&self, name: &str) -> Option<N> {
        self.field(name)?.parse().ok()
    }

    pub(super) fn encode(&self, into: &mut BytesMut) -> io::Result<()> {
        let fields = self.fields.iter();
        let header = Header {
            code: self.code,
            language: "OTHER",
            version: VERSION,
            opaque: self.number,
            flag: self.flag,
            remark: None,
            fields: Some(
                fields
                    .map(|(name, value)| (name.clone(), Some(value.clone())))
                    .collect(),
            ),
        };
        let header = serde_json::to_vec(&header)?;
        let length = 4 + header.len() + self.body.len();
        if length > LENGTH_MAX || header.len() >= 1 << 24 {
            return Err(io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("a command has {LENGTH_MAX} bytes at most"),
            ));
        }
        into.reserve(4 + length);
        // It fits: see above.
        into.put_u32(length as u32);
        into.put_u32(header.len() as u32);
        into.put_slice(&header);
        into.put_slice(&self.body);
        Ok(())
    }

    /// Takes the next one off the front, if all of it is there.
    pub(super) fn decode(from: &mut BytesMut) -> io::Result<Option<Self>> {
        let Some((length, rest)) = from.split_first_chunk::<4>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*length) as usize;
        if !(4..=LENGTH_MAX).contains(&length) {
            return Err(broken("its length"));
        }
        if rest.len() < length {
            from.reserve(length - rest.len());
            return Ok(None);
        }
        from.advance(4);
        let mut command = from.split_to(length).freeze();
        let form = command.get_u8();
        let header_length = command.get_uint(3) as usize;
        if form != 0 || header_length > command.len() {
            return Err(broken("its header's length"));
        }
        let header: Header<'_> = serde_json::from_slice(&command.split_to(header_length))?;
        let fields = header.fields.unwrap_or_default();
        Ok(Some(Self {
            code: header.code,
            number: header.opaque,
            flag: header.flag,
            remark: header.remark.unwrap_or_default(),
            fields: fields
                .into_iter()
                .filter_map(|(name, value)| Some((name, value?)))
                .collect(),
            body: command,
        }))
    }
}

fn broken(what: &str) -> io::Error {
    let text = format!("what came is no command of RocketMQ's: {what}");
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_command_comes_back_as_it_was(code: i32, number: i32, name in "[a-z]{1,9}", value in "\\PC{0,40}", body: Vec<u8>) {
            let mut command = Command::new(code).with(&name, &value).body(body.clone());
            command.number = number;
            let mut bytes = BytesMut::new();
            command.encode(&mut bytes).unwrap();
            // All but the last byte is nothing yet.
            let mut part = BytesMut::from(&bytes[..bytes.len() - 1]);
            prop_assert!(Command::decode(&mut part).unwrap().is_none());
            let back = Command::decode(&mut bytes).unwrap().unwrap();
            prop_assert!(bytes.is_empty());
            prop_assert_eq!((back.code, back.number, back.field(&name)), (code, number, Some(&*value)));
            prop_assert_eq!(&back.body[..], &body[..]);
        }

        #[test]
        fn whatever_comes_panics_nothing(bytes: Vec<u8>, header in "\\PC{0,40}") {
            let _ = Command::decode(&mut BytesMut::from(&bytes[..]));
            let mut framed = BytesMut::new();
            framed.put_u32(4 + header.len() as u32);
            framed.put_u32(header.len() as u32);
            framed.put_slice(header.as_bytes());
            let _ = Command::decode(&mut framed);
        }
    }
}
