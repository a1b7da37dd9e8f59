//! Who may see something, as requests and answers say it.

use serde::{Deserialize, Serialize};
use storage::{Access, AccessList};
use utoipa::openapi::schema::AnyOfBuilder;
use utoipa::openapi::{ArrayBuilder, RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::error::Error;
use crate::shapes;

/// Who may see a document: a list of principals, with `!` before those that it keeps out, such as
/// `["group:hr", "!group:interns"]`; or several lists, all of which must let through. An empty list: nobody but administrators.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(untagged)]
pub(crate) enum AccessBody {
    /// One list.
    One(Vec<String>),
    /// Several lists.
    All(Vec<Vec<String>>),
}

impl PartialSchema for AccessBody {
    /// An empty list is both.
    fn schema() -> RefOr<Schema> {
        let about = "Who may see a document: a list of principals, with `!` before those that it keeps out, such as \
                     `[\"group:hr\", \"!group:interns\"]`; or several lists, all of which must let through. An empty list: \
                     nobody but administrators.";
        let several = ArrayBuilder::new().items(shapes::entries());
        AnyOfBuilder::new().description(Some(about)).item(shapes::entries()).item(several).into()
    }
}

impl ToSchema for AccessBody {}

impl AccessBody {
    /// As documents have it.
    ///
    /// # Errors
    /// [`Error::BadRequest`] with what is no principal.
    pub(crate) fn read(&self) -> Result<Access, Error> {
        let list =
            |entries: &Vec<String>| Access::parse(entries).map_err(|error| Error::bad(format!("access: {error}")));
        match self {
            Self::One(entries) => list(entries),
            Self::All(lists) if lists.is_empty() => Ok(Access::nobody()),
            Self::All(lists) => {
                lists.iter().try_fold(Access::everyone(), |access, entries| Ok(access.and(list(entries)?)))
            }
        }
    }

    pub(crate) fn of(access: &Access) -> Self {
        let mut lists: Vec<Vec<String>> = access.lists().map(AccessList::entries).collect();
        match lists.len() {
            0 => Self::One(vec!["everyone".to_owned()]),
            1 => Self::One(lists.remove(0)),
            _ => Self::All(lists),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let read = |text: &str| serde_json::from_str::<AccessBody>(text).unwrap().read();
        assert!(read("[]").unwrap().is_closed() && read("[\"everyone\"]").unwrap().is_open());
        let both = read(r#"[["group:hr", "!group:interns"], ["group:berlin"]]"#).unwrap();
        assert_eq!(both.lists().count(), 2);
        let again = serde_json::to_string(&AccessBody::of(&both)).unwrap();
        assert_eq!(read(&again).unwrap(), both);
        assert!(read(r#"["hr"]"#).unwrap_err().to_string().contains("no principal"));
    }
}
