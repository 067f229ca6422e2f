//! Blocks made here, and blocks of real networks.

mod made;
mod real;
