//! A node's interface over real connections, asked in bytes.

use std::{net::SocketAddr, time::Duration};

use nupeer_node::{
    NodeHandle,
    api::{self, Rate},
};
use serde_json::Value;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

use super::soon;

/// An interface that runs.
pub struct Served {
    pub address: SocketAddr,
    stop: oneshot::Sender<()>,
    serving: JoinHandle<()>,
}

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    /// The content type, without its parameters.
    pub kind: String,
    pub body: String,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// Status and number of a refusal.
    pub fn refusal(&self) -> (u16, String) {
        let body = self.json();
        let code = body["error"]["code"].as_str();
        let code = code.unwrap_or_else(|| panic!("no number: {self:?}"));
        (self.status, code.to_owned())
    }
}

impl Served {
    /// For addresses that may ask so often.
    pub async fn start(node: NodeHandle, rate: Rate) -> Served {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let until = async {
            let _ = stopped.await;
        };
        let target = Duration::from_millis(100);
        let serving = tokio::spawn(api::serve_within(node, target, rate, listener, until));
        Served {
            address,
            stop,
            serving,
        }
    }

    /// The answer to `METHOD /path`, with further header lines that end in `\r\n`, and a body.
    pub async fn ask(&self, request: &str, headers: &str, body: &[u8]) -> Answer {
        let head = format!("{request} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
        // In one piece: what a server that refuses has not read yet would make the kernel throw the answer away.
        let whole = [head.as_bytes(), body].concat();
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let mut text = Vec::new();
        let asked = async {
            stream.write_all(&whole).await.unwrap();
            stream.read_to_end(&mut text).await.unwrap();
        };
        soon("an answer", asked).await;
        let text = String::from_utf8(text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let kind = head.lines().find_map(|line| {
            let (name, value) = line.split_once(": ")?;
            name.eq_ignore_ascii_case("content-type").then_some(value)
        });
        let kind = kind.unwrap_or_default().split(';').next();
        Answer {
            status,
            kind: kind.unwrap_or_default().to_owned(),
            body: body.to_owned(),
        }
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.ask(&format!("GET {path}"), "", b"").await
    }

    pub async fn post(&self, path: &str, body: &[u8]) -> Answer {
        let length = format!("content-length: {}\r\n", body.len());
        self.ask(&format!("POST {path}"), &length, body).await
    }

    /// The first events of a stream, as far as `count` of them.
    pub async fn events(&self, path: &str, count: usize) -> Vec<Value> {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        let head = format!("GET {path} HTTP/1.1\r\nhost: x\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        let (mut lines, mut events) = (BufReader::new(stream).lines(), Vec::new());
        let reading = async {
            while events.len() < count {
                let line = lines.next_line().await.unwrap().expect("more events");
                if let Some(data) = line.strip_prefix("data:") {
                    events.push(serde_json::from_str(data).unwrap());
                }
            }
        };
        soon("events", reading).await;
        events
    }

    pub async fn end(self) {
        let _ = self.stop.send(());
        soon("the end", self.serving).await.unwrap();
    }
}
