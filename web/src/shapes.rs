//! Shapes of fields that their types do not tell, for the OpenAPI document: what else a value must be like, so that a program
//! that keeps to the description is not refused.

use utoipa::openapi::schema::{ArrayBuilder, Object, ObjectBuilder, Schema, SchemaType, Type};

/// Somebody who may see something, as `storage::Principal` reads it.
const PRINCIPAL: &str = r"^((user|group|posix-user|posix-group):[^\x00-\x1f\x7f-\x9f]+|posix|signed-in|everyone)$";
/// The same, or somebody who may not.
const ENTRY: &str = r"^!?((user|group|posix-user|posix-group):[^\x00-\x1f\x7f-\x9f]+|posix|signed-in|everyone)$";

/// A field that is refused with any value but null.
pub(crate) fn nothing() -> Object {
    ObjectBuilder::new().schema_type(Type::Null).build()
}

/// A field that is refused unless it is null or 0.
pub(crate) fn zero() -> Object {
    one_of([serde_json::Value::Null, serde_json::json!(0)])
}

/// A field that is refused unless it is null or false.
pub(crate) fn no() -> Object {
    one_of([serde_json::Value::Null, serde_json::json!(false)])
}

/// A list that has to be empty.
pub(crate) fn none_of_them() -> Schema {
    let list = ArrayBuilder::new().schema_type(SchemaType::from_iter([Type::Array, Type::Null]));
    Schema::Array(list.max_items(Some(0)).build())
}

/// The one version of JSON-RPC.
pub(crate) fn rpc_version() -> Object {
    one_of([serde_json::json!("2.0")])
}

/// What an answer to a message repeats of it: a text or a number; null where it cannot be told.
pub(crate) fn rpc_id() -> Object {
    let types = [Type::String, Type::Integer, Type::Null];
    ObjectBuilder::new().schema_type(SchemaType::from_iter(types)).build()
}

/// Principals, several times.
pub(crate) fn principals() -> Schema {
    Schema::Array(ArrayBuilder::new().items(text(PRINCIPAL)).build())
}

/// A list of those who may see something, with `!` before those that it keeps out.
pub(crate) fn entries() -> ArrayBuilder {
    ArrayBuilder::new().items(text(ENTRY))
}

fn text(pattern: &str) -> Object {
    ObjectBuilder::new().schema_type(Type::String).pattern(Some(pattern)).max_length(Some(500)).build()
}

fn one_of<const N: usize>(values: [serde_json::Value; N]) -> Object {
    ObjectBuilder::new().schema_type(SchemaType::AnyValue).enum_values(Some(values)).build()
}
