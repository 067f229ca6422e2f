//! What the demo reports: the figures of `--json FILE`. Amounts are integers in lovelace.

use serde::Serialize;

/// The whole report.
#[derive(Default, Serialize)]
pub(super) struct Report {
    pub(super) network: Network,
    pub(super) cardano: Cardano,
    pub(super) lease: Lease,
    pub(super) invariants: Invariants,
    pub(super) balances: Balances,
    pub(super) sidechain: Sidechain,
    /// What was killed, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) havoc: Option<Havoc>,
    /// From the first process to the last check.
    pub(super) elapsed_s: f64,
}

/// The sidechain at the end.
#[derive(Default, Serialize)]
pub(super) struct Network {
    pub(super) validators: usize,
    pub(super) height: u64,
    pub(super) state_root: String,
    /// Whether each validator has this state root at this height.
    pub(super) all_agree: bool,
}

/// What happened on Cardano.
#[derive(Default, Serialize)]
pub(super) struct Cardano {
    pub(super) deposit: Deposit,
    pub(super) rolled_back_deposit: RolledBackDeposit,
    pub(super) anchor: Anchor,
    pub(super) payout: Payout,
    /// Every transaction of the story, in order.
    pub(super) transactions: Vec<CardanoTransaction>,
}

/// A transaction on Cardano.
#[derive(Clone, Serialize)]
pub(super) struct CardanoTransaction {
    /// What for, in words.
    pub(super) what: String,
    pub(super) tx: String,
    #[serde(flatten)]
    pub(super) costs: Costs,
}

/// The tenant's deposit.
#[derive(Default, Serialize)]
pub(super) struct Deposit {
    pub(super) tx: String,
    pub(super) lovelace: u64,
    /// Blocks on top of it on Cardano when the block that credits it was made.
    pub(super) depth_at_credit: u64,
    /// Blocks on top of the point of Cardano that this block names.
    pub(super) depth_named: u64,
}

/// The deposit that a fork took away.
#[derive(Default, Serialize)]
pub(super) struct RolledBackDeposit {
    pub(super) tx: String,
    pub(super) credited: bool,
}

/// The anchor under which the withdrawal was paid.
#[derive(Default, Serialize)]
pub(super) struct Anchor {
    pub(super) tx: String,
    pub(super) seq: u64,
    pub(super) signers: u64,
    #[serde(flatten)]
    pub(super) costs: Costs,
}

/// The payment of the withdrawal.
#[derive(Default, Serialize)]
pub(super) struct Payout {
    pub(super) tx: String,
    pub(super) lovelace: u64,
    /// How many such payments lie at the owner's address: one for each withdrawal.
    pub(super) count: usize,
    #[serde(flatten)]
    pub(super) costs: Costs,
}

/// What a transaction cost on Cardano.
#[derive(Clone, Copy, Default, Serialize)]
pub(super) struct Costs {
    /// Execution steps.
    pub(super) cpu: u64,
    /// Execution memory units.
    pub(super) mem: u64,
    /// Bytes.
    pub(super) size: u64,
    /// Lovelace.
    pub(super) fee: u64,
}

/// The lease.
#[derive(Default, Serialize)]
pub(super) struct Lease {
    pub(super) id: String,
    pub(super) driver: String,
    pub(super) order_to_first_byte_ms: u64,
    pub(super) limits: Limits,
    pub(super) metered_s: f64,
    /// What the owner received, after the fee.
    pub(super) paid_lovelace: u64,
    pub(super) protocol_fee_lovelace: u64,
    pub(super) refund_lovelace: u64,
}

/// What the kernel held the workload to, as its own files said while it ran.
#[derive(Clone, Copy, Default, Serialize)]
pub(super) struct Limits {
    pub(super) cpu_milli: u64,
    pub(super) memory_bytes: u64,
    pub(super) pids_max: u64,
}

/// What must hold.
#[derive(Default, Serialize)]
pub(super) struct Invariants {
    /// Credited less paid out is what purses hold.
    pub(super) conservation: bool,
    /// The vault and what is on its way into it cover what the sidechain owes.
    pub(super) solvency: bool,
}

/// Who had what before the story and has what after it, in lovelace.
#[derive(Default, Serialize)]
pub(super) struct Balances {
    pub(super) people: Vec<Balance>,
    /// Fees of transactions and the protocol's part of what leases paid.
    pub(super) pots: u64,
    /// What entered the sidechain, what left it, and what it holds.
    pub(super) credited: u64,
    pub(super) paid_out: u64,
    pub(super) held: u64,
    /// What the vault holds on Cardano, and what is on its way into it.
    pub(super) vault: u64,
}

/// One person's.
#[derive(Serialize)]
pub(super) struct Balance {
    pub(super) name: &'static str,
    pub(super) before: Funds,
    pub(super) after: Funds,
    /// Fees of their transactions on the sidechain.
    pub(super) sidechain_fees: u64,
}

/// What one person has, in lovelace.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Funds {
    /// In their Cardano wallet.
    pub(super) cardano: u64,
    /// Their balance on the sidechain.
    pub(super) sidechain: u64,
    /// Theirs, in bonds, escrows and withdrawals.
    pub(super) held: u64,
}

/// What was killed, and when in the story. Times are from the first process on.
#[derive(Default, Serialize)]
pub(super) struct Havoc {
    /// What all moments were drawn from.
    pub(super) seed: u64,
    /// Kills of processes, in order.
    pub(super) kills: Vec<Kill>,
    /// Kills of people's clients.
    pub(super) clients: Vec<ClientKill>,
    /// When the owner saw their withdrawal on the chain, and when they saw it paid and closed.
    pub(super) withdrawal_ordered_s: f64,
    pub(super) withdrawal_paid_s: f64,
}

/// One or all processes killed at once.
#[derive(Serialize)]
pub(super) struct Kill {
    pub(super) chapter: usize,
    pub(super) at_s: f64,
    /// Their names.
    pub(super) killed: Vec<String>,
}

/// A client killed in the middle of its command.
#[derive(Serialize)]
pub(super) struct ClientKill {
    /// Whose.
    pub(super) name: &'static str,
    pub(super) command: String,
    pub(super) at_s: f64,
}

/// What people did on the sidechain.
#[derive(Default, Serialize)]
pub(super) struct Sidechain {
    /// Their transactions, by themselves or by keys that they let act, in the order of the chain.
    pub(super) transactions: Vec<SidechainTransaction>,
    /// Those that somebody was told are final.
    pub(super) told_final: Vec<String>,
    /// Of these, what some validator does not have, or has in another block.
    pub(super) lost: Vec<String>,
    /// How many withdrawals the sidechain knows.
    pub(super) withdrawals: usize,
}

/// A transaction on the sidechain.
#[derive(Serialize)]
pub(super) struct SidechainTransaction {
    pub(super) id: String,
    pub(super) height: u64,
    /// Whose.
    pub(super) name: &'static str,
    /// What was signed.
    pub(super) text: String,
    pub(super) fee_lovelace: u64,
}
