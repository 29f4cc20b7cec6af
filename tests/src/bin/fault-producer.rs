//! A producer of half messages in a process of its own, to be killed by tests. It prepares a message, does its local work in
//! a transaction that records itself, and commits. It stands still where it is told to, and prints the place with the id.

use anyhow::Result;
use clap::{Parser, ValueEnum};
use outbox_core::{Message, MessageId};
use outbox_sqlx::Outbox;
use outbox_tests::{Backend, Open, TOPIC};

#[derive(Parser)]
struct Arguments {
    #[arg(long)]
    database: String,
    #[arg(long)]
    stand_still: Place,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Place {
    /// Nothing was done but to prepare the message.
    Prepared,
    /// The local work is done and not committed.
    Working,
    /// The local work is committed, and the message isn't.
    Worked,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let backend = Backend::connect(&arguments.database).await?;
    let half = backend.queue(std::time::Duration::from_secs(45))?.half_messages();
    let at = |place: Place, name: &'static str, id: MessageId| async move {
        if arguments.stand_still == place {
            println!("{name} {id}");
            std::future::pending::<()>().await;
        }
    };
    let id = half.prepare(Message::builder(TOPIC).build()?).await?;
    at(Place::Prepared, "prepared", id).await;
    let mut work = Open::begin(&backend, &Outbox::default()).await?;
    work.record(&backend, id).await?;
    at(Place::Working, "working", id).await;
    work.commit().await?;
    at(Place::Worked, "worked", id).await;
    half.commit(id).await?;
    Ok(())
}
