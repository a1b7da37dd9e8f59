//! A guard around libraries that may panic on what nobody foresaw: the file is damaged then, and says so, instead of
//! taking its reader's process down. Only for code that is given bytes and gives back values: nothing half done is left.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::error::FileError;

/// What `read` gives, or that the file is no sound one of this format.
///
/// # Errors
/// [`FileError::Damaged`] where `read` panics.
pub(crate) fn guarded<T>(format: &str, read: impl FnOnce() -> T) -> Result<T, FileError> {
    // What `read` borrows are the bytes of the file, which it cannot change.
    catch_unwind(AssertUnwindSafe(read)).map_err(|_| FileError::damaged(format, "its reader met something impossible"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_damaged_file() {
        assert_eq!(guarded("mail", || 1), Ok(1));
        let broken = guarded("mail", || -> u8 { panic!("never here") });
        assert!(matches!(broken, Err(FileError::Damaged { .. })), "{broken:?}");
    }
}
