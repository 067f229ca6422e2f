//! The ledger against real transactions and blocks: each decodes with the id the network gave it, or is refused with a reason;
//! whatever is done to their bytes, nothing panics.

mod needs_chain_data;
