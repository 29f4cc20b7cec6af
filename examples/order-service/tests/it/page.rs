//! The page without a browser: what it is served with, and what it refuses.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::support::{Binary, Place, SOON, run};

/// Longer than it takes to stop, and shorter than requests under way may take then.
const STOPS_WITHIN: Duration = Duration::from_secs(8);

fn send(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> TcpStream {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(SOON)).unwrap();
    write!(
        stream,
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{headers}\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
    .unwrap();
    stream
}

fn answer(address: SocketAddr, method: &str, path: &str, headers: &str, body: &str) -> String {
    let mut text = String::new();
    let mut stream = send(address, method, path, headers, body);
    stream.read_to_string(&mut text).unwrap();
    text
}

fn header<'a>(answer: &'a str, name: &str) -> Option<&'a str> {
    let head = answer.split("\r\n\r\n").next()?;
    head.lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

#[test]
fn a_form_that_is_sent_twice_is_one_order() {
    run(async {
        let place = Place::sqlite();
        let service = Binary::serve(&place);
        let origin = format!("Origin: http://{}\r\n", service.address);
        let form = "key=k1&buyer=ann&basket=book&payment_method=";
        let send = || answer(service.address, "POST", "/ui/orders", &origin, form);
        let (first, second) = (send(), send());
        assert!(first.starts_with("HTTP/1.1 303"), "{first}");
        let page = header(&first, "location").unwrap();
        assert_eq!(header(&second, "location"), Some(page));
        let order = answer(service.address, "GET", page, "", "");
        assert!(order.contains("slow-mornings"), "{order}");
        assert_eq!(service.client.newest(9).await.unwrap().len(), 1);
    });
}

#[test]
fn what_is_wrong_is_said_in_words() {
    run(async {
        let place = Place::sqlite();
        let service = Binary::serve(&place);
        let none = answer(service.address, "GET", "/ui/orders/nothing", "", "");
        assert!(
            none.starts_with("HTTP/1.1 404") && none.contains("There is no order nothing."),
            "{none}"
        );
        let own = "Sec-Fetch-Site: same-origin\r\n";
        let form = "key=k1&buyer=%20&basket=book&payment_method=";
        let empty = answer(service.address, "POST", "/ui/orders", own, form);
        assert!(
            empty.starts_with("HTTP/1.1 422") && empty.contains("/buyer must not be empty"),
            "{empty}"
        );
        let buyer = "<script>alert(1)</script>";
        let form = format!("key=k2&buyer={buyer}&basket=book&payment_method=");
        answer(service.address, "POST", "/ui/orders", own, &form);
        let home = answer(service.address, "GET", "/", "", "");
        assert!(home.contains("alert(1)") && !home.contains(buyer), "{home}");
    });
}

#[test]
fn pages_of_others_can_change_nothing() {
    run(async {
        let place = Place::sqlite();
        let service = Binary::serve(&place);
        for headers in [
            "",
            "Origin: http://elsewhere\r\n",
            "Sec-Fetch-Site: cross-site\r\n",
        ] {
            for path in [
                "/ui/orders",
                "/ui/stock",
                "/ui/faults",
                "/ui/dead-letters/redrive-all",
            ] {
                let refused = answer(service.address, "POST", path, headers, "");
                assert!(refused.starts_with("HTTP/1.1 403"), "{path}: {refused}");
                assert_eq!(header(&refused, "content-type"), Some("application/problem+json"));
            }
        }
    });
}

#[test]
fn nothing_is_loaded_from_elsewhere() {
    run(async {
        let place = Place::sqlite();
        let service = Binary::serve(&place);
        let home = answer(service.address, "GET", "/", "", "");
        assert!(
            header(&home, "content-security-policy")
                .unwrap()
                .starts_with("default-src 'self';")
        );
        assert_eq!(header(&home, "x-content-type-options"), Some("nosniff"));
        assert!(!home.contains("://"), "{home}");
        let assets: Vec<_> = home
            .split('"')
            .filter(|part| part.starts_with("/ui/assets/"))
            .collect();
        assert!(assets.len() >= 6, "{assets:?}");
        for asset in assets {
            let file = answer(service.address, "GET", asset, "", "");
            assert!(file.starts_with("HTTP/1.1 200"), "{asset}");
            assert!(header(&file, "cache-control").unwrap().contains("immutable"));
            assert!(header(&file, "content-type").is_some());
        }
    });
}

#[test]
fn without_a_playground_nothing_can_be_made_to_go_wrong() {
    run(async {
        let place = Place::sqlite();
        let service = Binary::serve_with(&place, &[("PLAYGROUND", "false")]);
        let home = answer(service.address, "GET", "/", "", "");
        assert!(
            home.contains("Place order") && !home.contains("/ui/faults"),
            "{home}"
        );
        let own = "Sec-Fetch-Site: same-origin\r\n";
        for path in [
            "/ui/faults",
            "/ui/consumers",
            "/ui/deliver-again",
            "/ui/dead-letters/discard",
        ] {
            let none = answer(service.address, "POST", path, own, "");
            assert!(none.starts_with("HTTP/1.1 404"), "{path}: {none}");
        }
    });
}

#[test]
fn pages_that_are_open_do_not_hold_up_the_end() {
    run(async {
        let place = Place::sqlite();
        let mut service = Binary::serve(&place);
        let mut streams: Vec<_> = (0..3)
            .map(|_| BufReader::new(send(service.address, "GET", "/ui/events", "", "")))
            .collect();
        for stream in &mut streams {
            let told = stream.lines().any(|line| line.unwrap() == "event: changed");
            assert!(told, "a stream ended before it began");
        }
        let begin = Instant::now();
        service.process.terminate().unwrap();
        let status = service.process.wait_timeout(SOON).unwrap();
        assert!(
            status.success() && begin.elapsed() < STOPS_WITHIN,
            "{status} after {:?}",
            begin.elapsed()
        );
        for mut stream in streams {
            // To its end, and not cut off.
            stream.read_to_end(&mut Vec::new()).unwrap();
        }
    });
}
