//! The ledger against the transaction scenarios of an independent implementation.

mod needs_chain_data;
