//! The client of the devnet's commands: a function for each.

use std::{
    io,
    path::{Path, PathBuf},
};

use nupeer_primitives::{Code, Numbered};
use serde::{Deserialize, de::DeserializeOwned};
use thiserror::Error;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::UnixStream,
};

use super::{Cut, CutReply, FaucetReply, Refusal, Request, StatusReply, TxReply};

/// Why a command was not done.
#[derive(Debug, Error)]
pub enum ClientError {
    /// Nobody answers.
    #[error("no devnet answers at {}: {error}; start one with `nupeer devnet up`", path.display())]
    Unreachable {
        /// The control socket.
        path: PathBuf,
        /// What the operating system said.
        error: io::Error,
    },
    /// The devnet went away before it answered.
    #[error("the devnet went away before it answered: {0}")]
    Interrupted(#[from] io::Error),
    /// An answer that this program does not understand.
    #[error("the devnet's answer is not understood: {0}")]
    Malformed(#[from] serde_json::Error),
    /// The devnet refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
}

impl Numbered for ClientError {
    fn code(&self) -> Code {
        Code(match self {
            Self::Unreachable { .. } => 7178,
            Self::Interrupted(_) => 7179,
            Self::Malformed(_) => 7180,
            Self::Refused(_) => 7181,
        })
    }
}

/// The devnet that answers at a control socket.
#[derive(Clone, Debug)]
pub struct Client {
    path: PathBuf,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum Answer<T> {
    Ok(T),
    Error(Refusal),
}

impl Client {
    /// A client of the control socket at `path`; each command connects anew.
    pub fn new(path: impl AsRef<Path>) -> Self {
        Self {
            path: path.as_ref().to_owned(),
        }
    }

    /// What is in the devnet.
    pub async fn status(&self) -> Result<StatusReply, ClientError> {
        self.ask(&Request::Status {}).await
    }

    /// Sends lovelace from the faucet.
    pub async fn faucet(&self, address: &str, lovelace: u64) -> Result<FaucetReply, ClientError> {
        self.ask(&Request::Faucet {
            address: address.to_owned(),
            lovelace,
        })
        .await
    }

    /// Lets a second chain of blocks outgrow the first.
    pub async fn fork(&self, cut: Cut) -> Result<CutReply, ClientError> {
        self.ask(&Request::Fork(cut)).await
    }

    /// Takes blocks back.
    pub async fn rollback(&self, cut: Cut) -> Result<CutReply, ClientError> {
        self.ask(&Request::Rollback(cut)).await
    }

    /// Stops the making of blocks.
    pub async fn stall(&self) -> Result<StatusReply, ClientError> {
        self.ask(&Request::Stall {}).await
    }

    /// Resumes the making of blocks.
    pub async fn resume(&self) -> Result<StatusReply, ClientError> {
        self.ask(&Request::Resume {}).await
    }

    /// Makes blocks at once.
    pub async fn hurry(&self, blocks: u64) -> Result<StatusReply, ClientError> {
        self.ask(&Request::Hurry { blocks }).await
    }

    /// Where a transaction is.
    pub async fn tx(&self, id: &str) -> Result<TxReply, ClientError> {
        self.ask(&Request::Tx { id: id.to_owned() }).await
    }

    async fn ask<T: DeserializeOwned>(&self, request: &Request) -> Result<T, ClientError> {
        let stream = UnixStream::connect(&self.path).await;
        let stream = stream.map_err(|error| ClientError::Unreachable {
            path: self.path.clone(),
            error,
        })?;
        let (read, mut write) = stream.into_split();
        write
            .write_all(format!("{}\n", serde_json::to_string(request)?).as_bytes())
            .await?;
        let mut line = String::new();
        BufReader::new(read).read_line(&mut line).await?;
        match serde_json::from_str(&line)? {
            Answer::Ok(value) => Ok(value),
            Answer::Error(refusal) => Err(refusal.into()),
        }
    }
}
