//! Blocks made here, and blocks of real networks.
