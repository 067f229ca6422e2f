//! Decided blocks as they come: the node's stream of server-sent events, taken up again where it broke off.

use std::{
    io::{BufRead, BufReader, Read},
    time::Duration,
};

use nupeer_primitives::{Hash, Height, TimeMs};
use serde_json::Value;

use crate::{
    answers::Answer,
    client::{Client, refusal, unreachable},
    error::ClientError,
};

/// A connection is renewed after this time at the latest, so that one that died unnoticed is not listened to for ever.
const STREAM_LIFE: Duration = Duration::from_secs(60);

/// Longest line of the stream, in bytes.
const LINE_BYTES_MAX: u64 = 8 << 20;

/// A decided block, with what happened in it. Events are JSON objects with a `kind`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockEvents {
    /// Its height.
    pub height: Height,
    /// Its time, unix ms.
    pub time: TimeMs,
    /// Its transactions in their order, each with what it did.
    pub transactions: Vec<(Hash, Vec<Value>)>,
    /// What the block itself did: deadlines and observations.
    pub events: Vec<Value>,
}

impl BlockEvents {
    /// Everything that happened, in order.
    pub fn all(&self) -> impl Iterator<Item = &Value> {
        let of_transactions = self.transactions.iter().flat_map(|(_, events)| events);
        of_transactions.chain(&self.events)
    }
}

/// Decided blocks, one after the other, none left out.
pub struct Blocks<'c> {
    client: &'c Client,
    next: Option<u64>,
    stream: Option<Box<dyn BufRead + Send>>,
}

impl<'c> Blocks<'c> {
    pub(crate) fn new(client: &'c Client, from: Option<u64>) -> Self {
        Blocks {
            client,
            next: from,
            stream: None,
        }
    }

    /// The next block, waited for. After an error it goes on where it was: call again when it suits.
    ///
    /// # Errors
    /// No node answers, or one makes no sense.
    pub fn next_block(&mut self) -> Result<BlockEvents, ClientError> {
        loop {
            if self.stream.is_none() {
                self.connect()?;
            }
            match self.read()? {
                Some(block) if self.next.is_none_or(|next| block.height.0 >= next) => {
                    self.next = Some(block.height.0.saturating_add(1));
                    return Ok(block);
                }
                Some(_) => {}
                None => self.stream = None,
            }
        }
    }

    fn connect(&mut self) -> Result<(), ClientError> {
        // Without a height to go on from, what is decided between two connections would be missed.
        let from = match self.next {
            Some(next) => next,
            None => self.client.status()?.height.0.saturating_add(1),
        };
        self.next = Some(from);
        let reader = self.client.ask(|url| open(url, from))?;
        self.stream = Some(Box::new(BufReader::new(reader)));
        Ok(())
    }

    /// One event; `None` where the stream ended.
    fn read(&mut self) -> Result<Option<BlockEvents>, ClientError> {
        let Some(stream) = &mut self.stream else {
            return Ok(None);
        };
        let mut data = String::new();
        loop {
            let mut line = String::new();
            let read = stream.by_ref().take(LINE_BYTES_MAX).read_line(&mut line);
            if !matches!(read, Ok(1..)) || !line.ends_with('\n') {
                return Ok(None);
            }
            let line = line.trim_end();
            if let Some(part) = line.strip_prefix("data:") {
                data.push_str(part.trim_start());
            }
            if line.is_empty() && !data.is_empty() {
                return parse(&data).map(Some);
            }
        }
    }
}

fn open(url: &str, from: u64) -> Result<ureq::BodyReader<'static>, ClientError> {
    let config = ureq::Agent::config_builder()
        .timeout_connect(Some(Duration::from_secs(5)))
        .timeout_recv_response(Some(Duration::from_secs(20)))
        .timeout_recv_body(Some(STREAM_LIFE))
        .http_status_as_error(false);
    let agent: ureq::Agent = config.build().into();
    let response = agent.get(format!("{url}/v1/events?from={from}")).call();
    let mut response = response.map_err(|error| unreachable(url, &error))?;
    let status = response.status().as_u16();
    if status >= 400 {
        let body = response.body_mut().read_json().unwrap_or_default();
        return Err(refusal(status, &body));
    }
    Ok(response.into_body().into_reader())
}

fn parse(data: &str) -> Result<BlockEvents, ClientError> {
    let value: Value = serde_json::from_str(data).unwrap_or_default();
    let answer = Answer::new("/v1/events", &value);
    let events = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let transactions = value["transactions"].as_array();
    let transactions = transactions.ok_or_else(|| answer.lacks("transactions"))?;
    let transaction = |value: &Value| {
        let id = Answer::new("/v1/events", value).parsed("id")?;
        Ok((id, events(&value["events"])))
    };
    Ok(BlockEvents {
        height: Height(answer.number("height")?),
        time: TimeMs(answer.number("time_unix_ms")?),
        transactions: transactions
            .iter()
            .map(transaction)
            .collect::<Result<_, ClientError>>()?,
        events: events(&value["events"]),
    })
}
