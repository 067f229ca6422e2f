//! A node on pallas-network's server halves: serves whatever chain it is given, and follows the tests' whims.

use std::{path::PathBuf, sync::Arc};

use pallas_codec::utils::AnyCbor;
use pallas_network::{
    miniprotocols::{
        PROTOCOL_N2C_CHAIN_SYNC, PROTOCOL_N2C_HANDSHAKE, PROTOCOL_N2C_STATE_QUERY,
        PROTOCOL_N2C_TX_SUBMISSION, Point,
        chainsync::{self, BlockContent, ClientRequest, Tip as PallasTip},
        handshake,
        localstate::{
            self, ClientQueryRequest,
            queries_v16::{BlockQuery, LedgerQuery, Request},
        },
        localtxsubmission::{self as lts, EraTx},
    },
    multiplexer::{Bearer, Plexer},
};
use tokio::{
    net::UnixListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use super::Block;
use crate::{chain, node::Rejection};

/// What the node says to questions and submissions; raw CBOR.
#[derive(Clone, Default)]
pub(crate) struct Answers {
    pub(crate) era: u16,
    pub(crate) parameters: Vec<u8>,
    pub(crate) utxos: Vec<u8>,
    pub(crate) rejection: Option<String>,
}

/// A running node. Its socket and its tasks go with it.
pub(crate) struct TestNode {
    pub(crate) socket: PathBuf,
    chain: watch::Sender<Arc<Vec<Block>>>,
    answers: Answers,
    magic: u64,
    task: Option<JoinHandle<()>>,
    _folder: tempfile::TempDir,
}

impl TestNode {
    pub(crate) fn start(magic: u64, blocks: Vec<Block>) -> Self {
        Self::answering(
            magic,
            blocks,
            Answers {
                era: 6,
                ..Answers::default()
            },
        )
    }

    pub(crate) fn answering(magic: u64, blocks: Vec<Block>, answers: Answers) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("node.socket");
        let (chain, _) = watch::channel(Arc::new(blocks));
        let mut node = TestNode {
            socket,
            chain,
            answers,
            magic,
            task: None,
            _folder: folder,
        };
        node.resume();
        node
    }

    /// Puts another chain in place of the one it has.
    pub(crate) fn set(&self, blocks: Vec<Block>) {
        self.chain.send_replace(Arc::new(blocks));
    }

    /// Breaks every connection and accepts none.
    pub(crate) async fn pause(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
            let _ = task.await;
        }
        let _ = std::fs::remove_file(&self.socket);
    }

    /// Accepts connections again.
    pub(crate) fn resume(&mut self) {
        let listener = UnixListener::bind(&self.socket).unwrap();
        let (chain, answers, magic) = (self.chain.clone(), self.answers.clone(), self.magic);
        self.task = Some(tokio::spawn(async move {
            // Connections end with this task, since the set aborts its tasks when dropped.
            let mut connections = JoinSet::new();
            loop {
                let (bearer, _) = Bearer::accept_unix(&listener).await.unwrap();
                connections.spawn(serve(bearer, chain.subscribe(), answers.clone(), magic));
            }
        }));
    }
}

impl Drop for TestNode {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

async fn serve(
    bearer: Bearer,
    chain: watch::Receiver<Arc<Vec<Block>>>,
    answers: Answers,
    magic: u64,
) {
    let mut plexer = Plexer::new(bearer);
    let mut handshake = handshake::N2CServer::new(plexer.subscribe_server(PROTOCOL_N2C_HANDSHAKE));
    let sync = chainsync::N2CServer::new(plexer.subscribe_server(PROTOCOL_N2C_CHAIN_SYNC));
    let queries = localstate::Server::new(plexer.subscribe_server(PROTOCOL_N2C_STATE_QUERY));
    let submission = lts::GenericServer::new(plexer.subscribe_server(PROTOCOL_N2C_TX_SUBMISSION));
    let plexer = Aborting(Some(plexer.spawn()));
    let versions = handshake::n2c::VersionTable::v10_and_above(magic);
    if !matches!(handshake.handshake(versions).await, Ok(Some(_))) {
        // Lets the refusal out before the connection ends.
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        return;
    }
    let tip = chain.borrow().last().map(|block| block.tip);
    let _ = tokio::join!(
        follow(sync, chain),
        answer(queries, answers.clone(), tip),
        judge(submission, answers)
    );
    drop(plexer);
}

/// Ends a connection's tasks with it.
struct Aborting(Option<pallas_network::multiplexer::RunningPlexer>);

impl Drop for Aborting {
    fn drop(&mut self) {
        if let Some(plexer) = self.0.take() {
            tokio::spawn(plexer.abort());
        }
    }
}

async fn follow(
    mut sync: chainsync::N2CServer,
    mut chain: watch::Receiver<Arc<Vec<Block>>>,
) -> Result<(), chainsync::ServerError> {
    let mut sent: Vec<Block> = Vec::new();
    let mut due = true;
    let mut blocks = chain.borrow_and_update().clone();
    while let Some(request) = sync.recv_while_idle().await? {
        match request {
            ClientRequest::Intersect(points) => {
                blocks = chain.borrow_and_update().clone();
                let found = points
                    .iter()
                    .find_map(|point| Some((point, height_of(&blocks, point)?)));
                match found {
                    Some((point, height)) => {
                        (sent, due) = (blocks[..height].to_vec(), true);
                        sync.send_intersect_found(point.clone(), tip(&blocks))
                            .await?;
                    }
                    None => sync.send_intersect_not_found(tip(&blocks)).await?,
                }
            }
            ClientRequest::RequestNext => {
                let mut asked_for_patience = false;
                loop {
                    if chain.has_changed().unwrap_or_default() {
                        blocks = chain.borrow_and_update().clone();
                        let common = sent
                            .iter()
                            .zip(blocks.iter())
                            .take_while(|(a, b)| a == b)
                            .count();
                        due |= common < sent.len();
                        sent.truncate(common);
                    }
                    if std::mem::take(&mut due) {
                        sync.send_roll_backward(point(sent.last()), tip(&blocks))
                            .await?;
                    } else if let Some(next) = blocks.get(sent.len()) {
                        sync.send_roll_forward(BlockContent(next.raw.clone()), tip(&blocks))
                            .await?;
                        sent.push(next.clone());
                    } else {
                        if !std::mem::replace(&mut asked_for_patience, true) {
                            sync.send_await_reply().await?;
                        }
                        if chain.changed().await.is_err() {
                            return Ok(());
                        }
                        chain.mark_changed();
                        continue;
                    }
                    break;
                }
            }
        }
    }
    Ok(())
}

fn height_of(blocks: &[Block], wanted: &Point) -> Option<usize> {
    match wanted {
        Point::Origin => Some(0),
        _ => blocks
            .iter()
            .position(|block| point(Some(block)) == *wanted)
            .map(|index| index + 1),
    }
}

fn point(block: Option<&Block>) -> Point {
    chain::to_pallas(block.map(|block| block.tip.point))
}

fn tip(blocks: &[Block]) -> PallasTip {
    PallasTip(
        point(blocks.last()),
        blocks.last().map_or(0, |block| block.tip.block_number),
    )
}

async fn answer(
    mut queries: localstate::Server,
    answers: Answers,
    tip: Option<chain::Tip>,
) -> Result<(), String> {
    while queries.recv_while_idle().await.map_err(text)?.is_some() {
        queries.send_acquired().await.map_err(text)?;
        loop {
            let request = match queries.recv_while_acquired().await.map_err(text)? {
                ClientQueryRequest::Release => break,
                ClientQueryRequest::ReAcquire(_) => {
                    queries.send_acquired().await.map_err(text)?;
                    continue;
                }
                ClientQueryRequest::Query(request) => request.into_decode::<Request>().unwrap(),
            };
            let wrapped = |item: &[u8]| AnyCbor::from_raw_bytes([&[0x81], item].concat());
            let result = match request {
                Request::GetChainPoint => {
                    AnyCbor::from_encode(chain::to_pallas(tip.map(|tip| tip.point)))
                }
                Request::GetChainBlockNo => match tip {
                    Some(tip) => AnyCbor::from_encode((1u8, tip.block_number)),
                    None => AnyCbor::from_encode((0u8,)),
                },
                Request::LedgerQuery(LedgerQuery::HardForkQuery(_)) => {
                    AnyCbor::from_encode(answers.era)
                }
                Request::LedgerQuery(LedgerQuery::BlockQuery(6, BlockQuery::GetCurrentPParams)) => {
                    wrapped(&answers.parameters)
                }
                Request::LedgerQuery(LedgerQuery::BlockQuery(
                    6,
                    BlockQuery::GetUTxOByAddress(_) | BlockQuery::GetUTxOByTxIn(_),
                )) => wrapped(&answers.utxos),
                other => panic!("not asked in tests: {other:?}"),
            };
            queries.send_result(result).await.map_err(text)?;
        }
    }
    Ok(())
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

async fn judge(
    mut submission: lts::GenericServer<EraTx, Rejection>,
    answers: Answers,
) -> Result<(), lts::Error> {
    while let lts::Request::Submit(_) = submission.recv_next_request().await? {
        let response = match &answers.rejection {
            None => lts::Response::Accepted,
            Some(reason) => lts::Response::Rejected(Rejection::from(reason.clone())),
        };
        submission.send_submit_tx_response(response).await?;
    }
    Ok(())
}
