//! Who may see what.

mod list;
mod principal;

pub use list::{Access, AccessError, AccessList};
pub use principal::{Principal, PrincipalError, PrincipalKind, Principals};
