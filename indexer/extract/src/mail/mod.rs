//! Mail: single letters (EML, Outlook's MSG), pages saved as mails (MHTML), mailboxes (mbox) and Outlook's wrapping of attachments (TNEF,
//! `winmail.dat`). All letters become one [`letter::Letter`], so that a mail reads the same whatever program saved it;
//! attachments are documents of their own, read by their own formats.

mod body;
mod eml;
mod flowed;
mod item;
mod letter;
mod mapi;
mod mbox;
mod mhtml;
mod msg;
mod named;
mod part;
mod tnef;
mod uuencode;
mod wire;

pub(crate) use eml::{FORMAT as EML, is_named as is_eml, looks_like as looks_like_eml, read as read_eml};
pub(crate) use mbox::{FORMAT as MBOX, is_named as is_mbox, looks_like as looks_like_mbox, read as read_mbox};
pub(crate) use msg::{FORMAT as MSG, is_msg, read as read_msg};
pub(crate) use tnef::{FORMAT as TNEF, is_tnef, read as read_tnef};
