//! Phase 2 against real transactions: each script consumes exactly what its transaction declared.
//!
//! Builders declare what evaluation gave, so that equality to the unit is what to expect of an exact evaluator and an exact context.

mod needs_chain_data;
