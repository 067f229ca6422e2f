//! A server against people who take without giving back: over real connections, with small bounds.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use nupeer_serve::{Limits, peer, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::{Notify, oneshot};
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use warp::Filter;

/// What is waited for in these tests comes within this.
const SOON: Duration = Duration::from_secs(30);
/// What a server of these tests waits for no longer.
const SHORT: Duration = Duration::from_millis(200);
/// As long as a test lasts, and longer.
const LONG: Duration = Duration::from_secs(3600);

/// More than the kernel keeps for a reader who does not read.
const LARGE: usize = 64 << 20;

const ONE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));
const OTHER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// Nothing is waited for in vain but what a test shortens.
fn limits() -> Limits {
    Limits {
        connections_max: 4,
        per_address_max: 2,
        per_loopback_max: 2,
        header_patience: LONG,
        header_bytes_max: 8 << 10,
        body_patience: LONG,
        write_patience: LONG,
        end_patience: LONG,
    }
}

struct Running {
    address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
    /// Told when `/later` is being answered.
    begun: Arc<Notify>,
}

async fn start(limits: Limits) -> Running {
    let who = warp::path!("who")
        .and(peer())
        .map(|from: Option<SocketAddr>| {
            from.map_or_else(String::new, |from| from.ip().to_string())
        });
    let large = warp::path!("large").map(|| vec![0u8; LARGE]);
    let body = warp::path!("body")
        .and(warp::body::bytes())
        .map(|body: hyper::body::Bytes| body.len().to_string());
    let begun = Arc::new(Notify::new());
    let tell = begun.clone();
    let later = warp::path!("later").then(move || {
        tell.notify_one();
        async {
            sleep(SHORT).await;
            "later"
        }
    });
    let routes = who
        .or(large)
        .or(body)
        .or(later)
        .recover(|_: warp::Rejection| async {
            Ok::<_, std::convert::Infallible>(warp::http::StatusCode::NOT_FOUND)
        });
    let listener = TcpListener::bind((ONE, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel();
    let until = async {
        let _ = stopped.await;
    };
    let serving = tokio::spawn(serve(routes, listener, limits, until));
    Running {
        address,
        stop,
        serving,
        begun,
    }
}

impl Running {
    async fn connect(&self, from: IpAddr) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(SocketAddr::new(from, 0)).unwrap();
        socket.connect(self.address).await.unwrap()
    }

    /// A connection that has sent `sent` and waits.
    async fn holding(&self, from: IpAddr, sent: &str) -> TcpStream {
        let mut stream = self.connect(from).await;
        stream.write_all(sent.as_bytes()).await.unwrap();
        stream
    }

    /// The whole answer to a request for `path` on a connection of its own, as far as it came.
    async fn ask(&self, from: IpAddr, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        let mut stream = self.connect(from).await;
        // Whoever is turned away may find the connection closed before it has written.
        let _ = stream.write_all(request.as_bytes()).await;
        rest(stream).await
    }

    /// Asks until it is served.
    async fn served(&self, from: IpAddr) -> bool {
        let trying = async {
            while !self.ask(from, "/who").await.starts_with("HTTP/1.1 200") {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(SOON, trying).await.is_ok()
    }

    async fn end(self) {
        let _ = self.stop.send(());
        timeout(SOON, self.serving).await.expect("it ends").unwrap();
    }
}

/// What comes until the connection is closed.
async fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    let read = timeout(SOON, stream.read_to_end(&mut bytes)).await;
    let _ = read.expect("the connection is closed");
    String::from_utf8_lossy(&bytes).into_owned()
}

/// The answer says what is wrong, by its number, and what to do.
fn assert_refused(answer: &str, code: &str) {
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    let body: serde_json::Value = serde_json::from_str(body).unwrap();
    let error = &body["error"];
    assert_eq!(error["code"], code, "{body}");
    assert!(
        error["message"].is_string() && error["next"].is_string(),
        "{body}"
    );
}

/// One answer on a connection that stays open, which ends with `end`.
async fn next_answer(stream: &mut TcpStream, end: &str) -> String {
    let mut text = String::new();
    let reading = async {
        while !text.ends_with(end) {
            let byte = stream.read_u8().await.unwrap();
            text.push(char::from(byte));
        }
    };
    timeout(SOON, reading).await.expect("an answer");
    text
}

#[tokio::test]
async fn requests_are_answered_one_after_another_and_know_who_asks() {
    let server = start(limits()).await;
    let mut stream = server.connect(OTHER).await;
    for _ in 0..3 {
        let request = b"GET /who HTTP/1.1\r\nhost: x\r\n\r\n";
        stream.write_all(request).await.unwrap();
        let answer = next_answer(&mut stream, "127.0.0.2").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    drop(stream);
    server.end().await;
}

#[tokio::test]
async fn a_header_that_does_not_come_ends_its_connection() {
    let server = start(Limits {
        header_patience: SHORT,
        ..limits()
    })
    .await;
    for sent in ["", "GET /who HTTP/1.1\r\nhost: x\r\nx-a: "] {
        let stream = server.holding(ONE, sent).await;
        assert_eq!(rest(stream).await, "", "after {sent:?}");
    }
    let mut idle = server
        .holding(ONE, "GET /who HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    next_answer(&mut idle, "127.0.0.1").await;
    assert_eq!(rest(idle).await, "", "no next request");
    server.end().await;
}

#[tokio::test]
async fn one_address_keeps_no_other_one_out() {
    let server = start(limits()).await;
    let held = [
        server.holding(ONE, "GET /who HTTP/1.1\r\nx-a: ").await,
        server.holding(ONE, "").await,
    ];
    for _ in 0..20 {
        let answer = server.ask(ONE, "/who").await;
        assert!(!answer.starts_with("HTTP/1.1 200"), "{answer}");
        let answer = server.ask(OTHER, "/who").await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    }
    drop(held);
    assert!(server.served(ONE).await, "its places are free again");
    server.end().await;
}

#[tokio::test]
async fn a_connection_beyond_the_share_is_told_so() {
    let server = start(Limits {
        per_loopback_max: 1,
        ..limits()
    })
    .await;
    let held = server.holding(ONE, "").await;
    // Nothing is sent, so that nothing of it can make the kernel throw the answer away.
    let answer = rest(server.connect(ONE).await).await;
    assert!(answer.starts_with("HTTP/1.1 503"), "{answer}");
    assert_refused(&answer, "NP6100");
    drop(held);
    server.end().await;
}

#[tokio::test]
async fn who_finds_all_places_taken_is_served_when_one_is_free() {
    let server = start(Limits {
        connections_max: 2,
        header_patience: SHORT,
        ..limits()
    })
    .await;
    let silent = [server.connect(ONE).await, server.connect(ONE).await];
    let answer = server.ask(OTHER, "/who").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    drop(silent);
    server.end().await;
}

#[tokio::test]
async fn a_header_over_the_bound_is_refused() {
    let server = start(limits()).await;
    let mut header = "GET /who HTTP/1.1\r\nx-a: ".to_owned();
    header.push_str(&"a".repeat((8 << 10) - header.len()));
    let answer = rest(server.holding(ONE, &header).await).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    server.end().await;
}

#[tokio::test]
async fn a_body_that_does_not_come_is_given_up() {
    let server = start(Limits {
        body_patience: SHORT,
        ..limits()
    })
    .await;
    let post = "POST /body HTTP/1.1\r\nhost: x\r\ncontent-length: 5\r\n\r\n";
    let mut whole = server.holding(ONE, &format!("{post}12345")).await;
    let answer = next_answer(&mut whole, "\r\n\r\n5").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let answer = rest(server.holding(ONE, &format!("{post}12")).await).await;
    assert!(answer.starts_with("HTTP/1.1 408"), "{answer}");
    assert_refused(&answer, "NP6101");
    drop(whole);
    server.end().await;
}

#[tokio::test]
async fn an_answer_that_nobody_reads_keeps_its_place_no_longer() {
    let server = start(Limits {
        connections_max: 1,
        write_patience: SHORT,
        ..limits()
    })
    .await;
    let unread = server
        .holding(ONE, "GET /large HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    let answer = server.ask(OTHER, "/who").await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    drop(unread);
    server.end().await;
}

#[tokio::test]
async fn the_end_waits_for_an_answer_that_is_under_way() {
    let server = start(limits()).await;
    let asked = server
        .holding(ONE, "GET /later HTTP/1.1\r\nhost: x\r\n\r\n")
        .await;
    let begun = timeout(SOON, server.begun.notified()).await;
    begun.expect("it is being answered");
    server.end().await;
    assert!(rest(asked).await.ends_with("later"));
}

#[tokio::test]
async fn the_end_waits_for_nobody_who_is_silent() {
    let server = start(Limits {
        end_patience: SHORT,
        ..limits()
    })
    .await;
    let silent = [
        server.holding(ONE, "").await,
        server.holding(ONE, "GET /who HTTP/1.1\r\nx-a: ").await,
        server
            .holding(OTHER, "GET /large HTTP/1.1\r\nhost: x\r\n\r\n")
            .await,
    ];
    assert!(server.served(OTHER).await);
    let address = server.address;
    server.end().await;
    assert!(TcpStream::connect(address).await.is_err(), "nobody listens");
    drop(silent);
}
