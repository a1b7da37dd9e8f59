//! A part of a mail as it was before it was packed for the way: its bytes, and as a text. mail-parser decodes texts by
//! their declared charset alone and reads everything else as UTF-8, so they are decoded here: by what is declared (also
//! inside of HTML), where that is possible, and by statistics.

use std::borrow::Cow;

use mail_parser::decoders::{base64::base64_decode, quoted_printable::quoted_printable_decode};
use mail_parser::{Encoding, Message, MessagePart, MimeHeaders, PartType};

use super::{flowed, uuencode};
use crate::decode::{self, Charset, Decoded};
use crate::{html, sniff};

/// The bytes of a part, unpacked.
pub(super) fn bytes<'a>(message: &'a Message<'_>, part: &'a MessagePart<'_>) -> Cow<'a, [u8]> {
    let packed = message.raw_message.get(part.offset_body as usize..part.offset_end as usize).unwrap_or_default();
    let unpacked = match part.encoding {
        Encoding::None => return of_old_encoding(part, packed),
        Encoding::QuotedPrintable => quoted_printable_decode(packed),
        Encoding::Base64 => base64_decode(packed),
    };
    unpacked.map_or_else(|| Cow::Borrowed(part.contents()), Cow::Owned)
}

/// What was sent as uuencode, the way before MIME.
fn of_old_encoding<'a>(part: &MessagePart<'_>, packed: &'a [u8]) -> Cow<'a, [u8]> {
    let encoding = part.content_transfer_encoding().unwrap_or_default().to_ascii_lowercase();
    if !matches!(encoding.as_str(), "x-uuencode" | "uuencode" | "x-uue") {
        return Cow::Borrowed(packed);
    }
    let file = uuencode::taken_out(&String::from_utf8_lossy(packed)).1.into_iter().next();
    file.map_or(Cow::Borrowed(packed), |file| Cow::Owned(file.bytes))
}

/// The text of a part; an HTML part says its charset in itself at times.
pub(super) fn text(message: &Message<'_>, part: &MessagePart<'_>) -> Decoded {
    let bytes = bytes(message, part);
    let mut decoded = decoded_as(&bytes, charset(part, &bytes));
    if part.content_type().and_then(|kind| kind.attribute("format")).is_some_and(|it| it.eq_ignore_ascii_case("flowed"))
    {
        let space_goes = part.content_type().and_then(|kind| kind.attribute("delsp"));
        let space_goes = space_goes.is_some_and(|value| value.eq_ignore_ascii_case("yes"));
        decoded.text = flowed::unfolded(&decoded.text, space_goes);
    }
    decoded
}

fn decoded_as(bytes: &[u8], declared: Option<Charset>) -> Decoded {
    let mut decoded = decode::decode_declared(bytes, declared);
    // What the mail says itself, and what proved true, is nothing to be told.
    let as_declared = declared.map(|charset| format!("read as {}", charset.name()));
    decoded.warnings.retain(|warning| Some(warning) != as_declared.as_ref());
    decoded
}

fn charset(part: &MessagePart<'_>, bytes: &[u8]) -> Option<Charset> {
    let declared = part.content_type().and_then(|kind| kind.attribute("charset")).and_then(Charset::for_label);
    let in_itself = || html::declared_encoding(bytes).filter(|_| matches!(part.body, PartType::Html(_)));
    declared.or_else(|| in_itself().map(Charset::Web))
}

/// A text that came as a file: its bytes for the reader of its format, which knows best. Only what no reader could
/// tell, a charset that the mail alone declares, is decoded here.
pub(super) fn file<'a>(message: &'a Message<'_>, part: &'a MessagePart<'_>) -> (Cow<'a, [u8]>, Vec<String>) {
    let bytes = bytes(message, part);
    let declared = part.content_type().and_then(|kind| kind.attribute("charset")).and_then(Charset::for_label);
    let is_plain = std::str::from_utf8(&bytes).is_ok() && declared.is_none_or(|charset| charset.is_superset_of_ascii());
    if declared.is_none() || is_plain || sniff::signature(&bytes).is_some() || decode::wide(&bytes).is_some() {
        return (bytes, Vec::new());
    }
    let decoded = decoded_as(&bytes, declared);
    (decoded.text.into_bytes().into(), decoded.warnings)
}
