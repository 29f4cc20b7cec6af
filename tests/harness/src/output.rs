//! What a process prints: kept in files, read line by line with a deadline.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::process::ChildStdout;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// How much of a log an error quotes.
const TAIL_BYTES: u64 = 4096;

/// How much is copied at once.
const CHUNK_BYTES: usize = 16 * 1024;

/// Copies a process's output to a file and tells those who wait for lines. Memory use doesn't grow with the output.
#[derive(Debug)]
pub(crate) struct Lines {
    file: File,
    unread: Vec<u8>,
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    progress: Mutex<Progress>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Progress {
    bytes: u64,
    ended: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Progress> {
        self.progress.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Lines {
    /// Starts to copy `stdout` to the end of the file; lines are read from there.
    pub(crate) fn capture(stdout: ChildStdout, path: &Path) -> io::Result<Self> {
        let writer = append(path)?;
        let mut file = File::open(path)?;
        let start = file.seek(SeekFrom::End(0))?;
        let shared = Arc::new(Shared::default());
        shared.lock().bytes = start;
        let copier = Arc::clone(&shared);
        std::thread::Builder::new()
            .name("harness-output".to_owned())
            .spawn(move || {
                copy(stdout, writer, &copier);
                copier.lock().ended = true;
                copier.changed.notify_all();
            })?;
        Ok(Self {
            file,
            unread: Vec::new(),
            shared,
        })
    }

    /// The next line without its end; `None` when the output ended; an error of kind `TimedOut` at the deadline.
    pub(crate) fn next(&mut self, deadline: Instant) -> io::Result<Option<String>> {
        loop {
            if let Some(line) = self.take_line() {
                return Ok(Some(line));
            }
            let read = self.file.stream_position()?;
            let mut progress = self.shared.lock();
            while progress.bytes <= read && !progress.ended {
                let left = deadline.saturating_duration_since(Instant::now());
                if left.is_zero() {
                    return Err(io::ErrorKind::TimedOut.into());
                }
                progress = self
                    .shared
                    .changed
                    .wait_timeout(progress, left)
                    .unwrap_or_else(PoisonError::into_inner)
                    .0;
            }
            let nothing_more = progress.bytes <= read;
            drop(progress);
            if nothing_more {
                let rest = std::mem::take(&mut self.unread);
                return Ok((!rest.is_empty()).then(|| text(&rest)));
            }
            (&self.file)
                .take(CHUNK_BYTES as u64)
                .read_to_end(&mut self.unread)?;
        }
    }

    fn take_line(&mut self) -> Option<String> {
        let end = self.unread.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = self.unread.drain(..=end).collect();
        Some(text(line.strip_suffix(b"\n").unwrap_or(&line)))
    }
}

fn copy(mut from: impl Read, mut to: File, shared: &Shared) {
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        match from.read(&mut chunk) {
            Ok(0) => return,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
            Ok(length) => {
                if to.write_all(&chunk[..length]).is_err() {
                    return;
                }
                shared.lock().bytes += length as u64;
                shared.changed.notify_all();
            }
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim_end_matches('\r').to_owned()
}

/// Opens a log to be written at its end.
pub(crate) fn append(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

/// The end of a log file, for errors.
pub(crate) fn tail(path: &Path) -> String {
    let read = || -> io::Result<Vec<u8>> {
        let mut file = File::open(path)?;
        let length = file.seek(SeekFrom::End(0))?;
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    };
    read()
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .unwrap_or_default()
}
