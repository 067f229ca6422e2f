//! Blocks made here, and blocks of real networks.

mod bytes;
mod made;
mod needs_chain_data;
mod odd;
