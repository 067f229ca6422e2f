//! What commands share that speak to a Cardano node: a thread to wait on, and a wallet's key and funds there.

use std::path::Path;

use nupeer_cardano_client::{
    Node, OutputReference, ProtocolParameters, SignedTransaction, Tip, UnsignedTransaction, Utxo,
    Wallet, builder::BuildError, node::NodeError,
};
use nupeer_primitives::Numbered;
use nupeer_relayer::{Bridge, Deployment, DeploymentError, deploy::Submitter};
use pallas_addresses::Address;
use tokio::runtime::Runtime;

use crate::{
    amount::show_ada,
    error::{CliError, Exit, Outcome},
};

/// Threads for a command that waits for others.
pub(crate) fn runtime() -> Outcome<Runtime> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build();
    runtime.map_err(|error| CliError::new(Exit::Unexpected, format!("no threads: {error}")))
}

/// The wallet's first payment key and address, for this node's network.
pub(crate) fn submitter(wallet: &Wallet, node: &Node) -> Outcome<Submitter> {
    let (ours, theirs) = (wallet.network(), node.network.kind);
    if ours != theirs {
        let name = &node.network.name;
        let what = format!("the wallet is for {ours}, {name} has addresses of {theirs}");
        return Err(CliError::new(Exit::Key, what).next("--wallet FILE   names another"));
    }
    Ok(Submitter {
        key: wallet.payment_signing_key(0),
        address: wallet.base_address(0),
    })
}

/// The bridge in the file, checked against its seed and the node's network.
pub(crate) fn bridge(path: &Path, node: &Node) -> Outcome<(Deployment, Bridge)> {
    let refused = |error: DeploymentError| {
        let exit = match &error {
            DeploymentError::Io { .. } => Exit::NotFound,
            _ => Exit::CheckFailed,
        };
        CliError::numbered(exit, &error)
            .next("nupeer deploy          makes a bridge and writes the file")
            .next("--deployment FILE      names another")
    };
    let deployment = Deployment::read(path).map_err(refused)?;
    let checked = deployment.check_on(node.network.magic);
    Ok((deployment, checked.map_err(refused)?))
}

/// A node's answers that a transaction is built with, of one ledger state.
pub(crate) struct Situation {
    pub(crate) tip: Tip,
    pub(crate) parameters: ProtocolParameters,
    pub(crate) funds: Vec<Utxo>,
}

/// Asks for tip, parameters and what lies at `address`.
pub(crate) async fn situation(node: &Node, address: &Address) -> Outcome<Situation> {
    let ask = async {
        let mut session = node.connect().await?;
        let tip = session.tip().await?;
        let parameters = session.parameters().await?;
        let funds = session.utxos_at(std::slice::from_ref(address)).await?;
        Ok::<_, NodeError>((tip, parameters, funds))
    };
    let (tip, parameters, funds) = ask.await.map_err(|error| unreachable(&error))?;
    let none = || CliError::new(Exit::Unreachable, "the Cardano node has no block yet");
    Ok(Situation {
        tip: tip.ok_or_else(none)?,
        parameters,
        funds,
    })
}

/// Submits, and says what to do about a refusal.
pub(crate) async fn submit(node: &Node, signed: &SignedTransaction) -> Outcome<()> {
    match node.submit(&signed.cbor).await {
        Ok(_) => Ok(()),
        Err(error) => Err(unreachable(&error)),
    }
}

/// A node that does not answer, or that refuses.
pub(crate) fn unreachable(error: &NodeError) -> CliError {
    match error {
        NodeError::Rejected(_) => CliError::numbered(Exit::Refused, error)
            .next("nupeer wallet funds      shows what is unspent now; a waiting transaction may hold an input"),
        _ => CliError::numbered(Exit::Unreachable, error)
            .next("--cardano-socket PATH      names a node's socket (or NUPEER_CARDANO_SOCKET)")
            .next("--cardano-network NETWORK  must be that node's network")
            .next("nupeer devnet up           starts a Cardano of your own"),
    }
}

/// A transaction that cannot be built; where funds are short, where they would have to be.
pub(crate) fn unbuilt(error: &dyn Numbered, address: &Address) -> CliError {
    CliError::numbered(Exit::Refused, error)
        .next(format!("the wallet's address is {address}"))
        .next("nupeer devnet faucet ADDRESS 100ADA   fills it on a devnet")
}

/// Signs with the wallet's key.
pub(crate) fn sign(made: &UnsignedTransaction, by: &Submitter) -> Outcome<SignedTransaction> {
    made.sign([&by.key])
        .map_err(|error| CliError::numbered(Exit::Key, &error))
}

/// The result of building, in the command line's words.
pub(crate) fn built(
    result: Result<UnsignedTransaction, BuildError>,
    by: &Submitter,
) -> Outcome<UnsignedTransaction> {
    result.map_err(|error| unbuilt(&error, &by.address))
}

/// What a transaction spends, as texts.
pub(crate) fn inputs(made: &UnsignedTransaction) -> Vec<String> {
    made.inputs()
        .map(|input: OutputReference| input.to_string())
        .collect()
}

/// Lovelace in words.
pub(crate) fn ada(lovelace: u64) -> String {
    show_ada(lovelace.into())
}
