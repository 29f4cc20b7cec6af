//! The harness against a real Redis: what a test does to its server must really happen to it.
#![allow(clippy::unwrap_used)]

use std::net::{Ipv4Addr, TcpStream};
use std::time::Duration;

use outbox_test_harness::{HarnessError, Redis, RedisClient, RedisOptions, environment, requirement};

fn private() -> Option<Redis> {
    requirement::private_redis(&RedisOptions::new())
}

#[test]
fn it_listens_on_loopback_only_and_keeps_nothing_on_disk() {
    let Some(server) = private() else { return };
    let mut client = server.client().unwrap();
    assert_eq!(client.run(&["CONFIG", "GET", "save"]).unwrap(), "save\n");
    assert_eq!(
        client.run(&["CONFIG", "GET", "appendonly"]).unwrap(),
        "appendonly\nno"
    );
    // In a container it is the engine that keeps others out.
    if server.data_folder().is_some() {
        assert_eq!(client.run(&["CONFIG", "GET", "bind"]).unwrap(), "bind\n127.0.0.1");
    }
}

#[test]
fn settings_reach_the_server_and_a_wrong_one_is_named() {
    let options = RedisOptions::new()
        .setting("maxmemory", "3mb")
        .setting("maxmemory-policy", "noeviction")
        .setting("client-output-buffer-limit", "pubsub 1mb 1mb 1");
    let Some(server) = requirement::private_redis(&options) else {
        return;
    };
    let mut client = server.client().unwrap();
    assert_eq!(
        client.run(&["CONFIG", "GET", "maxmemory"]).unwrap(),
        format!("maxmemory\n{}", 3 << 20)
    );
    let error = Redis::start_with(&RedisOptions::new().setting("no-such-setting", 1)).unwrap_err();
    assert!(matches!(error, HarnessError::EndedEarly { .. }), "{error}");
    assert!(error.to_string().contains("no-such-setting"), "{error}");
}

#[test]
fn a_killed_server_comes_back_empty_on_its_port() {
    let Some(mut server) = private() else { return };
    let rounds = if environment::is_full() { 30 } else { 2 };
    for _ in 0..rounds {
        let mut client = server.client().unwrap();
        assert_eq!(client.run(&["GET", "key"]).unwrap(), "");
        client.run(&["SET", "key", "value"]).unwrap();
        assert_eq!(client.run(&["GET", "key"]).unwrap(), "value");
        let (port, pid) = (server.port(), server.pid());
        server.kill().unwrap();
        assert!(
            TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err(),
            "something still listens"
        );
        assert!(client.run(&["PING"]).is_err());
        server.restart().unwrap();
        assert_eq!(server.port(), port);
        assert_ne!(server.pid(), pid);
    }
}

#[test]
fn a_frozen_server_answers_nobody_until_it_is_thawed() {
    let Some(mut server) = private() else { return };
    let mut client = RedisClient::connect_within(&server.url(), Duration::from_millis(200)).unwrap();
    server.freeze().unwrap();
    assert!(client.run(&["PING"]).is_err());
    server.thaw();
    assert_eq!(server.client().unwrap().run(&["PING"]).unwrap(), "PONG");
    // One that stands still can be stopped, killed and dropped all the same.
    server.freeze().unwrap();
    server.stop().unwrap();
    server.restart().unwrap();
    server.freeze().unwrap();
    server.kill().unwrap();
    server.restart().unwrap();
    let folder = server.data_folder();
    server.freeze().unwrap();
    drop(server);
    assert!(!folder.is_some_and(|folder| folder.exists()));
}

#[test]
fn a_refusal_is_an_error_with_the_servers_words() {
    let Some(url) = requirement::shared_redis_url() else {
        return;
    };
    let mut client = RedisClient::connect(&url).unwrap();
    let error = client.run(&["NO-SUCH-COMMAND"]).unwrap_err();
    assert!(matches!(&error, HarnessError::Refused(words) if words.contains("unknown command")));
    // The connection is as good as before.
    assert_eq!(client.run(&["ECHO", "a\r\nb"]).unwrap(), "a\r\nb");
}

#[test]
fn a_cluster_serves_all_slots() {
    let Some(cluster) = requirement::private_redis_cluster() else {
        return;
    };
    let addresses = cluster.addresses();
    assert_eq!(addresses.len(), 3);
    let mut moved = 0;
    for address in addresses {
        let mut client = RedisClient::connect(&format!("redis://{address}/")).unwrap();
        match client.run(&["SET", "key", "value"]) {
            Ok(answer) => assert_eq!(answer, "OK"),
            Err(error) => {
                assert!(error.to_string().contains("MOVED"), "{error}");
                moved += 1;
            }
        }
    }
    assert_eq!(moved, 2, "a key lives on one node");
}

#[test]
fn a_sentinel_promotes_the_replica() {
    let Some(mut failover) = requirement::private_redis_failover() else {
        return;
    };
    let mut replica = RedisClient::connect(&failover.replica_url()).unwrap();
    assert!(
        replica.run(&["SET", "key", "value"]).is_err(),
        "a replica takes no writes"
    );
    failover.fail_over().unwrap();
    // The sentinel closes the connections of whom it promotes.
    let mut replica = RedisClient::connect(&failover.replica_url()).unwrap();
    assert_eq!(replica.run(&["SET", "key", "value"]).unwrap(), "OK");
}
