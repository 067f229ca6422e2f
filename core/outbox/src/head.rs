//! The head's datum: how far the anchors have come.

use nupeer_primitives::{TimeMs, plutus::Data};

use crate::error::{WireError, fields, unsigned};

/// What the head says of the last anchor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Its number; 0 before the first.
    pub last_anchor_seq: u64,
    /// End of its transaction's validity range: not before the anchor, and at most an hour after it.
    pub last_anchor_time: TimeMs,
}

impl Head {
    /// The datum.
    pub fn to_data(&self) -> Data {
        let (seq, time) = (self.last_anchor_seq, self.last_anchor_time.0);
        Data::Constr(0, vec![Data::Int(seq.into()), Data::Int(time.into())])
    }

    /// The inverse of [`Head::to_data`].
    pub fn from_data(data: &Data) -> Result<Self, WireError> {
        let [seq, time] = fields(data, 0, "a head")?;
        Ok(Head {
            last_anchor_seq: unsigned(seq, "last anchor")?,
            last_anchor_time: TimeMs(unsigned(time, "last anchor's time")?),
        })
    }
}
