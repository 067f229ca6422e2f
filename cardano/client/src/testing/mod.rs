//! What the tests of node and follower share: generated chains, and a small node to serve them.

mod block;
mod server;

pub(crate) use block::{Block, chain, extend, with_body};
pub(crate) use server::{Answers, TestNode};
