//! Asking for a payment on Cardano.

use minicbor::{Decode, Encode, bytes::ByteVec};
use nupeer_ledger::{Context, LedgerError, Purse, StateWrite, purse};
use nupeer_outbox::{Address, Output, Value};
use nupeer_primitives::{Amount, AssetId, CardanoNetwork, Height};

use crate::{
    address,
    error::BridgeError,
    event::Event,
    minimum,
    settings::Settings,
    status::Status,
    store,
    withdrawal::{Withdrawal, WithdrawalId, WithdrawalState},
};

/// Longest text, in bytes: what a signed line leaves for its action.
const TEXT_BYTES_MAX: usize = 141;

/// Moves value from the sender's balance into a hold, to be paid to an address on Cardano as one output. The transaction's id is the
/// withdrawal's.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Withdraw {
    /// Where to, in CIP-19 bytes: a base or enterprise address of this chain's network ([`address::parse`]).
    #[n(0)]
    pub address: ByteVec,
    /// What.
    #[n(1)]
    pub asset: AssetId,
    /// How much, in base units.
    #[n(2)]
    pub amount: Amount,
    /// ADA that goes along with a native asset, at least its output's minimum, in lovelace; zero when ADA itself is withdrawn.
    #[n(3)]
    pub lovelace_along: Amount,
}

impl Withdraw {
    /// A withdrawal of ADA.
    pub fn ada(address: Vec<u8>, lovelace: Amount) -> Self {
        Withdraw {
            address: address.into(),
            asset: AssetId::Ada,
            amount: lovelace,
            lovelace_along: Amount::ZERO,
        }
    }

    pub(crate) fn text(&self, network: CardanoNetwork) -> String {
        let what = match &self.asset {
            AssetId::Ada => format!("{} ADA", self.amount.display(6).replace(',', "")),
            token => format!(
                "{} of {} and {} ADA",
                self.amount,
                token.fingerprint().unwrap_or_default(),
                self.lovelace_along.display(6).replace(',', "")
            ),
        };
        let what = format!("withdraw {what} to ");
        let address = match Address::from_bytes(&self.address) {
            Ok((address, _)) => address::to_bech32(&address, network),
            Err(_) => "no address".into(),
        };
        // What does not fit is cut in its middle: the transaction's id binds all of it.
        let room = TEXT_BYTES_MAX.saturating_sub(what.len());
        what + &shortened(&address, room)
    }

    pub(crate) fn execute(
        &self,
        state: &mut dyn StateWrite,
        context: &Context,
    ) -> Result<Vec<Event>, BridgeError> {
        let settings = Settings::load(state).ok_or(BridgeError::NoBridge)?;
        let mut status = Status::load(state).ok_or(BridgeError::NoBridge)?;
        status.refuse_if_halted()?;
        let output = self.output(&settings)?;
        let id = WithdrawalId(context.transaction);
        self.hold(state, context, &id)?;
        let withdrawal = self.record(
            output.address,
            context,
            status.withdrawal_count,
            context.height,
        );
        status.withdrawal_count = status
            .withdrawal_count
            .checked_add(1)
            .ok_or(LedgerError::AmountOverflow)?;
        status.store(state);
        store::put_withdrawal(state, &id, &withdrawal);
        Ok(vec![Event::WithdrawalRequested {
            id,
            account: context.sender,
            address: output.address,
            value: output.value,
        }])
    }

    /// The output that is to be paid, if a shard's script can pay it.
    fn output(&self, settings: &Settings) -> Result<Output, BridgeError> {
        let (address, provided) = Address::from_bytes(&self.address)?;
        let expected = settings.network();
        if provided != expected {
            return Err(BridgeError::WrongNetwork { provided, expected });
        }
        if self.amount.is_zero() {
            return Err(LedgerError::ZeroAmount.into());
        }
        if !settings.lists(&self.asset) {
            let asset = self.asset.clone();
            return Err(BridgeError::Unlisted { asset });
        }
        let output = Output {
            address,
            value: self.value()?,
            datum: None,
        };
        self.check_amounts(settings, &output)?;
        Ok(output)
    }

    fn value(&self) -> Result<Value, BridgeError> {
        if self.asset != AssetId::Ada {
            return Ok(Value::default()
                .with(AssetId::Ada, self.lovelace_along)
                .with(self.asset.clone(), self.amount));
        }
        if self.lovelace_along.is_zero() {
            return Ok(Value::default().with(AssetId::Ada, self.amount));
        }
        Err(BridgeError::AdaAlongAda {
            provided: self.lovelace_along,
        })
    }

    /// A payment below the ledger's minimum, or beyond 64 bits, could never be made, and would block what comes after it.
    fn check_amounts(&self, settings: &Settings, output: &Output) -> Result<(), BridgeError> {
        for (_, provided) in output.value.entries() {
            if provided.to_u64().is_none() {
                let maximum = u64::MAX;
                return Err(BridgeError::TooLarge { provided, maximum });
            }
        }
        let params = &settings.params;
        let provided = output.value.of(&AssetId::Ada);
        let minimum = minimum::lovelace(output, params.utxo_cost_per_byte_lovelace);
        if provided < minimum {
            return Err(BridgeError::BelowMinimum { provided, minimum });
        }
        let smallest = Amount::from(params.withdrawal_min_lovelace);
        if self.asset == AssetId::Ada && provided < smallest {
            return Err(BridgeError::TooSmall { provided, smallest });
        }
        Ok(())
    }

    fn hold(
        &self,
        state: &mut dyn StateWrite,
        context: &Context,
        id: &WithdrawalId,
    ) -> Result<(), BridgeError> {
        let (from, to) = (Purse::Account(context.sender), id.hold(context.sender));
        purse::transfer(state, &from, &to, &self.asset, self.amount)?;
        purse::transfer(state, &from, &to, &AssetId::Ada, self.lovelace_along)?;
        Ok(())
    }

    fn record(
        &self,
        address: Address,
        context: &Context,
        number: u64,
        requested: Height,
    ) -> Withdrawal {
        Withdrawal {
            number,
            account: context.sender,
            address,
            asset: self.asset.clone(),
            amount: self.amount,
            lovelace_along: self.lovelace_along,
            requested,
            state: WithdrawalState::Queued,
        }
    }
}

/// `text`, or its beginning and end where it is longer than `room`.
fn shortened(text: &str, room: usize) -> String {
    if text.len() <= room {
        return text.to_owned();
    }
    let half = room.saturating_sub(2) / 2;
    let end = text.len().saturating_sub(half);
    format!(
        "{}..{}",
        text.get(..half).unwrap_or_default(),
        text.get(end..).unwrap_or_default()
    )
}
