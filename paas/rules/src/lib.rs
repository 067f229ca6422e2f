//! The kind of lease that is a container: what one may be told to run, with how much of a machine, and how that is bound to the
//! lease on the chain.
//!
//! A request names an image and a manifest by digest ([`nupeer_lease::request::Wanted`]). The manifest's digest is [`ContainerSpec::manifest`]; the
//! specification itself goes from tenant to agent, and the agent checks it against the lease with [`ContainerSpec::check_lease`] before
//! anything runs. Whoever replaces a word of the command has another digest.

#![deny(clippy::float_arithmetic)]
#![cfg_attr(test, allow(clippy::disallowed_methods, clippy::disallowed_types))]

pub mod error;
pub mod image;
pub mod params;
pub mod spec;

pub use error::ContainerError;
pub use params::kind_params;
pub use spec::ContainerSpec;
