//! Archives as folders: every member is a document of its own, read by its own format. All of them unpack through
//! [`Unpacker`], which keeps the limits, so that an archive costs no more than its share whatever it claims to hold.

mod compressed;
mod sevenz;
mod tar;
mod unpacker;
mod zip;

pub(crate) use compressed::{FORMATS as COMPRESSED, is_compressed, read as read_compressed};
pub(crate) use sevenz::{FORMAT as SEVENZ, is_7z, read as read_7z};
pub(crate) use tar::{FORMAT as TAR, is_tar, read as read_tar};
pub(crate) use zip::{FORMAT as ZIP, is_zip, read as read_zip};
