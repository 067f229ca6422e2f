//! Headers that nobody has to be believed for: more than two thirds of the genesis validators' power signed them.

use nupeer_primitives::{Height, consensus::Certificate};
use nupeer_runtime::{Chain, Header};
use serde_json::Value;

use crate::{answers::Answer, client::Client, error::ClientError};

impl Client {
    /// The header of the last block that the node knows, with its certificate checked. A node can hold newer ones back, but make none up.
    ///
    /// # Errors
    /// As [`Client::chain`]; [`ClientError::Unproven`].
    pub fn certified(&self) -> Result<Header, ClientError> {
        self.certified_block("latest")
    }

    /// As [`Client::certified`], of one height.
    ///
    /// # Errors
    /// As [`Client::certified`].
    pub fn certified_at(&self, height: Height) -> Result<Header, ClientError> {
        let header = self.certified_block(&height.to_string())?;
        if header.height == height {
            return Ok(header);
        }
        let (provided, url) = (header.height, format!("/v1/blocks/{height}"));
        let reason = format!("it is of height {provided}");
        Err(ClientError::Unproven { url, reason })
    }

    fn certified_block(&self, which: &str) -> Result<Header, ClientError> {
        let (_, chain) = self.chain()?;
        let path = format!("/v1/blocks/{which}");
        header(&path, &self.get(&path)?, chain)
    }
}

fn header(path: &str, value: &Value, chain: &Chain) -> Result<Header, ClientError> {
    let answer = Answer::new(path, value);
    let header: Header = answer.cbor("header_cbor")?;
    let certificate: Certificate = answer.cbor("certificate_cbor")?;
    let unproven = |reason: String| ClientError::Unproven {
        url: path.to_owned(),
        reason,
    };
    certificate
        .verify(&chain.id, &chain.validators)
        .map_err(|error| unproven(error.to_string()))?;
    if certificate.block != header.id() || certificate.height != header.height {
        return Err(unproven("its certificate is of another block".to_owned()));
    }
    Ok(header)
}
