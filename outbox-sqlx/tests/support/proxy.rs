//! A way to a server that leads through the test's own runtime.

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// A way to the server that can be cut without either end being told.
///
/// What passes through it is carried by a task of the runtime that started it. So in a runtime of one thread
/// a future that waits for an answer is always polled more than once.
pub(crate) struct Proxy {
    port: u16,
    silent: watch::Sender<bool>,
}

impl Proxy {
    pub(crate) async fn start(server: &str, server_port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = (server.to_owned(), server_port);
        let (silent, hears) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let mut server = TcpStream::connect((server.0.as_str(), server.1)).await.unwrap();
                let mut hears = hears.clone();
                tokio::spawn(async move {
                    let piped = tokio::io::copy_bidirectional(&mut client, &mut server);
                    let silenced = async {
                        if hears.wait_for(|silent| *silent).await.is_err() {
                            // Nobody is left who could.
                            std::future::pending::<()>().await;
                        }
                    };
                    tokio::select! {
                        // Either side may go at any time: that is the end of this connection and no more.
                        _ = piped => {}
                        () = silenced => std::future::pending().await,
                    }
                });
            }
        });
        Self { port, silent }
    }

    /// The port on 127.0.0.1 that leads through it.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Nothing passes any more, and every connection stays open.
    #[allow(dead_code, reason = "not every test program that has a proxy cuts it")]
    pub(crate) fn silence(&self) {
        self.silent.send_replace(true);
    }
}
