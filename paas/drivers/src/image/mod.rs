//! Images of workloads: OCI image archives as tenants upload them, and the making of small ones.
//!
//! An upload is hostile until it has been unpacked: every size, count and depth is bounded ([`Limits`]), every
//! digest is verified, no link is ever followed, and each refusal has its own number ([`ImageError`]).

mod config;
mod digest;
mod entries;
mod error;
mod layer;
mod layout;
mod limits;
pub mod make;
mod path;
mod store;
mod tree;
mod unpack;

pub use config::RunConfig;
pub use digest::ImageDigest;
pub use error::ImageError;
pub use layout::{Layer, Layout, parse_layout};
pub use limits::Limits;
pub use store::ImageStore;
pub use unpack::{Options, Ownership, Unpacked, unpack};
