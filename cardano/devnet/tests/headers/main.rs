//! Headers and blocks made by others: the Haskell node's vectors, and real blocks.

mod needs_chain_data;
