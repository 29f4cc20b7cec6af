//! A connection to a name server or a broker, made when it is needed and again when it was lost.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::auth::Credentials;
use super::frame::Command;
use super::tls::Tls;

/// Commands that wait to be written.
const WAITING_MAX: usize = 1_024;
/// How many bytes are read at a time.
const READ_BYTES: usize = 64 << 10;

/// What a server asks, and which.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) address: String,
    pub(super) command: Command,
}

/// Why there is no answer.
#[derive(Debug, Clone, thiserror::Error)]
pub(super) enum LinkError {
    #[error("{address} can't be reached: {error}")]
    Connect { address: String, error: Arc<io::Error> },
    #[error("the connection to {address} was lost")]
    Lost { address: String },
    #[error("{address} did not answer within {within:?}")]
    Timeout { address: String, within: Duration },
    #[error("it can't be sent: {0}")]
    Invalid(Arc<io::Error>),
}

/// How servers are spoken to.
#[derive(Clone)]
pub(super) struct Manner {
    /// Who asks.
    pub(super) credentials: Option<Credentials>,
    pub(super) tls: Option<Tls>,
    /// How long a server may take.
    pub(super) timeout: Duration,
}

/// A server's address, and the connection to it if there is one.
pub(super) struct Link {
    address: String,
    manner: Manner,
    /// What the server asks goes there.
    asked: Option<mpsc::Sender<Asked>>,
    connection: tokio::sync::Mutex<Option<Arc<Connection>>>,
}

struct Connection {
    out: mpsc::Sender<BytesMut>,
    answers: Arc<Answers>,
    numbers: AtomicI32,
    _end: DropGuard,
}

/// Who waits for which answer; `None` when the connection is over.
struct Answers(Mutex<Option<HashMap<i32, oneshot::Sender<Command>>>>);

impl Answers {
    fn with<T>(&self, use_them: impl FnOnce(&mut Option<HashMap<i32, oneshot::Sender<Command>>>) -> T) -> T {
        // Nothing panics while it is held.
        use_them(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Link {
    pub(super) fn new(address: String, manner: Manner, asked: Option<mpsc::Sender<Asked>>) -> Self {
        Self {
            address,
            manner,
            asked,
            connection: tokio::sync::Mutex::default(),
        }
    }

    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Asks, and waits for the answer.
    pub(super) async fn call(&self, command: Command) -> Result<Command, LinkError> {
        self.call_for(command, self.manner.timeout).await
    }

    /// Asks, and waits so long for the answer.
    pub(super) async fn call_for(&self, command: Command, within: Duration) -> Result<Command, LinkError> {
        let address = || self.address.clone();
        let call = async {
            let connection = self.connected().await?;
            let number = connection.numbers.fetch_add(1, Ordering::Relaxed);
            let (answer, answered) = oneshot::channel();
            let _forget = connection.expect(number, answer);
            connection.send(self.bytes(command, number)?).await;
            answered.await.map_err(|_| LinkError::Lost { address: address() })
        };
        match tokio::time::timeout(within, call).await {
            Ok(answered) => answered,
            Err(_) => {
                // Whoever does not answer may be gone without a word; the next one asks over another connection.
                *self.connection.lock().await = None;
                Err(LinkError::Timeout {
                    address: address(),
                    within,
                })
            }
        }
    }

    fn bytes(&self, mut command: Command, number: i32) -> Result<BytesMut, LinkError> {
        command.number = number;
        if let Some(credentials) = &self.manner.credentials {
            credentials.sign(&mut command);
        }
        let mut bytes = BytesMut::new();
        let encoded = command.encode(&mut bytes);
        encoded.map_err(|error| LinkError::Invalid(Arc::new(error)))?;
        Ok(bytes)
    }

    async fn connected(&self) -> Result<Arc<Connection>, LinkError> {
        let mut connection = self.connection.lock().await;
        if let Some(connection) = &*connection
            && !connection.out.is_closed()
        {
            return Ok(Arc::clone(connection));
        }
        let new = tokio::time::timeout(self.manner.timeout, self.connect()).await;
        let new = new
            .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
            .map_err(|error| LinkError::Connect {
                address: self.address.clone(),
                error: Arc::new(error),
            })?;
        let new = Arc::new(new);
        *connection = Some(Arc::clone(&new));
        Ok(new)
    }

    async fn connect(&self) -> io::Result<Connection> {
        let stream = TcpStream::connect(&self.address).await?;
        stream.set_nodelay(true)?;
        let (address, asked) = (self.address.clone(), self.asked.clone());
        Ok(match &self.manner.tls {
            None => {
                let (reading, writing) = stream.into_split();
                Connection::over(reading, writing, address, asked)
            }
            Some(tls) => {
                let stream = tls.over(stream, &self.address).await?;
                let (reading, writing) = tokio::io::split(stream);
                Connection::over(reading, writing, address, asked)
            }
        })
    }
}

/// Forgets a number when nobody waits for its answer any more.
struct Forget<'a>(&'a Answers, i32);

impl Drop for Forget<'_> {
    fn drop(&mut self) {
        self.0.with(|answers| {
            if let Some(answers) = answers {
                answers.remove(&self.1);
            }
        });
    }
}

impl Connection {
    fn over(
        reading: impl AsyncRead + Unpin + Send + 'static,
        writing: impl AsyncWrite + Unpin + Send + 'static,
        address: String,
        asked: Option<mpsc::Sender<Asked>>,
    ) -> Self {
        let (out, to_write) = mpsc::channel(WAITING_MAX);
        let answers = Arc::new(Answers(Mutex::new(Some(HashMap::new()))));
        let end = CancellationToken::new();
        let (over, found) = (end.clone(), Arc::clone(&answers));
        tokio::spawn(async move {
            let both = async {
                tokio::select! {
                    read = read(reading, &found, &address, asked.as_ref()) => read,
                    written = write(writing, to_write) => written,
                }
            };
            let ended = over.run_until_cancelled(both).await;
            if let Some(Err(error)) = ended {
                tracing::debug!(%error, "a connection to RocketMQ ended");
            }
            // Whoever waits is told by the end of its channel.
            found.with(Option::take);
        });
        Self {
            out,
            answers,
            numbers: AtomicI32::new(1),
            _end: end.drop_guard(),
        }
    }

    fn expect(&self, number: i32, answer: oneshot::Sender<Command>) -> Forget<'_> {
        self.answers.with(|answers| {
            if let Some(answers) = answers {
                answers.insert(number, answer);
            }
        });
        Forget(&self.answers, number)
    }

    /// Where it is over, the answer will not come, which is said there.
    async fn send(&self, bytes: BytesMut) {
        let _ = self.out.send(bytes).await;
    }
}

async fn write(
    mut stream: impl AsyncWrite + Unpin,
    mut to_write: mpsc::Receiver<BytesMut>,
) -> io::Result<()> {
    while let Some(bytes) = to_write.recv().await {
        stream.write_all(&bytes).await?;
        // TLS may keep something back.
        stream.flush().await?;
    }
    Ok(())
}

async fn read(
    mut stream: impl AsyncRead + Unpin,
    answers: &Answers,
    address: &str,
    asked: Option<&mpsc::Sender<Asked>>,
) -> io::Result<()> {
    let mut bytes = BytesMut::with_capacity(READ_BYTES);
    loop {
        while let Some(command) = Command::decode(&mut bytes)? {
            if !command.is_answer() {
                if let Some(asked) = asked {
                    // It asks again where nobody has time for it.
                    let address = address.to_owned();
                    let _ = asked.try_send(Asked { address, command });
                }
                continue;
            }
            let waiting = answers.with(|answers| answers.as_mut()?.remove(&command.number));
            if let Some(waiting) = waiting {
                let _ = waiting.send(command);
            }
        }
        bytes.reserve(READ_BYTES);
        if stream.read_buf(&mut bytes).await? == 0 {
            return Ok(());
        }
    }
}
