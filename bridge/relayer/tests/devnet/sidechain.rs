//! A sidechain as a relayer sees it: the answers of one node, over HTTP, that a test puts there.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use nupeer_cardano_client::OutputReference;
use nupeer_outbox::{Anchor, Leaf, certificate::Certificate};
use serde_json::{Value, json};

/// Answers by path; what is not there is 404.
#[derive(Clone, Default)]
pub(crate) struct Sidechain {
    answers: Arc<Mutex<BTreeMap<String, Value>>>,
    credited: Arc<Mutex<Vec<Value>>>,
    address: Option<SocketAddr>,
}

impl Sidechain {
    /// A node of the bridge with this id, at a port from the kernel. The thread ends with the process.
    pub(crate) fn start(bridge_id: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let sidechain = Sidechain {
            address: Some(listener.local_addr().unwrap()),
            ..Sidechain::default()
        };
        sidechain.set(
            "/v1/bridge",
            json!({ "bridge_id": bridge_id, "anchors": { "certified": null } }),
        );
        let serving = sidechain.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let serving = serving.clone();
                std::thread::spawn(move || serving.serve(stream));
            }
        });
        sidechain
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address.unwrap())
    }

    pub(crate) fn set(&self, path: &str, answer: Value) {
        self.answers.lock().unwrap().insert(path.into(), answer);
    }

    /// A deposit is credited.
    pub(crate) fn credit(&self, output: OutputReference) {
        let mut credited = self.credited.lock().unwrap();
        let index = credited.len();
        credited.push(json!({ "index": index, "output": output.to_string() }));
    }

    /// An anchor is certified.
    pub(crate) fn certify(
        &self,
        anchor: &Anchor,
        spends: OutputReference,
        certificate: &Certificate,
        leaves: &[Leaf],
        credited_count: usize,
    ) {
        let slots = certificate.slots().iter();
        let signatures: Vec<_> = slots.map(|slot| slot.map(|s| s.to_string())).collect();
        let leaves: Vec<_> = leaves
            .iter()
            .map(|leaf| hex::encode(leaf.to_data().to_cbor()))
            .collect();
        let answer = json!({
            "seq": anchor.seq, "height": anchor.sidechain_height.0,
            "datum_cbor": hex::encode(anchor.to_data().to_cbor()), "spends": spends.to_string(),
            "signatures": signatures, "leaves": leaves, "credited_count": credited_count,
        });
        self.set(
            &format!("/v1/bridge/anchors/{}", anchor.seq),
            answer.clone(),
        );
        let mut answers = self.answers.lock().unwrap();
        answers.get_mut("/v1/bridge").unwrap()["anchors"]["certified"] = answer;
    }

    fn serve(&self, mut stream: TcpStream) {
        let mut reader = BufReader::new(stream.try_clone().unwrap());
        loop {
            let mut request = String::new();
            if reader.read_line(&mut request).unwrap_or(0) == 0 {
                return;
            }
            let mut header = String::new();
            while reader.read_line(&mut header).unwrap_or(0) > 2 {
                header.clear();
            }
            let path = request.split(' ').nth(1).unwrap_or_default();
            let (status, body) = match self.answer(path) {
                Some(answer) => ("200 OK", answer),
                None => (
                    "404 Not Found",
                    json!({ "error": { "message": "not here" } }),
                ),
            };
            let body = body.to_string();
            let length = body.len();
            let head = "content-type: application/json\r\ncontent-length";
            if write!(
                stream,
                "HTTP/1.1 {status}\r\n{head}: {length}\r\n\r\n{body}"
            )
            .is_err()
            {
                return;
            }
        }
    }

    fn answer(&self, path: &str) -> Option<Value> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        if path != "/v1/bridge/deposits" {
            return self.answers.lock().unwrap().get(path).cloned();
        }
        let after = query
            .split('&')
            .find_map(|part| part.strip_prefix("after="));
        let first = after.map_or(0, |after| after.parse::<usize>().unwrap() + 1);
        let credited = self.credited.lock().unwrap();
        let page: Vec<_> = credited.iter().skip(first).take(100).cloned().collect();
        Some(json!({ "deposits": page }))
    }
}
