//! Whole nodes, and parts of them over real disks and sockets. One binary, since linking takes longer than running.

mod asking;
mod cluster;
mod crashes;
mod describing;
mod following;
mod gossip;
mod halting;
mod judging;
mod observing;
mod preprod;
mod streams;
mod support;
