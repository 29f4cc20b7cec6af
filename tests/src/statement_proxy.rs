//! A way to a MySQL server that can hold the answer of a statement back.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex as AsyncMutex, mpsc};

// https://dev.mysql.com/doc/dev/mysql-server/latest/page_protocol_command_phase.html
const COM_QUERY: u8 = 0x03;
const COM_STMT_PREPARE: u8 = 0x16;
const COM_STMT_EXECUTE: u8 = 0x17;

/// What goes through it is looked at: each statement, when it is met for the first time, is sent on to the server, and its
/// answer is kept until [`Held::go_on`].
pub struct StatementProxy {
    port: u16,
    held: AsyncMutex<mpsc::Receiver<Held>>,
}

/// A statement that the server has carried out, and whose sender doesn't know.
pub struct Held {
    /// Its text.
    pub statement: String,
    go_on: tokio::sync::oneshot::Sender<()>,
}

impl Held {
    /// Lets its answer, and everything after it, through.
    pub fn go_on(self) {
        // The connection may be gone meanwhile.
        let _ = self.go_on.send(());
    }
}

impl StatementProxy {
    /// Starts one in front of a server on this machine.
    ///
    /// # Errors
    /// No port can be listened on.
    pub async fn start(server_port: u16) -> Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let (hold, held) = mpsc::channel(1);
        let met = Arc::new(Mutex::new(BTreeSet::new()));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (hold, met) = (hold.clone(), Arc::clone(&met));
                tokio::spawn(async move {
                    // Either side may go at any time: that is the end of this connection and no more.
                    let _ = pass(client, server_port, hold, met).await;
                });
            }
        });
        Ok(Self {
            port,
            held: AsyncMutex::new(held),
        })
    }

    /// Where it listens on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The next statement that is held.
    pub async fn held(&self) -> Option<Held> {
        self.held.lock().await.recv().await
    }
}

async fn pass(
    client: TcpStream,
    server_port: u16,
    hold: mpsc::Sender<Held>,
    met: Arc<Mutex<BTreeSet<String>>>,
) -> Result<()> {
    let server = TcpStream::connect(("127.0.0.1", server_port)).await?;
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    // One at a time: an answer that is being held keeps its side of the connection.
    let gate = Arc::new(AsyncMutex::new(()));
    let prepared = Arc::new(Mutex::new(Prepared::default()));
    let answers = {
        let (gate, prepared) = (Arc::clone(&gate), Arc::clone(&prepared));
        async move {
            let mut bytes = vec![0; 64 * 1024];
            loop {
                let read = from_server.read(&mut bytes).await?;
                let _open = gate.lock().await;
                if read == 0 {
                    return Ok(());
                }
                lock(&prepared).answered(&bytes[..read]);
                to_client.write_all(&bytes[..read]).await?;
            }
        }
    };
    let statements = async move {
        while let Some(packet) = packet(&mut from_client).await? {
            let statement = match packet.get(4) {
                Some(&COM_QUERY) => Some(text(&packet)),
                Some(&COM_STMT_PREPARE) => {
                    lock(&prepared).asked = Some(text(&packet));
                    None
                }
                Some(&COM_STMT_EXECUTE) => packet
                    .get(5..9)
                    .and_then(|id| id.try_into().ok())
                    .and_then(|id: [u8; 4]| lock(&prepared).known.get(&id).cloned()),
                _ => None,
            };
            let new = statement.filter(|statement| lock(&met).insert(statement.clone()));
            let Some(statement) = new else {
                to_server.write_all(&packet).await?;
                continue;
            };
            let closed = gate.lock().await;
            to_server.write_all(&packet).await?;
            let (go_on, may_go_on) = tokio::sync::oneshot::channel();
            if hold.send(Held { statement, go_on }).await.is_ok() {
                let _ = may_go_on.await;
            }
            drop(closed);
        }
        Ok(())
    };
    tokio::select! {
        done = answers => done,
        done = statements => done,
    }
}

/// The prepared statements of a connection.
#[derive(Default)]
struct Prepared {
    /// What is being prepared.
    asked: Option<String>,
    /// By the number that the server gave.
    known: BTreeMap<[u8; 4], String>,
}

impl Prepared {
    /// A client waits for the answer before it says anything else, so the first one is to what was asked.
    fn answered(&mut self, bytes: &[u8]) {
        const OK: u8 = 0;
        if let Some(text) = self.asked.take()
            && bytes.get(4) == Some(&OK)
            && let Some(Ok(id)) = bytes.get(5..9).map(TryInto::try_into)
        {
            self.known.insert(id, text);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A packet with its header; `None` at the end.
async fn packet(from: &mut (impl AsyncRead + Unpin)) -> Result<Option<Vec<u8>>> {
    let mut packet = vec![0; 4];
    if from.read_exact(&mut packet).await.is_err() {
        return Ok(None);
    }
    let length = u32::from_le_bytes([packet[0], packet[1], packet[2], 0]);
    packet.resize(4 + length as usize, 0);
    from.read_exact(&mut packet[4..]).await?;
    Ok(Some(packet))
}

fn text(packet: &[u8]) -> String {
    String::from_utf8_lossy(packet.get(5..).unwrap_or_default()).into_owned()
}
