//! Taking a key's grant back.

use minicbor::{Decode, Encode};
use nupeer_primitives::Hash28;

use crate::{context::Context, error::LedgerError, event::Event, grant, state::StateWrite};

/// Ends a key's grant at once.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct RevokeKey {
    /// Hash of the key.
    #[n(0)]
    pub key: Hash28,
}

impl RevokeKey {
    pub(crate) fn text(&self) -> String {
        format!("revoke key {}", self.key)
    }

    pub(crate) fn execute(
        &self,
        state: &mut dyn StateWrite,
        context: &Context,
    ) -> Result<Vec<Event>, LedgerError> {
        if grant::get(state, &context.sender, &self.key).is_none() {
            return Err(LedgerError::KeyNotGranted { key: self.key });
        }
        grant::set(state, &context.sender, &self.key, None);
        Ok(vec![Event::KeyRevoked {
            account: context.sender,
            key: self.key,
        }])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::actions::testing::{context, state};

    #[test]
    fn only_what_was_granted_can_be_revoked() {
        let key = Hash28([9; 28]);
        let refused = RevokeKey { key }.execute(&mut state(), &context(1));
        assert_eq!(refused, Err(LedgerError::KeyNotGranted { key }));
    }
}
