//! The schemas of tools, from the descriptions that the OpenAPI document is made of: both are JSON Schema 2020-12, and differ in
//! where shared parts stand.

use serde_json::{Map, Value, json};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

/// Where the OpenAPI document has shared schemas, and where a schema by itself has them.
const SHARED: &str = "#/components/schemas/";
const OWN: &str = "#/$defs/";

/// The schema of a type, whole.
pub(super) fn schema_of<T: ToSchema + PartialSchema>() -> Map<String, Value> {
    let mut shared: Vec<(String, RefOr<Schema>)> = Vec::new();
    T::schemas(&mut shared);
    let mut schema = json!(T::schema());
    let mut definitions: Map<String, Value> = shared.into_iter().map(|(name, schema)| (name, json!(schema))).collect();
    own_references(&mut schema);
    definitions.values_mut().for_each(own_references);
    let Value::Object(mut schema) = schema else { return Map::new() };
    if !definitions.is_empty() {
        schema.insert("$defs".to_owned(), Value::Object(definitions));
    }
    // What takes nothing still is an object, and programs look for its fields.
    schema.entry("type").or_insert_with(|| json!("object"));
    schema.entry("properties").or_insert_with(|| json!({}));
    schema
}

fn own_references(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get_mut("$ref")
                && let Some(name) = reference.strip_prefix(SHARED)
            {
                *reference = format!("{OWN}{name}");
            }
            fields.values_mut().for_each(own_references);
        }
        Value::Array(values) => values.iter_mut().for_each(own_references),
        _ => {}
    }
}
