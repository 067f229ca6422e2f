//! Doors for the fuzz targets in `fuzz/`.

pub use crate::{
    control::fuzz::command,
    server::fuzz::{receive, receive_from_peer},
};
