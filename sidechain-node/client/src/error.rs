//! What can go wrong between a program and a node.

use std::ops::RangeInclusive;

use nupeer_primitives::{Code, Hash, Numbered};

/// Numbers by which a node's interface itself refuses (`sidechain-node/node/src/api/error.rs`, `sidechain-node/serve/src/error.rs`).
const FORM: RangeInclusive<u16> = 6100..=6199;

/// A question that has no good answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClientError {
    /// Nobody answers, at any of the addresses.
    #[error("no answer from {url}: {reason}")]
    Unreachable {
        /// The address asked last.
        url: String,
        /// What the network said.
        reason: String,
    },
    /// The answer is not what the interface promises: another version, or no node at all.
    #[error("{url} answers with something else than {expected}")]
    Malformed {
        /// What was asked.
        url: String,
        /// What the answer lacks.
        expected: String,
    },
    /// The node, or an agent, refuses.
    #[error("{message}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// The refusal's number, where it has one.
        code: Option<Code>,
        /// What the other side says.
        message: String,
        /// What it suggests.
        next: Option<String>,
    },
    /// A transaction that was taken and that a rule refuses by now.
    #[error("transaction {id}: {message}")]
    TransactionRefused {
        /// Which.
        id: Hash,
        /// Number of the rule.
        code: Option<Code>,
        /// The rule's words.
        message: String,
    },
    /// The wait ran out; it may still become final.
    #[error("transaction {id} is not final after {waited_ms} ms; it may still become so")]
    NotFinal {
        /// Which.
        id: Hash,
        /// How long it was waited for.
        waited_ms: u64,
    },
    /// A transaction was sent and no node answered: one may have it.
    #[error("no answer to transaction {id}, which may have arrived: {reason}")]
    Unanswered {
        /// Which.
        id: Hash,
        /// What the network said.
        reason: String,
    },
    /// No offer suits a request, or none that is known.
    #[error("no machine matches now ({offers} offers looked at)")]
    NoMatch {
        /// How many there are.
        offers: usize,
    },
    /// A file cannot be read.
    #[error("{what}: {reason}")]
    File {
        /// Which.
        what: String,
        /// What the system said.
        reason: String,
    },
    /// No address to ask.
    #[error("no node is named to ask")]
    NoNode,
    /// Nothing takes connections where a workload should.
    #[error("the workload does not answer at {address}: {reason}")]
    Silent {
        /// Where.
        address: String,
        /// What the network said.
        reason: String,
    },
    /// A header that the validators of the genesis did not sign.
    #[error("{url} proves nothing: {reason}")]
    Unproven {
        /// What was asked.
        url: String,
        /// What does not hold.
        reason: String,
    },
    /// The node serves another chain than the one that is meant: nothing is signed for it.
    #[error("the node serves the chain {named}, meant is the chain {expected}")]
    OtherChain {
        /// The genesis id of the chain that is meant.
        expected: Hash,
        /// The genesis id that the node's genesis has.
        named: Hash,
    },
}

impl ClientError {
    /// The number of the rule on the other side that refused, if one did. That the question was not understood, or comes too often, is no rule's
    /// word.
    pub fn rule(&self) -> Option<Code> {
        self.told().filter(|code| !FORM.contains(&code.0))
    }

    /// The number that the other side gave.
    fn told(&self) -> Option<Code> {
        match self {
            ClientError::Refused { code, .. } | ClientError::TransactionRefused { code, .. } => {
                *code
            }
            _ => None,
        }
    }

    /// Whether the other side knows nothing of what was asked for.
    pub fn is_not_found(&self) -> bool {
        matches!(self, ClientError::Refused { status: 404, .. })
    }

    /// Whether asking again later, or elsewhere, may help.
    pub fn is_temporary(&self) -> bool {
        match self {
            ClientError::Unreachable { .. }
            | ClientError::Unanswered { .. }
            | ClientError::NotFinal { .. } => true,
            ClientError::Refused { status, .. } => matches!(status, 429 | 500..),
            _ => false,
        }
    }
}

impl Numbered for ClientError {
    /// The number that the other side gave, else one of this crate's own.
    fn code(&self) -> Code {
        self.told().unwrap_or(Code(match self {
            ClientError::Unreachable { .. } => 6200,
            ClientError::Malformed { .. } => 6201,
            ClientError::Refused { .. } => 6202,
            ClientError::TransactionRefused { .. } => 6203,
            ClientError::NotFinal { .. } => 6204,
            ClientError::NoNode => 6205,
            ClientError::File { .. } => 6206,
            ClientError::NoMatch { .. } => 6207,
            ClientError::OtherChain { .. } => 6208,
            ClientError::Unproven { .. } => 6209,
            ClientError::Silent { .. } => 6210,
            ClientError::Unanswered { .. } => 6211,
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_rule_refuses_is_told_apart_from_what_a_node_does_not_answer() {
        for (code, rule) in [
            (Some(2001), Some(2001)),
            (Some(6020), Some(6020)),
            (Some(6100), None),
            (Some(6118), None),
            (None, None),
        ] {
            let refused = ClientError::Refused {
                status: 400,
                code: code.map(Code),
                message: String::new(),
                next: None,
            };
            assert_eq!(refused.rule(), rule.map(Code));
            assert_eq!(refused.code(), Code(code.unwrap_or(6202)));
        }
    }
}
