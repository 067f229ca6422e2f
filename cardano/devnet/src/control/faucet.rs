//! The faucet: an ordinary key with genesis funds, whose payments go through the mempool like anyone's.

use nupeer_cardano_client::{
    Output, OutputReference, ProtocolParameters, Utxo, Value,
    builder::{BuildError, Change, NoScripts, SignError, SignedTransaction, TransactionBuilder},
    output::OutputError,
    parameters::ParametersError,
    wallet::SigningKey,
};
use nupeer_primitives::{Code, Hash, Numbered};
use pallas_addresses::Address;
use thiserror::Error;

use super::{ControlError, FaucetReply};
use crate::{
    chain::Chain,
    genesis::{Account, GenesisError, address_bytes},
    owner::Owner,
    query,
};
use nupeer_cardano_ledger::{Ledger, TxIn};

/// Why the faucet does not pay.
#[derive(Debug, Error)]
pub enum FaucetError {
    /// The payee is no address.
    #[error(transparent)]
    Address(#[from] GenesisError),
    /// The payment cannot be built.
    #[error("the faucet cannot pay that: {0}")]
    Build(#[from] BuildError),
    /// The payment cannot be signed.
    #[error("the faucet cannot sign: {0}")]
    Sign(#[from] SignError),
    /// The ledger's parameters are not understood.
    #[error("the faucet does not understand the parameters: {0}")]
    Parameters(#[from] ParametersError),
    /// An output of the ledger is not understood.
    #[error("the faucet does not understand its outputs: {0}")]
    Output(#[from] OutputError),
}

impl Numbered for FaucetError {
    fn code(&self) -> Code {
        match self {
            Self::Address(error) => error.code(),
            Self::Build(error) => error.code(),
            Self::Sign(error) => error.code(),
            Self::Parameters(error) => error.code(),
            Self::Output(_) => Code(7186),
        }
    }
}

/// Pays `lovelace` to `address` and gives the transaction's id; it then waits for the next block like any other. Payments chain,
/// so that any number of them may wait at once.
pub(super) async fn pay(
    owner: &Owner,
    address: &str,
    lovelace: u64,
) -> Result<FaucetReply, ControlError> {
    let address = payee(address)?;
    let wall_slot = owner.wall_slot();
    owner
        .ask(move |chain| pay_from(chain, address, lovelace, wall_slot))
        .await?
}

fn payee(text: &str) -> Result<Address, FaucetError> {
    let bytes = address_bytes(text)?;
    let refused = |e: pallas_addresses::Error| GenesisError::Address {
        address: text.to_owned(),
        reason: e.to_string(),
    };
    Ok(Address::from_bytes(&bytes).map_err(refused)?)
}

fn pay_from(
    chain: &mut Chain,
    address: Address,
    lovelace: u64,
    wall_slot: Option<u64>,
) -> Result<FaucetReply, ControlError> {
    let faucet = Account::faucet(chain.genesis().seed);
    let payment = build(chain.with_waiting(), &faucet, address, lovelace)?;
    let id = chain.submit(&payment.cbor, wall_slot)?;
    Ok(FaucetReply {
        id: hex::encode(id),
    })
}

fn build(
    ledger: &Ledger,
    faucet: &Account,
    to: Address,
    lovelace: u64,
) -> Result<SignedTransaction, FaucetError> {
    let parameters =
        ProtocolParameters::from_query(&query::current_parameters(ledger.parameters()))?;
    let funds = ledger
        .utxo_by_address(&faucet.address)
        .map(|(reference, output)| utxo(reference, output));
    let unsigned = TransactionBuilder::new(Change::to(payee(&hex::encode(&faucet.address))?))
        .available(funds.collect::<Result<Vec<_>, _>>()?)
        .pay(Output::new(to, Value::lovelace(lovelace)))
        .build(&parameters, &NoScripts)?;
    Ok(unsigned.sign([&SigningKey::from_seed(faucet.payment_secret)])?)
}

fn utxo(reference: TxIn, output: &[u8]) -> Result<Utxo, OutputError> {
    let reference = OutputReference {
        transaction_id: Hash(reference.tx_id),
        index: reference.index,
    };
    Ok(Utxo {
        reference,
        output: Output::from_cbor(output)?,
    })
}
