//! A deposit's datum: written by the depositor, so nothing in it can be trusted to be there.

use nupeer_primitives::{AccountId, Slot, plutus::Data};

use crate::{
    Address,
    address::{credential_data, credential_from_data},
    error::{WireError, fields, unsigned},
};

/// The only version yet.
pub const VERSION: u64 = 1;

/// What a depositor asks for. A datum that is not exactly this is malformed: the deposit is not credited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Deposit {
    /// Who is credited on the sidechain.
    pub recipient: AccountId,
    /// Where a refund goes: the whole address, so that a wallet finds it.
    pub refund: Address,
    /// Tells otherwise equal deposits apart.
    pub nonce: u64,
    /// Credited only if a block before this slot contains it; after that, only a refund remains.
    pub credit_before: Slot,
}

impl Deposit {
    /// The datum.
    pub fn to_data(&self) -> Data {
        let fields = vec![
            Data::Int(VERSION.into()),
            credential_data(&self.recipient.0),
            self.refund.to_data(),
            Data::Int(self.nonce.into()),
            Data::Int(self.credit_before.0.into()),
        ];
        Data::Constr(0, fields)
    }

    /// The inverse of [`Deposit::to_data`].
    pub fn from_data(data: &Data) -> Result<Self, WireError> {
        let [version, recipient, refund, nonce, credit_before] = fields(data, 0, "a deposit")?;
        let provided = unsigned(version, "deposit version")?;
        if provided != VERSION {
            return Err(WireError::Range {
                field: "deposit version",
                provided: provided.into(),
            });
        }
        Ok(Deposit {
            recipient: AccountId(credential_from_data(recipient)?),
            refund: Address::from_data(refund)?,
            nonce: unsigned(nonce, "nonce")?,
            credit_before: Slot(unsigned(credit_before, "credit before")?),
        })
    }
}

#[cfg(test)]
mod tests {
    use nupeer_primitives::{Credential, Hash28};

    use super::*;

    #[test]
    fn a_deposit_survives_plutus_data_and_another_version_is_refused() {
        let key = Credential::Key(Hash28([1; 28]));
        let deposit = Deposit {
            recipient: AccountId(key),
            refund: Address {
                payment: key,
                stake: Some(Credential::Key(Hash28([2; 28]))),
            },
            nonce: 7,
            credit_before: Slot(1_000),
        };
        let data = deposit.to_data();
        assert_eq!(Deposit::from_data(&data), Ok(deposit));
        let Data::Constr(0, mut fields) = data else {
            panic!("a constructor")
        };
        fields[0] = Data::Int(2);
        let refused = WireError::Range {
            field: "deposit version",
            provided: 2,
        };
        assert_eq!(Deposit::from_data(&Data::Constr(0, fields)), Err(refused));
    }

    #[test]
    fn a_negative_nonce_and_a_missing_field_are_refused() {
        let negative = WireError::Range {
            field: "nonce",
            provided: -1,
        };
        assert_eq!(unsigned(&Data::Int(-1), "nonce"), Err(negative));
        let expected = "a deposit";
        for data in [
            Data::Int(1),
            Data::Constr(0, vec![]),
            Data::Constr(1, vec![Data::Int(1); 5]),
        ] {
            assert_eq!(
                Deposit::from_data(&data),
                Err(WireError::Shape { expected })
            );
        }
    }
}
