//! The command line of the relay.

use std::process::ExitCode;

use outbox_relay::cli::{self, Action, NoConfig};
use outbox_relay::config::Purpose;
use outbox_relay::database;

/// The command line or the configuration is wrong; as clap has it.
const WRONG: u8 = 2;

#[tokio::main]
async fn main() -> ExitCode {
    let matches = cli::command().get_matches();
    let action = cli::action(&matches);
    if let Action::Schema(dialect) = action {
        print!("{}", outbox_sqlx::schema_sql(dialect));
        return ExitCode::SUCCESS;
    }
    let purpose = match action {
        Action::Migrate => Purpose::Database,
        Action::Config | Action::Schema(_) => Purpose::Deliver,
    };
    let (config, shown) = match cli::configuration(&matches, purpose) {
        Ok(found) => found,
        Err(NoConfig::Wrong(errors)) => {
            eprintln!("outbox-relay: the configuration can't be:");
            for error in &errors.0 {
                eprintln!("  {error}");
            }
            return ExitCode::from(WRONG);
        }
        Err(NoConfig::Unreadable(error)) => {
            eprintln!("outbox-relay: {error:#}");
            return ExitCode::from(WRONG);
        }
    };
    let done = match action {
        Action::Migrate => database::migrate(&config.database_url).await,
        Action::Config | Action::Schema(_) => {
            print!("{shown}");
            Ok(())
        }
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // With its causes, each of which says more.
            eprintln!("outbox-relay: {error:#}");
            ExitCode::FAILURE
        }
    }
}
