//! Blocks made here, and blocks of real networks.

mod bytes;
mod made;
mod odd;
mod real;
