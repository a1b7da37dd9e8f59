//! Who may see what.

mod classes;
pub(crate) mod file;
mod files;
mod list;
mod principal;
mod rules;
mod table;
mod viewer;

pub(crate) use file::AccessFiles;
pub use files::{FilePermissions, FilePermissionsError};
pub use list::{Access, AccessError, AccessList};
pub use principal::{Principal, PrincipalError, PrincipalKind, Principals};
pub(crate) use rules::CompiledAccess;
pub use rules::{AccessRule, AccessRuleError, SourceAccess};
pub(crate) use table::AccessTable;
pub use viewer::Viewer;
