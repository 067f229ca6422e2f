//! A door for the fuzz target `devnet-control`: bytes on the commands' socket, served as a devnet serves them.

use std::sync::LazyLock;

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::UnixStream,
    runtime::{Builder, Runtime},
};

use super::{Request, server};
use crate::{
    Profile,
    chain::Chain,
    clock::Clock,
    genesis::{DEFAULT_MAGIC, Genesis},
    owner::Owner,
    server::Places,
};

/// Blocks on the chain that commands find.
const BLOCKS: u64 = 3;
/// More at once only take longer.
const HURRY_BLOCKS_MAX: u64 = 10;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.unwrap_or_else(|error| unreachable!("this machine gives a runtime: {error}"))
});

/// Serves `bytes` on a small chain and checks the answers: one line for each, which says either what was done or why not.
pub fn command(bytes: &[u8]) {
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let requests: Vec<_> = lines
        .iter()
        .filter_map(|line| server::read(line).ok())
        .collect();
    for request in &requests {
        assert!(has_one_meaning(request), "{request:?}");
    }
    let is_long = |request: &Request| matches!(request, Request::Hurry { blocks } if *blocks > HURRY_BLOCKS_MAX);
    // A chain takes a moment to make: what no line asks for needs none.
    if requests.is_empty() || requests.iter().any(is_long) {
        return;
    }
    let answers = RUNTIME.block_on(serve(bytes));
    assert_eq!(answers.len(), lines.len(), "an answer to each line");
}

/// Written down and read again it is the same.
fn has_one_meaning(request: &Request) -> bool {
    let written = serde_json::to_vec(request).unwrap_or_default();
    server::read(&written).is_ok_and(|again| again == *request)
}

async fn serve(bytes: &[u8]) -> Vec<Value> {
    let owner = owner();
    let (served, mut asking) = match UnixStream::pair() {
        Ok(pair) => pair,
        Err(error) => unreachable!("two ends of a socket: {error}"),
    };
    let asked = async {
        let (mut read, mut write) = asking.split();
        let mut answers = Vec::new();
        let writing = async {
            // Its end may close first: a line without an end is the last.
            let _ = write.write_all(bytes).await;
            let _ = write.shutdown().await;
        };
        let (_, _) = tokio::join!(writing, read.read_to_end(&mut answers));
        answers
    };
    let place = Places::new(1).take().await;
    let (_, answers) = tokio::join!(server::serve(served, &owner, &place), asked);
    owner.stop().await;
    let answers = answers.split(|byte| *byte == b'\n');
    answers
        .filter(|line| !line.is_empty())
        .map(answer)
        .collect()
}

fn answer(line: &[u8]) -> Value {
    let answer: Value = serde_json::from_slice(line).unwrap_or_default();
    let (done, refused) = (answer.get("ok"), answer.get("error"));
    assert!(done.is_some() != refused.is_some(), "{answer}");
    answer
}

/// A chain that lives in memory and no longer than the connection.
fn owner() -> Owner {
    let chain = Genesis::new(DEFAULT_MAGIC, Profile::Fast, 42, 0, &[])
        .map_err(|error| error.to_string())
        .and_then(|genesis| Chain::in_memory(genesis).map_err(|error| error.to_string()))
        .and_then(|mut chain| {
            let made = chain.mint(BLOCKS, None).map_err(|error| error.to_string());
            made.map(|()| chain)
        });
    let owner = chain.and_then(|chain| {
        Owner::spawn(chain, Clock::Manual, ()).map_err(|error| error.to_string())
    });
    owner.unwrap_or_else(|error| unreachable!("the default devnet starts: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_answered_and_what_is_no_request_is_refused_by_number() {
        let lines = "{\"command\":\"status\"}\nnonsense\n{\"command\":\"tx\",\"id\":\"00\"}\n{\"command\":\"rollback\",\"depth\":18446744073709551615,\"force\":true}";
        command(lines.as_bytes());
        let answers = RUNTIME.block_on(serve(lines.as_bytes()));
        assert_eq!(answers[0]["ok"]["tip"]["block_number"], BLOCKS - 1);
        let codes: Vec<_> = answers[1..]
            .iter()
            .map(|answer| answer["error"]["code"].as_str())
            .collect();
        assert_eq!(codes, [Some("NP7174"), Some("NP7175"), Some("NP7165")]);
    }
}
