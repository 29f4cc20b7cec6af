//! The harness against a real Kafka: what a test does to its server must really happen to it.
#![allow(clippy::unwrap_used)]

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};

use outbox_test_harness::{HarnessError, Kafka, KafkaOptions, requirement};

fn private() -> Option<Kafka> {
    requirement::private_kafka(&KafkaOptions::new())
}

/// The answer to one request: which one, in which version, and what it says.
fn ask(server: &Kafka, request: i16, version: i16, body: &[u8]) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port()))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    let mut bytes = Vec::new();
    bytes.extend(request.to_be_bytes());
    bytes.extend(version.to_be_bytes());
    // The number of the request, and no name of a client.
    bytes.extend([0, 0, 0, 7, 0xff, 0xff]);
    bytes.extend(body);
    stream.write_all(&u32::try_from(bytes.len()).unwrap().to_be_bytes())?;
    stream.write_all(&bytes)?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    stream.read_exact(&mut answer)?;
    assert_eq!(answer[..4], [0, 0, 0, 7]);
    Ok(answer)
}

/// A topic of one queue.
fn create(server: &Kafka, topic: &str) {
    let mut body = vec![0, 0, 0, 1];
    body.extend(i16::try_from(topic.len()).unwrap().to_be_bytes());
    body.extend(topic.bytes());
    // One partition, one replica, no places, no settings; within 5 seconds, and not only tried.
    body.extend([0, 0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x13, 0x88, 0]);
    ask(server, 19, 2, &body).unwrap();
}

/// Whether it is there. A server that has just come back reads what it has, some time.
fn has(server: &Kafka, topic: &str) -> bool {
    let begun = Instant::now();
    loop {
        let all = ask(server, 3, 1, &[0xff; 4]).unwrap();
        if all.windows(topic.len()).any(|part| part == topic.as_bytes()) {
            return true;
        }
        if begun.elapsed() > Duration::from_secs(5) {
            return false;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn a_killed_server_comes_back_on_its_port_with_its_data() {
    let Some(mut server) = private() else { return };
    create(&server, "kept");
    for _ in 0..2 {
        assert!(has(&server, "kept"));
        let (port, pid) = (server.port(), server.pid());
        server.kill().unwrap();
        assert!(ask(&server, 3, 1, &[0xff; 4]).is_err(), "something still listens");
        server.restart().unwrap();
        assert_eq!(server.port(), port);
        assert_ne!(server.pid(), pid);
    }
    assert!(has(&server, "kept"));
    let folder = server.data_folder();
    drop(server);
    assert!(!folder.exists());
}

#[test]
fn a_frozen_server_answers_when_it_is_thawed() {
    let Some(server) = private() else { return };
    create(&server, "kept");
    server.freeze().unwrap();
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, server.port())).unwrap();
    stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
    stream
        .write_all(&[0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xff])
        .unwrap();
    let mut answer = [0; 8];
    assert!(stream.read_exact(&mut answer).is_err(), "it answered");
    server.thaw();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    stream.read_exact(&mut answer).unwrap();
    assert!(has(&server, "kept"));
}

#[test]
fn a_setting_that_can_not_be_is_named() {
    if requirement::kafka_program().is_err() && private().is_none() {
        return;
    }
    let error = Kafka::start_with(&KafkaOptions::new().configuration("num.io.threads=none")).unwrap_err();
    assert!(matches!(error, HarnessError::EndedEarly { .. }), "{error}");
    assert!(error.to_string().contains("num.io.threads"), "{error}");
}

#[test]
fn with_passwords_it_starts_and_stops_too() {
    let options = KafkaOptions::new().sasl_plain("outbox", "s3cret");
    let Some(mut server) = requirement::private_kafka(&options) else {
        return;
    };
    // It wants to know first who asks.
    assert!(ask(&server, 3, 1, &[0xff; 4]).is_err());
    server.stop().unwrap();
    server.restart().unwrap();
}
