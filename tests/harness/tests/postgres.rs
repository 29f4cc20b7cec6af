//! The harness against a real PostgreSQL: what a test does to its server must really happen to it.
#![allow(clippy::unwrap_used)]

use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use outbox_test_harness::postgres::Psql;
use outbox_test_harness::{ChildProcess, HarnessError, Postgres, PostgresOptions, environment, requirement};

const SOON: Duration = Duration::from_secs(30);

/// Set for the process that [`a_server_dies_with_a_killed_test_process`] starts and kills.
const VICTIM: &str = "OUTBOX_HARNESS_VICTIM";

fn private() -> Option<(Postgres, Psql)> {
    let psql = requirement::psql()?;
    Some((requirement::private_postgres(&PostgresOptions::new())?, psql))
}

#[test]
fn it_listens_on_loopback_only_and_syncs() {
    let Some((server, psql)) = private() else { return };
    let show = |name: &str| psql.run(&server.url(), &format!("SHOW {name}")).unwrap();
    assert_eq!(show("fsync"), "on");
    assert_eq!(show("synchronous_commit"), "on");
    // In a container it is the engine that keeps others out.
    if server.data_folder().is_some() {
        assert_eq!(show("listen_addresses"), "127.0.0.1");
        assert_eq!(show("unix_socket_directories"), "");
    }
}

#[test]
fn settings_reach_the_server_and_a_wrong_one_is_named() {
    let Some((server, psql)) = private() else { return };
    drop(server);
    let options = PostgresOptions::new().setting("max_connections", 7);
    let server = Postgres::start_with(&options).unwrap();
    assert_eq!(psql.run(&server.url(), "SHOW max_connections").unwrap(), "7");

    let error = Postgres::start_with(&PostgresOptions::new().setting("no_such_setting", 1)).unwrap_err();
    assert!(matches!(error, HarnessError::EndedEarly { .. }), "{error}");
    assert!(error.to_string().contains("no_such_setting"), "{error}");
}

#[test]
fn committed_data_survives_kills_and_open_transactions_do_not() {
    let Some((mut server, psql)) = private() else {
        return;
    };
    let url = server.create_database("survivor").unwrap();
    psql.run(&url, "CREATE TABLE t (i int PRIMARY KEY)").unwrap();
    let rounds = if environment::is_full() { 30 } else { 3 };
    for round in 0..rounds {
        psql.run(&url, &format!("INSERT INTO t VALUES ({round})"))
            .unwrap();
        // A backend in the middle of a transaction, so that the kill has somebody to leave behind.
        let mut command = psql.command(&url).unwrap();
        command.args([
            "-c",
            "BEGIN",
            "-c",
            "INSERT INTO t VALUES (100) RETURNING i",
            "-c",
            "SELECT pg_sleep(1000)",
        ]);
        let mut open = ChildProcess::spawn(command).unwrap();
        open.line_where(SOON, |line| line == "100").unwrap();

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
            psql.run(&url, "SELECT count(*), max(i) FROM t").unwrap(),
            format!("{}|{round}", round + 1)
        );
    }
}

#[test]
fn a_frozen_server_answers_nobody_until_it_is_thawed() {
    let Some((server, psql)) = private() else { return };
    let mut command = psql.command(&server.url()).unwrap();
    command.args([
        "-c",
        "SELECT 'connected'",
        "-c",
        "SELECT pg_sleep(0.2)",
        "-c",
        "SELECT 'done'",
    ]);
    let mut client = ChildProcess::spawn(command).unwrap();
    client.line_where(SOON, |line| line == "connected").unwrap();
    server.freeze().unwrap();
    let frozen = client.wait_timeout(Duration::from_millis(600));
    assert!(
        matches!(frozen, Err(HarnessError::StillRunning { .. })),
        "{frozen:?}"
    );
    server.thaw();
    assert!(client.wait_timeout(SOON).unwrap().success());
    client.line_where(SOON, |line| line == "done").unwrap();
}

#[test]
fn a_frozen_server_can_be_killed_stopped_and_dropped() {
    let Some((mut server, psql)) = private() else {
        return;
    };
    server.freeze().unwrap();
    server.kill().unwrap();
    server.restart().unwrap();
    server.freeze().unwrap();
    server.stop().unwrap();
    server.restart().unwrap();
    assert_eq!(psql.run(&server.url(), "SELECT 1").unwrap(), "1");
    let folder = server.data_folder();
    server.freeze().unwrap();
    drop(server);
    assert!(!folder.is_some_and(|folder| folder.exists()));
}

#[test]
fn a_running_server_restarts_in_order_and_keeps_its_data() {
    let Some((mut server, psql)) = private() else {
        return;
    };
    psql.run(&server.url(), "CREATE TABLE t (i int)").unwrap();
    let before = server.pid();
    server.restart().unwrap();
    assert_ne!(server.pid(), before);
    assert_eq!(psql.run(&server.url(), "SELECT count(*) FROM t").unwrap(), "0");
}

#[test]
fn tests_that_share_a_server_do_not_share_a_database() {
    let Some(psql) = requirement::psql() else { return };
    let Some(one) = requirement::shared_postgres_database() else {
        return;
    };
    let Some(two) = requirement::shared_postgres_database() else {
        return;
    };
    psql.run(one.url(), "CREATE TABLE t (i int)").unwrap();
    assert_eq!(
        psql.run(two.url(), "SELECT to_regclass('t') IS NULL").unwrap(),
        "t"
    );
    let url = one.url().to_owned();
    drop(one);
    let error = psql.run(&url, "SELECT 1").unwrap_err().to_string();
    assert!(error.contains("does not exist"), "{error}");
}

#[test]
fn a_server_dies_with_a_killed_test_process() {
    if requirement::psql().is_none() || private().is_none() {
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
    // Started in a thread that has ended: the server must hang on the process, not on the thread.
    let server = std::thread::spawn(|| Postgres::start().unwrap()).join().unwrap();
    std::thread::sleep(Duration::from_millis(50));
    assert_eq!(Psql::find().unwrap().run(&server.url(), "SELECT 1").unwrap(), "1");
    println!("\nserver-pid {}", server.pid());
    std::thread::sleep(Duration::from_secs(600));
}

fn is_alive(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}
