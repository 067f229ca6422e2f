//! Answers about the chain and its accounts.

use nupeer_primitives::{AccountId, Amount, CardanoPoint, Code, Hash, Hash28, Height, TimeMs};
use serde_json::Value;

use crate::{
    client::{Client, code},
    error::ClientError,
};

/// How a node is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The chain's name.
    pub network: String,
    /// The genesis id.
    pub genesis: Hash,
    /// The last decided block.
    pub height: Height,
    /// Its time, unix ms.
    pub time: TimeMs,
    /// The state root after it.
    pub state_root: Hash,
    /// The Cardano point observed up to.
    pub cardano: Option<CardanoPoint>,
    /// How many validators decide.
    pub validators: u64,
    /// Why the node decides nothing any more, if so.
    pub halted: Option<String>,
}

/// A balance.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Balance {
    /// `ADA`, or policy and name.
    pub asset: String,
    /// How much, in base units.
    pub amount: Amount,
}

/// A key that acts for an account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrantedKey {
    /// Its hash.
    pub key: Hash28,
    /// What it may do: names separated by `+`.
    pub scope: String,
    /// What it may still take, in lovelace.
    pub budget_lovelace: Amount,
    /// When it ends, unix ms.
    pub expires: TimeMs,
}

/// An account as the node sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// At which height.
    pub height: Height,
    /// What it has.
    pub balances: Vec<Balance>,
    /// Who may act for it.
    pub keys: Vec<GrantedKey>,
    /// The sequence number that the asked key's next transaction should carry, after what is pending.
    pub next_sequence: u64,
}

impl Account {
    /// What it has in ADA, in lovelace.
    pub fn lovelace(&self) -> Amount {
        let ada = self.balances.iter().find(|b| b.asset == "ADA");
        ada.map_or(Amount::ZERO, |balance| balance.amount)
    }

    /// What `key` was granted.
    pub fn granted(&self, key: &Hash28) -> Option<&GrantedKey> {
        self.keys.iter().find(|granted| granted.key == *key)
    }
}

/// Where a transaction is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TransactionStatus {
    /// Waiting for a block.
    Pending,
    /// In a decided block.
    Final {
        /// Which.
        height: Height,
        /// Its place in the block, from 0.
        index: u64,
    },
    /// Taken once, and refused by now.
    Refused {
        /// Number of the rule.
        code: Option<Code>,
        /// Its words.
        message: String,
    },
}

impl Client {
    /// How the node is doing.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn status(&self) -> Result<Status, ClientError> {
        let value = self.get("/v1/status")?;
        let answer = Answer::new("/v1/status", &value);
        Ok(Status {
            network: answer.text("network")?.to_owned(),
            genesis: answer.parsed("genesis")?,
            height: Height(answer.number("height")?),
            time: TimeMs(answer.number("time_unix_ms")?),
            state_root: answer.parsed("state_root")?,
            cardano: answer.optional("cardano")?,
            validators: answer.number("validators")?,
            halted: value["halted"].as_str().map(str::to_owned),
        })
    }

    /// An account, with the next sequence number of `signer` (its own key where none is named).
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn account(
        &self,
        account: &AccountId,
        signer: Option<&Hash28>,
    ) -> Result<Account, ClientError> {
        let address = account.to_bech32(self.chain()?.1.cardano);
        let signer = signer.copied().unwrap_or(account.hash());
        let value = self.get(&format!("/v1/accounts/{address}?signer={signer}"))?;
        let answer = Answer::new("/v1/accounts", &value);
        Ok(Account {
            height: Height(answer.number("height")?),
            balances: answer.list("balances", balance)?,
            keys: answer.list("keys", granted)?,
            next_sequence: answer.number("next_sequence")?,
        })
    }

    /// Where a transaction is; `None` where the node knows nothing of it.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn transaction(&self, id: &Hash) -> Result<Option<TransactionStatus>, ClientError> {
        let value = match self.get(&format!("/v1/transactions/{id}")) {
            Ok(value) => value,
            Err(error) if error.is_not_found() => return Ok(None),
            Err(error) => return Err(error),
        };
        let answer = Answer::new("/v1/transactions", &value);
        Ok(Some(match answer.text("status")? {
            "final" => TransactionStatus::Final {
                height: Height(answer.number("height")?),
                index: answer.number("index")?,
            },
            "refused" => TransactionStatus::Refused {
                code: code(&value["reason"]["code"]),
                message: plain(&value["reason"]["message"]),
            },
            _ => TransactionStatus::Pending,
        }))
    }
}

fn plain(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn balance(answer: &Answer<'_>) -> Result<Balance, ClientError> {
    Ok(Balance {
        asset: answer.text("asset")?.to_owned(),
        amount: answer.amount("amount")?,
    })
}

fn granted(answer: &Answer<'_>) -> Result<GrantedKey, ClientError> {
    Ok(GrantedKey {
        key: answer.parsed("key")?,
        scope: answer.text("scope")?.to_owned(),
        budget_lovelace: answer.amount("budget_lovelace")?,
        expires: TimeMs(answer.number("expires_unix_ms")?),
    })
}

/// A JSON object that came from `url`, to be read field by field.
pub(crate) struct Answer<'a> {
    url: &'a str,
    value: &'a Value,
}

impl<'a> Answer<'a> {
    pub(crate) fn new(url: &'a str, value: &'a Value) -> Self {
        Answer { url, value }
    }

    pub(crate) fn lacks(&self, name: &str) -> ClientError {
        ClientError::Malformed {
            url: self.url.to_owned(),
            expected: format!("an answer with a proper {name:?}"),
        }
    }

    pub(crate) fn text(&self, name: &str) -> Result<&'a str, ClientError> {
        let value: &'a Value = &self.value[name];
        value.as_str().ok_or_else(|| self.lacks(name))
    }

    pub(crate) fn number(&self, name: &str) -> Result<u64, ClientError> {
        self.value[name].as_u64().ok_or_else(|| self.lacks(name))
    }

    pub(crate) fn truth(&self, name: &str) -> Result<bool, ClientError> {
        self.value[name].as_bool().ok_or_else(|| self.lacks(name))
    }

    pub(crate) fn parsed<T: std::str::FromStr>(&self, name: &str) -> Result<T, ClientError> {
        self.text(name)?.parse().map_err(|_| self.lacks(name))
    }

    pub(crate) fn optional<T: std::str::FromStr>(
        &self,
        name: &str,
    ) -> Result<Option<T>, ClientError> {
        match self.value[name] {
            Value::Null => Ok(None),
            _ => self.parsed(name).map(Some),
        }
    }

    pub(crate) fn amount(&self, name: &str) -> Result<Amount, ClientError> {
        self.parsed(name).map(Amount::new)
    }

    /// Something of ours as hexadecimal canonical CBOR.
    pub(crate) fn cbor<T>(&self, name: &str) -> Result<T, ClientError>
    where
        T: for<'b> minicbor::Decode<'b, ()> + minicbor::Encode<()>,
    {
        let bytes = hex::decode(self.text(name)?).map_err(|_| self.lacks(name))?;
        nupeer_primitives::cbor::decode(&bytes).map_err(|_| self.lacks(name))
    }

    pub(crate) fn list<T>(
        &self,
        name: &str,
        read: impl Fn(&Answer<'a>) -> Result<T, ClientError>,
    ) -> Result<Vec<T>, ClientError> {
        let value: &'a Value = &self.value[name];
        let entries = value.as_array().ok_or_else(|| self.lacks(name))?;
        let url = self.url;
        entries
            .iter()
            .map(|value| read(&Answer { url, value }))
            .collect()
    }
}
