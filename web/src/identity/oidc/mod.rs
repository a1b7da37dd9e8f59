//! OpenID Connect: a provider that says who somebody is, in which groups, and when they are gone.
//!
//! Promises: no word of the provider counts before its signature, issuer, audience, time and purpose are checked; whoever
//! the provider no longer knows is out within the configured time; groups are those that it says, or nobody is let in: never
//! silently fewer. What speaks to it blocks, and is called from threads that may.

mod answer;
mod back_channel;
mod bearer;
mod claims;
mod config;
mod departure;
mod discovery;
mod exchange;
mod fault;
mod provider;
mod renewal;
#[cfg(test)]
pub(crate) mod stand_in;
#[cfg(test)]
mod tests;
mod token;
mod upstream;
#[cfg(test)]
mod visits;
mod wire;

pub(crate) use answer::Answer;
pub(crate) use bearer::is_token;
pub use config::OidcConfig;
pub(crate) use departure::GOOD_FOR as DEPARTURE_SECONDS;
pub(crate) use fault::ProviderError;
pub(crate) use provider::Provider;
pub(crate) use renewal::{Due, Renewal};
pub(crate) use upstream::Upstream;
