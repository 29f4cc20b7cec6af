//! The harness against a real MySQL or MariaDB: what a test does to its server must really happen to it.
#![allow(clippy::unwrap_used)]

use std::io::Write;
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use outbox_test_harness::mysql::MysqlClient;
use outbox_test_harness::{
    ChildProcess, HarnessError, Mysql, MysqlFlavour, MysqlOptions, environment, requirement,
};

const SOON: Duration = Duration::from_secs(30);

/// Set for the process that [`a_server_dies_with_a_killed_test_process`] starts and kills.
const VICTIM: &str = "OUTBOX_HARNESS_VICTIM";

fn private() -> Option<(Mysql, MysqlClient)> {
    let client = requirement::mysql_client()?;
    Some((requirement::private_mysql(&MysqlOptions::new())?, client))
}

#[test]
fn it_listens_on_loopback_only_and_syncs() {
    let Some((server, client)) = private() else { return };
    let show = |name: &str| client.run(&server.url(), &format!("SELECT @@{name}")).unwrap();
    assert_eq!(show("innodb_flush_log_at_trx_commit"), "1");
    // In a container it is the engine that keeps others out.
    if server.data_folder().is_some() {
        assert_eq!(show("bind_address"), "127.0.0.1");
    }
    assert_eq!(show("log_bin"), "0");
    let is_mariadb = show("version").contains("MariaDB");
    assert_eq!(is_mariadb, server.flavour() == MysqlFlavour::MariaDb);
}

#[test]
fn settings_reach_the_server_and_a_wrong_one_is_named() {
    let Some((server, client)) = private() else { return };
    drop(server);
    let options = MysqlOptions::new().setting("max_connections", 17);
    let server = Mysql::start_with(&options).unwrap();
    let shown = client.run(&server.url(), "SELECT @@max_connections").unwrap();
    assert_eq!(shown, "17");

    let error = Mysql::start_with(&MysqlOptions::new().setting("no_such_setting", 1)).unwrap_err();
    assert!(matches!(error, HarnessError::EndedEarly { .. }), "{error}");
    assert!(error.to_string().contains("no_such_setting"), "{error}");
}

#[test]
fn committed_data_survives_kills_and_open_transactions_do_not() {
    let Some((mut server, client)) = private() else {
        return;
    };
    let url = server.create_database("survivor").unwrap();
    client.run(&url, "CREATE TABLE t (i int PRIMARY KEY)").unwrap();
    let rounds = if environment::is_full() { 30 } else { 3 };
    for round in 0..rounds {
        client
            .run(&url, &format!("INSERT INTO t VALUES ({round})"))
            .unwrap();
        // A connection in the middle of a transaction, so that the kill has something to undo.
        let mut open =
            asleep_in_a_transaction(&client, &url, "INSERT INTO t VALUES (100); SELECT 'inserted'");
        open.line_where(SOON, |line| line == "inserted").unwrap();

        let port = server.port();
        server.kill().unwrap();
        assert!(
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err(),
            "something still listens"
        );
        assert!(!open.wait_timeout(SOON).unwrap().success());
        server.restart().unwrap();
        assert_eq!(server.port(), port);
        assert_eq!(
            client.run(&url, "SELECT count(*), max(i) FROM t").unwrap(),
            format!("{}\t{round}", round + 1)
        );
    }
}

#[test]
fn a_frozen_server_answers_nobody_until_it_is_thawed() {
    let Some((server, client)) = private() else { return };
    let mut command = client.command(&server.url()).unwrap();
    command.args([
        "--unbuffered",
        "-e",
        "SELECT 'connected'; DO SLEEP(0.2); SELECT 'done'",
    ]);
    let mut connected = ChildProcess::spawn(command).unwrap();
    connected.line_where(SOON, |line| line == "connected").unwrap();
    server.freeze().unwrap();
    let frozen = connected.wait_timeout(Duration::from_millis(600));
    assert!(
        matches!(frozen, Err(HarnessError::StillRunning { .. })),
        "{frozen:?}"
    );
    server.thaw();
    assert!(connected.wait_timeout(SOON).unwrap().success());
    connected.line_where(SOON, |line| line == "done").unwrap();
}

#[test]
fn a_frozen_server_can_be_killed_stopped_and_dropped() {
    let Some((mut server, client)) = private() else {
        return;
    };
    server.freeze().unwrap();
    server.kill().unwrap();
    server.restart().unwrap();
    server.freeze().unwrap();
    server.stop().unwrap();
    server.restart().unwrap();
    assert_eq!(client.run(&server.url(), "SELECT 1").unwrap(), "1");
    let folder = server.data_folder();
    server.freeze().unwrap();
    drop(server);
    assert!(!folder.is_some_and(|folder| folder.exists()));
}

#[test]
fn a_running_server_restarts_in_order_and_keeps_its_data() {
    let Some((mut server, client)) = private() else {
        return;
    };
    client.run(&server.url(), "CREATE TABLE t (i int)").unwrap();
    let before = server.pid();
    server.restart().unwrap();
    assert_ne!(server.pid(), before);
    assert_eq!(client.run(&server.url(), "SELECT count(*) FROM t").unwrap(), "0");
}

#[test]
fn a_second_server_shares_nothing_with_the_first() {
    let Some((one, client)) = private() else { return };
    let Some((two, _)) = private() else { return };
    client.run(&one.url(), "CREATE TABLE t (i int)").unwrap();
    assert_eq!(client.run(&two.url(), "SHOW TABLES").unwrap(), "");
}

#[test]
fn tests_that_share_a_server_do_not_share_a_database() {
    let Some(client) = requirement::mysql_client() else {
        return;
    };
    let Some(one) = requirement::shared_mysql_database() else {
        return;
    };
    let Some(two) = requirement::shared_mysql_database() else {
        return;
    };
    client.run(one.url(), "CREATE TABLE t (i int)").unwrap();
    assert_eq!(client.run(two.url(), "SHOW TABLES").unwrap(), "");
    let url = one.url().to_owned();
    drop(one);
    let error = client.run(&url, "SELECT 1").unwrap_err().to_string();
    assert!(error.contains("Unknown database"), "{error}");
}

#[test]
fn a_database_is_dropped_though_somebody_is_in_a_transaction() {
    let Some(client) = requirement::mysql_client() else {
        return;
    };
    let Some(database) = requirement::shared_mysql_database() else {
        return;
    };
    client.run(database.url(), "CREATE TABLE t (i int)").unwrap();
    let mut open = asleep_in_a_transaction(&client, database.url(), "SELECT count(*) FROM t");
    open.line_where(SOON, |line| line == "0").unwrap();
    let url = database.url().to_owned();
    drop(database);
    assert!(client.run(&url, "SELECT 1").is_err());
    assert!(!open.wait_timeout(SOON).unwrap().success());
}

#[test]
fn no_character_is_lost_and_a_password_stays_out_of_the_arguments() {
    let Some((server, client)) = private() else { return };
    let made = client.run(
        &server.url(),
        "CREATE USER 'other'@'%' IDENTIFIED BY 'p@ss'; GRANT ALL ON test.* TO 'other'@'%'",
    );
    made.unwrap();
    let url = server.url().replace("root@", "other:p%40ss@");
    assert_eq!(client.run(&url, "SELECT 'żółw 🐢'").unwrap(), "żółw 🐢");
    assert!(!format!("{:?}", client.command(&url).unwrap().get_args()).contains("p@ss"));
}

#[test]
fn a_server_dies_with_a_killed_test_process() {
    if requirement::mysql_client().is_none() || private().is_none() {
        return;
    }
    let mut command = Command::new(std::env::current_exe().unwrap());
    command
        .args(["--exact", "a_process_to_be_killed", "--nocapture"])
        .env(VICTIM, "1");
    let mut victim = ChildProcess::spawn(command).unwrap();
    let line = victim
        .line_where(SOON, |line| line.contains("server-pid "))
        .unwrap();
    let server: i32 = line.rsplit(' ').next().unwrap().parse().unwrap();
    assert!(is_alive(server));
    // Not `kill9`, which would kill the server with it: the process alone.
    kill(
        Pid::from_raw(i32::try_from(victim.pid()).unwrap()),
        Signal::SIGKILL,
    )
    .unwrap();
    let deadline = Instant::now() + SOON;
    while is_alive(server) {
        assert!(Instant::now() < deadline, "the server outlived the test process");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// Not a test of its own: does nothing unless [`a_server_dies_with_a_killed_test_process`] runs it.
#[test]
fn a_process_to_be_killed() {
    if std::env::var_os(VICTIM).is_none() {
        return;
    }
    let server = Mysql::start().unwrap();
    println!("\nserver-pid {}", server.pid());
    std::io::stdout().flush().unwrap();
    std::thread::sleep(Duration::from_secs(600));
}

/// Somebody who began a transaction, ran the statement, and stays.
fn asleep_in_a_transaction(client: &MysqlClient, url: &str, statement: &str) -> ChildProcess {
    let mut command = client.command(url).unwrap();
    command.args([
        "--unbuffered",
        "-e",
        &format!("START TRANSACTION; {statement}; DO SLEEP(1000)"),
    ]);
    ChildProcess::spawn(command).unwrap()
}

fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}
