//! What counts as an answer at a published port.

use std::{io::Write, net::TcpListener, net::TcpStream};

use nupeer_client::{ClientError, probe};
use nupeer_primitives::Numbered;

/// Serves connections with `serve` for as long as the test's process lives; returns the address.
fn port(serve: impl Fn(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || listener.incoming().flatten().for_each(serve));
    address
}

#[test]
fn who_keeps_a_connection_or_says_something_answers() {
    let (keep, kept) = std::sync::mpsc::channel();
    let waits = port(move |stream| keep.send(stream).unwrap());
    assert_eq!(probe(&waits), Ok(()));
    drop(kept);
    let speaks = port(|mut stream| stream.write_all(b"hello").unwrap());
    assert_eq!(probe(&speaks), Ok(()));
}

#[test]
fn who_lets_go_of_a_connection_or_takes_none_does_not() {
    let lets_go = port(drop);
    let closed = TcpListener::bind("127.0.0.1:0").unwrap();
    let takes_none = closed.local_addr().unwrap().to_string();
    drop(closed);
    for address in [&lets_go, &takes_none, "nowhere"] {
        let refused = probe(address).unwrap_err();
        assert!(matches!(&refused, ClientError::Silent { address: at, .. } if at == address));
        assert_eq!(refused.code().to_string(), "NP6210");
    }
}
