//! Validators under somebody who opens connections and says nothing.

use std::{
    io::Write,
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpSocket,
    time::timeout,
};

use crate::validators::{Validators, wait_until};

/// More than the flooded validator may have files open, and fewer than this test may.
const SILENT: usize = 500;

/// The height that `validators` 0 tells somebody with another address than the flood's.
fn height_told_elsewhere(validators: &Validators) -> Option<u64> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let asked = async {
        let socket = TcpSocket::new_v4().ok()?;
        socket.bind(([127, 0, 0, 2], 0).into()).ok()?;
        let mut stream = socket.connect(api(validators)).await.ok()?;
        let request = b"GET /v1/status HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
        stream.write_all(request).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        let (_, body) = answer.split_once("\r\n\r\n")?;
        serde_json::from_str::<Value>(body).ok()?["height"].as_u64()
    };
    let answer = runtime.block_on(async { timeout(Duration::from_secs(5), asked).await });
    answer.ok().flatten()
}

fn api(validators: &Validators) -> SocketAddr {
    let url = validators.url(0);
    url.trim_start_matches("http://").parse().unwrap()
}

#[test]
fn silent_connections_stop_no_validator_and_keep_nobody_else_out() {
    let mut validators = Validators::new(&[(1, 100)]);
    validators.start_within(0, "-n 400");
    (1..4).for_each(|index| validators.start(index));
    validators.wait_for_height(0, 1);
    let silent: Vec<TcpStream> = (0..SILENT)
        .map(|_| {
            let mut stream = TcpStream::connect(api(&validators)).unwrap();
            // Whoever is turned away may not be able to write any more.
            let _ = stream.write_all(b"GET /v1/status HTTP/1.1\r\nhost: x\r\nx-a: ");
            stream
        })
        .collect();
    let mut before = None;
    wait_until("an answer during the flood", || {
        before = height_told_elsewhere(&validators);
        before.is_some()
    });
    let later = before.map(|height| height + 10);
    wait_until("blocks during the flood", || {
        height_told_elsewhere(&validators) >= later
    });
    drop(silent);
}

#[test]
fn a_node_raises_how_many_files_it_may_have_open() {
    let mut validators = Validators::new(&[(1, 100)]);
    validators.start_within(0, "-S -n 250");
    let limits = format!("/proc/{}/limits", validators.pid(0));
    wait_until("a higher limit", || {
        let limits = std::fs::read_to_string(&limits).unwrap();
        let line = limits
            .lines()
            .find(|line| line.starts_with("Max open files"));
        let figures: Vec<u64> = line
            .unwrap()
            .split_whitespace()
            .filter_map(|word| word.parse().ok())
            .collect();
        figures.len() == 2 && figures[0] == figures[1].min(65_536)
    });
}
