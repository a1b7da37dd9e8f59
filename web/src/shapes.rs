//! Shapes of fields that their types do not tell, for the OpenAPI document: what else a value must be like, so that a program
//! that keeps to the description is not refused. Each says in words what it is: the comment of a field does not get into the
//! document beside a shape of its own.

use serde_json::{Value, json};
use utoipa::openapi::schema::{ArrayBuilder, Object, ObjectBuilder, Schema, SchemaType, Type};

/// Somebody who may see something, as `storage::Principal` reads it.
const PRINCIPAL: &str = r"^((user|group|posix-user|posix-group):[^\x00-\x1f\x7f-\x9f]+|posix|signed-in|everyone)$";
/// The same, or somebody who may not.
const ENTRY: &str = r"^!?((user|group|posix-user|posix-group):[^\x00-\x1f\x7f-\x9f]+|posix|signed-in|everyone)$";

/// A field that is refused with any value but null.
pub(crate) fn nothing() -> Object {
    let about = "Refused unless it is null, with the reason.";
    ObjectBuilder::new().schema_type(Type::Null).description(Some(about)).build()
}

/// A field that is refused unless it is null or 0.
pub(crate) fn zero() -> Object {
    one_of("Refused unless it is null or 0: see `repetition_penalty`.", [Value::Null, json!(0)])
}

/// A field that is refused unless it is null or false.
pub(crate) fn no() -> Object {
    one_of("Refused unless it is null or false.", [Value::Null, json!(false)])
}

/// A list that has to be empty.
pub(crate) fn none_of_them() -> Schema {
    let list = ArrayBuilder::new().schema_type(SchemaType::from_iter([Type::Array, Type::Null]));
    let about = "Refused unless it is null or empty: the writer has no tools.";
    Schema::Array(list.max_items(Some(0)).description(Some(about)).build())
}

/// The one version of JSON-RPC.
pub(crate) fn rpc_version() -> Object {
    one_of("The version of JSON-RPC.", [json!("2.0")])
}

/// What an answer to a message repeats of it: a text or a number; null where it cannot be told.
pub(crate) fn rpc_id() -> Object {
    let types = [Type::String, Type::Integer, Type::Null];
    let about = "A text or a number that the answer repeats; a notification has none, and of what is no message it cannot be told.";
    ObjectBuilder::new().schema_type(SchemaType::from_iter(types)).description(Some(about)).build()
}

/// Principals, several times.
pub(crate) fn principals() -> Schema {
    Schema::Array(ArrayBuilder::new().items(text(PRINCIPAL)).description(Some("Principals of somebody.")).build())
}

/// A list of those who may see something, with `!` before those that it keeps out.
pub(crate) fn entries() -> ArrayBuilder {
    ArrayBuilder::new().items(text(ENTRY))
}

fn text(pattern: &str) -> Object {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).max_length(Some(500)).build()
}

fn one_of<const N: usize>(about: &str, values: [Value; N]) -> Object {
    let any = ObjectBuilder::new().schema_type(SchemaType::AnyValue);
    any.description(Some(about)).enum_values(Some(values)).build()
}
