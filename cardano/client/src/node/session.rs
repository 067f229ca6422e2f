//! One connection: handshake, chain-sync, state queries, submission.

use std::{future::Future, pin::pin, task::Context, time::Duration};

use nupeer_primitives::{Hash, blake2b_256};
use pallas_addresses::Address;
use pallas_codec::utils::AnyCbor;
use pallas_network::{
    miniprotocols::{
        PROTOCOL_N2C_CHAIN_SYNC, PROTOCOL_N2C_HANDSHAKE, PROTOCOL_N2C_STATE_QUERY,
        PROTOCOL_N2C_TX_SUBMISSION, chainsync,
        handshake::{self, Confirmation, n2c},
        localstate::{
            self,
            queries_v16::{BlockQuery, HardForkQuery, LedgerQuery, Request, TransactionInput},
        },
        localtxsubmission::{self, EraTx, Response},
    },
    multiplexer::{Bearer, Plexer, RunningPlexer},
};
use tokio::time::timeout;

use super::{Node, NodeError, Rejection, Timeouts, query};
use crate::{OutputReference, ProtocolParameters, Utxo, chain::Tip};

/// Node-to-client versions carry bit 15; 16 is Conway's first, 23 the newest that pallas speaks.
const VERSIONS: std::ops::RangeInclusive<u64> = (1 << 15) + 16..=(1 << 15) + 23;

/// Conway among the eras of queries and submissions, counted from Byron as 0.
const CONWAY: u16 = 6;

/// A connection to a node. Each method takes at most its time limit. After an error the connection is in doubt: drop
/// it.
///
/// All queries of a session are answered from the same ledger state, that of the first, until [`Session::refresh`].
pub struct Session {
    connection: Connection,
    chain_sync: chainsync::N2CClient,
    queries: localstate::Client,
    submission: localtxsubmission::GenericClient<EraTx, Rejection>,
    timeouts: Timeouts,
}

impl Session {
    pub(super) async fn connect(node: &Node) -> Result<Self, NodeError> {
        let limit = node.timeouts.connect;
        within("connecting", limit, Self::open(node)).await?
    }

    async fn open(node: &Node) -> Result<Self, NodeError> {
        let refused = |error: std::io::Error| NodeError::Connect {
            socket: node.socket.clone(),
            error: error.to_string(),
        };
        let bearer = Bearer::connect_unix(&node.socket).await.map_err(refused)?;
        let mut plexer = Plexer::new(bearer);
        let mut handshake =
            handshake::N2CClient::new(plexer.subscribe_client(PROTOCOL_N2C_HANDSHAKE));
        let chain_sync =
            chainsync::N2CClient::new(plexer.subscribe_client(PROTOCOL_N2C_CHAIN_SYNC));
        let queries = localstate::Client::new(plexer.subscribe_client(PROTOCOL_N2C_STATE_QUERY));
        let submission = localtxsubmission::GenericClient::new(
            plexer.subscribe_client(PROTOCOL_N2C_TX_SUBMISSION),
        );
        let connection = Connection(Some(plexer.spawn()));
        shake_hands(node, &mut handshake).await?;
        Ok(Session {
            connection,
            chain_sync,
            queries,
            submission,
            timeouts: node.timeouts,
        })
    }

    pub(crate) fn chain_sync(&mut self) -> &mut chainsync::N2CClient {
        &mut self.chain_sync
    }

    /// The node's last block; `None` before the first.
    pub async fn tip(&mut self) -> Result<Option<Tip>, NodeError> {
        const ASKED: &str = "its tip";
        let point = self.ask(ASKED, Request::GetChainPoint).await?;
        let point = query::point(&point).map_err(|reason| NodeError::Answer {
            asked: ASKED,
            reason,
        })?;
        let number = self.ask(ASKED, Request::GetChainBlockNo).await?;
        let number = query::block_number(&number).map_err(|reason| NodeError::Answer {
            asked: ASKED,
            reason,
        })?;
        query::tip(point, number).map_err(|reason| NodeError::Answer {
            asked: ASKED,
            reason,
        })
    }

    /// The protocol parameters in force.
    pub async fn parameters(&mut self) -> Result<ProtocolParameters, NodeError> {
        let answer = self
            .ask_ledger("the protocol parameters", BlockQuery::GetCurrentPParams)
            .await?;
        Ok(ProtocolParameters::from_query(&answer)?)
    }

    /// All unspent outputs at `addresses`, sorted by reference.
    pub async fn utxos_at(&mut self, addresses: &[Address]) -> Result<Vec<Utxo>, NodeError> {
        const ASKED: &str = "the outputs at addresses";
        let addresses = addresses
            .iter()
            .map(|address| address.to_vec().into())
            .collect();
        let answer = self
            .ask_ledger(ASKED, BlockQuery::GetUTxOByAddress(addresses))
            .await?;
        query::utxos(&answer).map_err(|reason| NodeError::Answer {
            asked: ASKED,
            reason,
        })
    }

    /// Those of `references` that are unspent, sorted.
    pub async fn utxos(&mut self, references: &[OutputReference]) -> Result<Vec<Utxo>, NodeError> {
        const ASKED: &str = "outputs by reference";
        let inputs = references.iter().map(|reference| TransactionInput {
            transaction_id: reference.transaction_id.0.into(),
            index: reference.index.into(),
        });
        let answer = self
            .ask_ledger(ASKED, BlockQuery::GetUTxOByTxIn(inputs.collect()))
            .await?;
        query::utxos(&answer).map_err(|reason| NodeError::Answer {
            asked: ASKED,
            reason,
        })
    }

    /// Lets go of the ledger state of earlier queries: the next one sees the newest.
    pub async fn refresh(&mut self) -> Result<(), NodeError> {
        if *self.queries.state() != localstate::State::Acquired {
            return Ok(());
        }
        let released = within(
            "releasing a state",
            self.timeouts.answer,
            self.queries.send_release(),
        )
        .await?;
        released.map_err(|error| broken("releasing a state", &error))
    }

    /// Hands over a Conway transaction and waits for the node's judgement. Its id if the node took it.
    pub async fn submit(&mut self, transaction: &[u8]) -> Result<Hash, NodeError> {
        const DOING: &str = "submitting a transaction";
        let submitted = self
            .submission
            .submit_tx(EraTx(CONWAY, transaction.to_vec()));
        let answer = within(DOING, self.timeouts.submit, submitted).await?;
        match answer.map_err(|error| broken(DOING, &error))? {
            Response::Accepted => transaction_id(transaction),
            Response::Rejected(rejection) => Err(NodeError::Rejected(rejection)),
        }
    }

    /// Asks Conway's ledger; another era is named.
    async fn ask_ledger(
        &mut self,
        asked: &'static str,
        question: BlockQuery,
    ) -> Result<Vec<u8>, NodeError> {
        let era = HardForkQuery::GetCurrentEra;
        let era = self
            .ask(
                "the era",
                Request::LedgerQuery(LedgerQuery::HardForkQuery(era)),
            )
            .await?;
        let wrong = |reason: minicbor::decode::Error| NodeError::Answer {
            asked: "the era",
            reason: reason.to_string(),
        };
        match minicbor::decode::<u16>(&era).map_err(wrong)? {
            CONWAY => {}
            provided => {
                return Err(NodeError::Era {
                    provided,
                    expected: CONWAY,
                });
            }
        }
        let answer = self
            .ask(
                asked,
                Request::LedgerQuery(LedgerQuery::BlockQuery(CONWAY, question)),
            )
            .await?;
        query::unwrapped(&answer)
            .map(<[u8]>::to_vec)
            .map_err(|reason| NodeError::Answer { asked, reason })
    }

    async fn ask(&mut self, asked: &'static str, request: Request) -> Result<Vec<u8>, NodeError> {
        let queries = &mut self.queries;
        let answer = within(asked, self.timeouts.answer, async {
            if *queries.state() == localstate::State::Idle {
                queries.acquire(None).await?;
            }
            queries.query_any(AnyCbor::from_encode(request)).await
        });
        answer
            .await?
            .map(AnyCbor::unwrap)
            .map_err(|error| broken(asked, &error))
    }
}

async fn shake_hands(node: &Node, client: &mut handshake::N2CClient) -> Result<(), NodeError> {
    let magic = node.network.magic;
    let values = VERSIONS
        .map(|version| (version, n2c::VersionData::new(magic, Some(false))))
        .collect();
    let refused = |reason: String| NodeError::Handshake {
        socket: node.socket.clone(),
        network: node.network.name.clone(),
        magic,
        reason,
    };
    match client.handshake(n2c::VersionTable { values }).await {
        Ok(Confirmation::Accepted(..)) => Ok(()),
        Ok(Confirmation::Rejected(reason)) => Err(refused(format!("{reason:?}"))),
        Ok(Confirmation::QueryReply(_)) => {
            Err(refused("it answered a question that was not asked".into()))
        }
        Err(error) => Err(broken("shaking hands", &error)),
    }
}

/// The hash of the body as it stands in the bytes.
fn transaction_id(transaction: &[u8]) -> Result<Hash, NodeError> {
    let read = || {
        let mut d = minicbor::Decoder::new(transaction);
        d.array()?;
        let start = d.position();
        d.skip()?;
        Ok(blake2b_256(&[&transaction[start..d.position()]]))
    };
    read().map_err(|error: minicbor::decode::Error| NodeError::Answer {
        asked: "a submission",
        reason: format!("it took what is no transaction: {error}"),
    })
}

pub(crate) async fn within<T>(
    doing: &'static str,
    limit: Duration,
    work: impl Future<Output = T>,
) -> Result<T, NodeError> {
    timeout(limit, work)
        .await
        .map_err(|_| NodeError::Timeout { doing, limit })
}

/// pallas' errors say little by themselves; their details say the rest.
pub(crate) fn broken(
    doing: &'static str,
    error: &(impl std::fmt::Display + std::fmt::Debug),
) -> NodeError {
    NodeError::Connection {
        doing,
        reason: format!("{error} ({error:?})"),
    }
}

/// Ends the tasks behind a connection with it; pallas leaves them running.
struct Connection(Option<RunningPlexer>);

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(plexer) = self.0.take() {
            // `abort` is asynchronous in name only: it is finished at its first poll.
            let finished =
                pin!(plexer.abort()).poll(&mut Context::from_waker(std::task::Waker::noop()));
            debug_assert!(finished.is_ready());
        }
    }
}

impl Session {
    /// Ends the connection. Dropping it does the same.
    pub fn close(self) {
        drop(self.connection);
    }
}
