//! The HTTP server of node and agent: warp's filters, with a bound on everything that a stranger could take without end (README.md).

mod body;
mod descriptors;
mod error;
mod limits;
mod patient;
mod server;
mod shares;

pub use descriptors::{OPEN_FILES_WANTED, raise_open_files};
pub use error::ServeError;
pub use limits::Limits;
pub use server::{peer, serve};
pub use shares::{Full, Place, Shares, holder};
