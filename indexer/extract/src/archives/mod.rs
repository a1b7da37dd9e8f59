//! Archives as folders: every member is a document of its own, read by its own format. All of them unpack through
//! [`Unpacker`], which keeps the limits, so that an archive costs no more than its share whatever it claims to hold.

mod compressed;
mod sevenz;
mod tar;
mod unpacker;
mod zip;

pub(crate) use compressed::{is_compressed, read as read_compressed};
pub(crate) use sevenz::{is_7z, read as read_7z};
pub(crate) use tar::{is_tar, read as read_tar};
pub(crate) use zip::{is_zip, read as read_zip};
