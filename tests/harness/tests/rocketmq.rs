//! The harness against a real RocketMQ: what a test does to its server must really happen to it.
#![allow(clippy::unwrap_used)]

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use outbox_test_harness::{HarnessError, RocketMq, RocketMqOptions, requirement};

/// How the answer to a request that was done begins, apart from its order.
const DONE: &str = "\"code\":0,";

/// And the answer to one who may not.
const NO_PERMISSION: &str = "\"code\":16,";

/// Requests of the server's own protocol, which it calls remoting.
const SEND_MESSAGE: u32 = 10;
const UPDATE_AND_CREATE_TOPIC: u32 = 17;
const GET_MAX_OFFSET: u32 = 30;
const ROUTE_OF_TOPIC: u32 = 105;

fn private() -> Option<RocketMq> {
    requirement::private_rocketmq(&RocketMqOptions::new())
}

/// The answer to one request, both as headers in JSON; what follows them is added to it.
fn ask(port: u16, request: u32, fields: &str, body: &[u8]) -> io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let header = format!(
        "{{\"code\":{request},\"language\":\"OTHER\",\"version\":477,\"opaque\":7,\"flag\":0,\"extFields\":{{{fields}}}}}"
    );
    let length = |bytes: usize| u32::try_from(bytes).unwrap().to_be_bytes();
    // The first byte of the header's length says that it is JSON.
    stream.write_all(&length(4 + header.len() + body.len()))?;
    stream.write_all(&length(header.len()))?;
    stream.write_all(header.as_bytes())?;
    stream.write_all(body)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer)?;
    let answer = String::from_utf8_lossy(&answer[4..]).into_owned();
    assert!(answer.contains("\"opaque\":7"), "{answer}");
    Ok(answer)
}

fn create(server: &RocketMq, topic: &str) -> io::Result<String> {
    let fields = format!(
        "\"topic\":\"{topic}\",\"defaultTopic\":\"TBW102\",\"readQueueNums\":\"1\",\"writeQueueNums\":\"1\",\"perm\":\"6\",\
         \"topicFilterType\":\"SINGLE_TAG\",\"topicSysFlag\":\"0\",\"order\":\"false\""
    );
    ask(server.broker_port(), UPDATE_AND_CREATE_TOPIC, &fields, b"")
}

fn send(server: &RocketMq, topic: &str) -> io::Result<String> {
    let fields = format!(
        "\"producerGroup\":\"test\",\"topic\":\"{topic}\",\"defaultTopic\":\"TBW102\",\"defaultTopicQueueNums\":\"1\",\
         \"queueId\":\"0\",\"sysFlag\":\"0\",\"bornTimestamp\":\"1\",\"flag\":\"0\",\"reconsumeTimes\":\"0\""
    );
    ask(server.broker_port(), SEND_MESSAGE, &fields, b"hello")
}

/// Whether the queue holds this many. A server that has just come back reads what it has, some time.
fn holds(server: &RocketMq, topic: &str, messages: u32) -> bool {
    let fields = format!("\"topic\":\"{topic}\",\"queueId\":\"0\"");
    let wanted = format!("\"offset\":\"{messages}\"");
    soon(|| {
        let answer = ask(server.broker_port(), GET_MAX_OFFSET, &fields, b"").unwrap();
        answer.contains(&wanted)
    })
}

/// Whether the name server sends clients of the topic to the broker.
fn is_known(server: &RocketMq, topic: &str) -> bool {
    let fields = format!("\"topic\":\"{topic}\"");
    let wanted = format!("127.0.0.1:{}", server.broker_port());
    soon(|| {
        let answer = ask(server.port(), ROUTE_OF_TOPIC, &fields, b"").unwrap();
        answer.contains(DONE) && answer.contains(&wanted)
    })
}

fn soon(condition: impl Fn() -> bool) -> bool {
    let begun = Instant::now();
    while !condition() {
        if begun.elapsed() > Duration::from_secs(10) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    true
}

#[test]
fn a_killed_server_comes_back_on_its_ports_with_what_it_confirmed() {
    let Some(mut server) = private() else { return };
    let topic = create(&server, "kept").unwrap();
    assert!(topic.contains(DONE), "{topic}");
    for sent in 1..=2 {
        assert!(is_known(&server, "kept"));
        let answer = send(&server, "kept").unwrap();
        assert!(answer.contains(DONE), "{answer}");
        let ports = |server: &RocketMq| (server.proxy_port(), server.port(), server.broker_port());
        let (before, pid) = (ports(&server), server.pid());
        server.kill().unwrap();
        assert!(send(&server, "kept").is_err(), "something still listens");
        server.restart().unwrap();
        assert_eq!(ports(&server), before);
        assert_ne!(server.pid(), pid);
        assert!(holds(&server, "kept", sent));
    }
    assert!(is_known(&server, "kept"));
    let folder = server.data_folder();
    drop(server);
    assert!(!folder.exists());
}

#[test]
fn a_frozen_server_answers_when_it_is_thawed() {
    let Some(server) = private() else { return };
    create(&server, "kept").unwrap();
    server.freeze().unwrap();
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.proxy_port())).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    // How HTTP/2 begins, with no settings.
    stream
        .write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0")
        .unwrap();
    let mut answer = [0; 9];
    assert!(stream.read_exact(&mut answer).is_err(), "it answered");
    server.thaw();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer[3], 4, "no settings");
    assert!(is_known(&server, "kept"));
}

#[test]
fn a_setting_that_can_not_be_is_named() {
    if requirement::rocketmq_program().is_err() && private().is_none() {
        return;
    }
    let options = RocketMqOptions::new().configuration("namesrvAddr=nowhere");
    let error = RocketMq::start_with(&options).unwrap_err();
    assert!(matches!(error, HarnessError::EndedEarly { .. }), "{error}");
    assert!(error.to_string().contains("nowhere"), "{error}");
}

#[test]
fn with_a_user_it_starts_and_stops_and_asks_who_comes() {
    let options = RocketMqOptions::new().user("outbox", "s3cret");
    let Some(mut server) = requirement::private_rocketmq(&options) else {
        return;
    };
    let refused = |server: &RocketMq| {
        let answer = create(server, "kept").unwrap();
        assert!(answer.contains(NO_PERMISSION), "{answer}");
    };
    refused(&server);
    server.stop().unwrap();
    server.restart().unwrap();
    refused(&server);
}

#[test]
fn it_listens_on_the_loopback_only() {
    let Some(server) = private() else { return };
    let sockets: Vec<_> = std::fs::read_dir(format!("/proc/{}/fd", server.pid()))
        .unwrap()
        .filter_map(|file| std::fs::read_link(file.unwrap().path()).ok())
        .map(|target| target.display().to_string())
        .collect();
    let mut listening = 0;
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        for line in std::fs::read_to_string(table).unwrap().lines().skip(1) {
            let fields: Vec<_> = line.split_whitespace().collect();
            let (local, state, inode) = (fields[1], fields[3], fields[9]);
            if state == "0A" && sockets.contains(&format!("socket:[{inode}]")) {
                assert!(local.starts_with("0100007F:"), "{local}");
                listening += 1;
            }
        }
    }
    // The proxy, the name server, and the broker with its second port.
    assert_eq!(listening, 4);
}
