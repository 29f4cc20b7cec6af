use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use outbox_core::{Message, MessageId};

/// The record of every delivery, in the order in which they happened, kept in a file.
///
/// Any number of processes append to it: a line is written by one call in append mode, so lines of
/// several writers never mix, and a killed process loses nothing that it has written.
#[derive(Debug)]
pub struct Journal {
    path: PathBuf,
    file: File,
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delivered {
    /// The message.
    pub id: MessageId,
    /// Its ordering key.
    pub key: String,
    /// Its place in its key's order.
    pub seq: i64,
    /// The process that took it.
    pub process: u32,
    /// When, in milliseconds of the wall clock: to be read by people who look for a fault's cause.
    pub at_ms: u64,
}

impl Journal {
    /// Opens or creates it.
    pub fn open(path: &Path) -> Result<Self> {
        let file = OpenOptions::new()
            .create(true)
            .append(true)
            .read(true)
            .open(path)
            .with_context(|| format!("can't open the journal {}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            file,
        })
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Appends deliveries, all by one call.
    pub fn append(&self, messages: &[Message]) -> Result<()> {
        let mut lines = String::new();
        let process = std::process::id();
        let at_ms = SystemTime::now().duration_since(UNIX_EPOCH)?.as_millis();
        for message in messages {
            let seq = std::str::from_utf8(message.payload())?;
            lines += &format!(
                "{} {} {} {process} {at_ms}\n",
                message.id(),
                message.key().unwrap_or("-"),
                seq.trim()
            );
        }
        (&self.file).write_all(lines.as_bytes())?;
        Ok(())
    }

    /// How long it is, in bytes.
    pub fn len(&self) -> u64 {
        self.file.metadata().map_or(0, |metadata| metadata.len())
    }

    /// Whether nothing was delivered yet.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Everything that was delivered.
    pub fn read(&self) -> Result<Vec<Delivered>> {
        let mut text = String::new();
        let mut file = &self.file;
        file.seek(SeekFrom::Start(0))?;
        file.read_to_string(&mut text)?;
        text.lines()
            .map(|line| {
                let mut words = line.split(' ');
                let mut word = || {
                    words
                        .next()
                        .with_context(|| format!("not a line of a journal: {line:?}"))
                };
                Ok(Delivered {
                    id: word()?.parse()?,
                    key: word()?.to_owned(),
                    seq: word()?.parse()?,
                    process: word()?.parse()?,
                    at_ms: word()?.parse()?,
                })
            })
            .collect()
    }

    /// Waits until it is longer than `len`, and returns how long that took.
    pub fn wait_longer(&self, len: u64, limit: Duration) -> Result<Duration> {
        let begun = Instant::now();
        while self.len() <= len {
            if begun.elapsed() > limit {
                bail!("nothing was delivered within {limit:?}");
            }
            // A file tells nobody when it grows.
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(begun.elapsed())
    }
}
