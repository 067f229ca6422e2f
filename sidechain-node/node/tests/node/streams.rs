//! The stream of blocks under somebody who takes all that he is given.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use nupeer_node::api;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpSocket, TcpStream},
    sync::oneshot,
};

use crate::support::{Cluster, soon};

const ONE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
const OTHER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// More streams than a node has.
const MANY: usize = 257;

/// Asks from `from`; the connection, and the status of the answer.
async fn asked(api: SocketAddr, from: Ipv4Addr, path: &str) -> (TcpStream, u16) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(from.into(), 0)).unwrap();
    let mut stream = socket.connect(api).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut line = [0; "HTTP/1.1 200".len()];
    let read = stream.read_exact(&mut line);
    soon("an answer", read).await.unwrap();
    let status = std::str::from_utf8(&line["HTTP/1.1 ".len()..]).unwrap();
    (stream, status.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_address_keeps_no_other_one_from_following_and_asking() {
    let cluster = Cluster::new(1, 1);
    let node = cluster.start(0).await.unwrap();
    let listener = TcpListener::bind((ONE, 0)).await.unwrap();
    let api = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let until = async {
        let _ = stopped.await;
    };
    let target = Duration::from_millis(100);
    let serving = tokio::spawn(api::serve(node.handle(), target, listener, until));

    let mut streams = Vec::new();
    let refused = loop {
        assert!(streams.len() < MANY, "one address has them all");
        match asked(api, ONE, "/v1/events").await {
            (stream, 200) => streams.push(stream),
            (_, status) => break status,
        }
    };
    assert_eq!(refused, 429);
    assert!(!streams.is_empty());
    assert_eq!(asked(api, OTHER, "/v1/events").await.1, 200);
    assert_eq!(asked(api, OTHER, "/v1/status").await.1, 200);
    assert_eq!(asked(api, ONE, "/v1/status").await.1, 200);

    let _ = stop.send(());
    node.stop().await.unwrap();
    soon("the end, with streams open", serving).await.unwrap();
}
