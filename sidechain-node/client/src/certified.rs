//! Headers, and leases and machines under them, that nobody has to be believed for: more than two thirds of the genesis validators' power signed them.

use nupeer_lease::{Lease, LeaseId, Machine, MachineId};
use nupeer_primitives::{Hash, cbor, consensus::Certificate};
use nupeer_runtime::{Chain, Header, Proven, RecordKind};
use serde_json::Value;

use crate::{answers::Answer, client::Client, error::ClientError};

impl Client {
    /// The header of the last block that the node knows, with its certificate checked. A node can hold newer ones back, but make none up.
    ///
    /// # Errors
    /// As [`Client::chain`]; [`ClientError::Unproven`].
    pub fn certified(&self) -> Result<Header, ClientError> {
        let (_, chain) = self.chain()?;
        let path = "/v1/blocks/latest";
        header(path, &self.get(path)?, chain)
    }

    /// A lease, or that there is none, and the header whose state shows it. A node can show an older state, but make none up.
    ///
    /// # Errors
    /// As [`Client::certified`].
    pub fn proven_lease(&self, id: &LeaseId) -> Result<(Option<Lease>, Header), ClientError> {
        self.proven("leases", RecordKind::Lease, &id.0)
    }

    /// As [`Client::proven_lease`], of a machine.
    ///
    /// # Errors
    /// As [`Client::certified`].
    pub fn proven_machine(&self, id: &MachineId) -> Result<(Option<Machine>, Header), ClientError> {
        self.proven("machines", RecordKind::Machine, &id.0)
    }

    /// A record of the listing `of`.
    fn proven<T>(
        &self,
        of: &str,
        kind: RecordKind,
        id: &Hash,
    ) -> Result<(Option<T>, Header), ClientError>
    where
        T: for<'b> minicbor::Decode<'b, ()> + minicbor::Encode<()>,
    {
        let (_, chain) = self.chain()?;
        let path = format!("/v1/{of}/{id}/proof");
        let value = self.get(&path)?;
        let answer = Answer::new(&path, &value);
        let record: Option<T> = match value["record_cbor"] {
            Value::Null => None,
            _ => Some(answer.cbor("record_cbor")?),
        };
        let proven: Proven = answer.cbor("proven_cbor")?;
        let bytes = record.as_ref().map(cbor::encode);
        proven
            .verify_record(chain, kind, id, bytes.as_deref())
            .map_err(|error| ClientError::Unproven {
                url: path.clone(),
                reason: error.to_string(),
            })?;
        Ok((record, proven.header))
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
