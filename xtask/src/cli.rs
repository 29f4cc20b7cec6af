//! The command line.

use clap::{Args, Parser, Subcommand};

/// The project's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run all tests against real servers, and list what had to be left out
    ///
    /// Postgres is taken from OUTBOX_TEST_POSTGRES_URL, MySQL or MariaDB from OUTBOX_TEST_MYSQL_URL, Redis from
    /// OUTBOX_TEST_REDIS_URL; else each from a container, where an engine answers and OUTBOX_TEST_CONTAINERS is not 0;
    /// else from server programs on this machine, started as a private instance. As root on Debian or Ubuntu packages
    /// are installed if they are missing. With REQUIRE_ALL=1 leaving something out is a failure, unless
    /// tests/allowed-left-out.toml allows it.
    Test(TestArguments),
    /// Run a command with DATABASE_URL set to a private Postgres that ends with the command
    WithPostgres(WithPostgresArguments),
    /// Run a command with DATABASE_URL set to a private MySQL or MariaDB that ends with the command
    WithMysql(WithMysqlArguments),
}

#[derive(Args, Debug)]
pub(crate) struct TestArguments {
    /// Run the long forms too: many kills, big numbers
    #[arg(long)]
    pub(crate) full: bool,

    /// Then the tests of servers against each version of each server in tests/containers/images.toml, in containers
    #[arg(long)]
    pub(crate) matrix: bool,

    /// Only the tests of this package (may be repeated)
    #[arg(short, long = "package", value_name = "NAME")]
    pub(crate) packages: Vec<String>,

    /// Only tests whose name contains one of these
    #[arg(value_name = "FILTER")]
    pub(crate) filters: Vec<String>,

    /// Arguments for the test programs themselves, for example --nocapture
    #[arg(last = true, value_name = "ARGUMENT")]
    pub(crate) test_arguments: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct WithPostgresArguments {
    /// A setting of the server, for example max_connections=200 (may be repeated)
    #[arg(short = 'c', long = "setting", value_name = "NAME=VALUE", value_parser = setting)]
    pub(crate) settings: Vec<Setting>,

    /// The command and its arguments, after `--`
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

#[derive(Args, Debug)]
pub(crate) struct WithMysqlArguments {
    /// A system variable of the server, for example max_connections=200 (may be repeated)
    #[arg(short = 's', long = "setting", value_name = "NAME=VALUE", value_parser = setting)]
    pub(crate) settings: Vec<Setting>,

    /// The command and its arguments, after `--`
    #[arg(last = true, required = true, value_name = "COMMAND")]
    pub(crate) command: Vec<String>,
}

/// Name and value.
pub(crate) type Setting = (String, String);

fn setting(text: &str) -> Result<Setting, String> {
    text.split_once('=')
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "expected name=value".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn filters_and_arguments_of_the_test_programs_are_told_apart() {
        let line = [
            "cargo xtask",
            "test",
            "--full",
            "relay",
            "-p",
            "outbox-core",
            "--",
            "--nocapture",
        ];
        let Command::Test(arguments) = Cli::try_parse_from(line).unwrap().command else {
            panic!("not `test`")
        };
        assert!(arguments.full);
        assert_eq!(arguments.filters, ["relay"]);
        assert_eq!(arguments.packages, ["outbox-core"]);
        assert_eq!(arguments.test_arguments, ["--nocapture"]);
    }

    #[test]
    fn settings_of_a_server_have_a_name_and_a_value() {
        let line = |setting| {
            [
                "cargo xtask",
                "with-mysql",
                "-s",
                setting,
                "--",
                "sh",
                "-c",
                "true",
            ]
        };
        let Command::WithMysql(arguments) = Cli::try_parse_from(line("a=b=c")).unwrap().command else {
            panic!("not `with-mysql`")
        };
        assert_eq!(arguments.settings, [("a".to_owned(), "b=c".to_owned())]);
        assert_eq!(arguments.command, ["sh", "-c", "true"]);
        assert!(Cli::try_parse_from(line("a")).is_err());
    }
}
