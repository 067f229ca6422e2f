//! What became of a deposit from Cardano.

use nupeer_primitives::{CardanoPoint, Hash, Height};

use crate::{answers::Answer, client::Client, error::ClientError};

/// What the chain says of a deposit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DepositStatus {
    /// Nothing: the asked node sees it in no Cardano block.
    Unknown {
        /// The Cardano point that the chain has observed up to: whatever was credited or refused by then would have been told.
        observed: Option<CardanoPoint>,
    },
    /// It is in a Cardano block that does not lie deep yet.
    Seen {
        /// Cardano blocks on top of its own, as the asked node sees them.
        depth: u64,
    },
    /// It became a balance.
    Credited {
        /// Its place among the credited.
        index: u64,
        /// The block of this chain that credited it.
        height: Height,
        /// Whether it is in the vault already.
        swept: bool,
    },
    /// It never will.
    Refused {
        /// The block of this chain that refused it.
        height: Height,
        /// Why.
        reason: String,
    },
}

impl Client {
    /// What became of the deposit in output `index` of a Cardano transaction.
    ///
    /// # Errors
    /// As [`Client::get`]; a chain without a bridge refuses with 404.
    pub fn deposit(&self, transaction: &Hash, index: u32) -> Result<DepositStatus, ClientError> {
        let path = format!("/v1/deposits/{transaction}/{index}");
        let value = self.get(&path)?;
        let answer = Answer::new(&path, &value);
        Ok(match answer.text("state")? {
            "unknown" => DepositStatus::Unknown {
                observed: answer.optional("cardano")?,
            },
            "seen" => DepositStatus::Seen {
                depth: answer.number("depth")?,
            },
            "credited" => {
                let deposit = Answer::new(&path, &value["deposit"]);
                DepositStatus::Credited {
                    index: deposit.number("index")?,
                    height: Height(deposit.number("credited_height")?),
                    swept: deposit.truth("swept")?,
                }
            }
            "refused" => {
                let refusal = Answer::new(&path, &value["refusal"]);
                DepositStatus::Refused {
                    height: Height(refusal.number("refused_height")?),
                    reason: refusal.text("reason")?.to_owned(),
                }
            }
            _ => return Err(answer.lacks("state")),
        })
    }
}
