//! The parameters of a search by GET, derived from [`SearchRequest`]: what is a field of the JSON body is a parameter of the
//! address, without a second list of them.
//!
//! A field has its own name, but `query` is `q`; the fields of `filters` stand by themselves, those of `rerank` behind
//! `rerank_`. Lists are given by repeating a parameter. A body takes these names as well, and an address those of the
//! body, with a dot between the outer and the inner one.

use std::collections::BTreeMap;
use std::future::{Ready, ready};
use std::sync::LazyLock;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use searcher::SearchRequest;
use serde_json::{Map, Value, json};
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn};
use utoipa::openapi::{RefOr, Required, Schema};
use utoipa::{IntoParams, PartialSchema as _, ToSchema as _};

use crate::error::Error;
use crate::json::{self, Json};

/// A search that was asked for by an address.
pub(crate) struct SearchParams(pub(crate) SearchRequest);

/// A search that was asked for by a body.
pub(crate) struct SearchBody(pub(crate) SearchRequest);

/// A parameter and the field that it stands for.
struct Field {
    /// Where its value stands in the JSON body.
    path: Vec<String>,
    /// Its JSON schema.
    schema: Value,
    is_required: bool,
}

/// All parameters, by name.
static FIELDS: LazyLock<BTreeMap<String, Field>> = LazyLock::new(|| {
    let mut schemas = Vec::new();
    SearchRequest::schemas(&mut schemas);
    let schemas: Map<String, Value> = schemas.into_iter().map(|(name, schema)| (name, json!(schema))).collect();
    let mut fields = BTreeMap::new();
    collect(&mut fields, &schemas, &json!(SearchRequest::schema()), &[]);
    fields
});

/// Adds the fields of an object, those of objects in it too.
fn collect(fields: &mut BTreeMap<String, Field>, schemas: &Map<String, Value>, object: &Value, path: &[String]) {
    for (name, schema) in object["properties"].as_object().into_iter().flatten() {
        let path = [path, std::slice::from_ref(name)].concat();
        let referred = schema["$ref"].as_str().and_then(|reference| schemas.get(reference.rsplit('/').next()?));
        match referred.filter(|referred| referred["properties"].is_object()) {
            Some(inner) => collect(fields, schemas, inner, &path),
            None => {
                let required = object["required"].as_array();
                let is_required = path.len() == 1 && required.is_some_and(|names| names.contains(&json!(name)));
                fields.insert(parameter(&path), Field { path, schema: schema.clone(), is_required });
            }
        }
    }
}

/// The name of the parameter for a field.
fn parameter(path: &[String]) -> String {
    match path {
        [query] if query == "query" => "q".to_owned(),
        [filters, rest @ ..] if filters == "filters" => rest.join("_"),
        path => path.join("_"),
    }
}

impl Field {
    fn is(&self, shape: &str) -> bool {
        match &self.schema["type"] {
            Value::Array(types) => types.iter().any(|one| one == shape),
            one => one == shape,
        }
    }

    /// The value that a text stands for.
    fn read(&self, name: &str, text: &str) -> Result<Value, Error> {
        if self.is("integer") {
            let number =
                text.parse::<u64>().map_err(|_| unreadable(&format!("{name}: expected a number, got {text:?}")));
            return Ok(json!(number?));
        }
        if self.is("boolean") {
            let truth = text.parse::<bool>();
            return Ok(json!(truth.map_err(|_| unreadable(&format!("{name}: expected true or false, got {text:?}")))?));
        }
        Ok(json!(text))
    }
}

fn unreadable(why: &str) -> Error {
    Error::bad(format!("the parameters cannot be read: {why}"))
}

/// The JSON body that the parameters stand for.
fn body(pairs: Vec<(String, String)>) -> Result<Value, Error> {
    let mut body = json!({});
    for (name, text) in pairs {
        let by_path = || FIELDS.values().find(|field| field.path.join(".") == name);
        let Some(field) = FIELDS.get(&name).or_else(by_path) else {
            let known: Vec<&str> = FIELDS.keys().map(String::as_str).collect();
            return Err(unreadable(&format!("there is no parameter {name:?}; expected {}", known.join(", "))));
        };
        let value = field.read(&name, &text)?;
        let place = field.path.iter().fold(&mut body, |object, key| &mut object[key]);
        match place {
            Value::Array(values) => values.push(value),
            Value::Null if field.is("array") => *place = json!([value]),
            Value::Null => *place = value,
            _ => return Err(unreadable(&format!("{name} stands more than once"))),
        }
    }
    Ok(body)
}

/// A body in which every value stands where [`SearchRequest`] has it, whichever name it came by.
fn in_place(body: Value) -> Result<Value, Error> {
    let Value::Object(given) = body else { return Ok(body) };
    // A list would be read as the fields in their order, which nobody means.
    let mut outer = FIELDS.values().filter(|field| field.path.len() > 1).map(|field| &field.path[0]);
    if let Some(wrong) = outer.find(|name| given.get(*name).is_some_and(|value| !value.is_object())) {
        return Err(Error::bad(format!("the JSON body cannot be read: {wrong}: expected an object")));
    }
    let is_short = |name: &String| FIELDS.get(name).is_some_and(|field| field.path != [name.clone()]);
    let (short, own): (Map<String, Value>, Map<String, Value>) =
        given.into_iter().partition(|(name, _)| is_short(name));
    let mut body = Value::Object(own);
    for (name, value) in short {
        let Some(Field { path, .. }) = FIELDS.get(&name) else { continue };
        let twice = || Error::bad(format!("{name}: expected either this or {}, not both", path.join(".")));
        let mut place = &mut body;
        for key in path {
            if place.is_null() {
                *place = json!({});
            }
            place = place.as_object_mut().ok_or_else(twice)?.entry(key).or_insert(Value::Null);
        }
        if !place.is_null() {
            return Err(twice());
        }
        *place = value;
    }
    Ok(body)
}

impl FromRequest for SearchBody {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self, Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let body = Json::<Value>::from_request(request, payload);
        Box::pin(async move { json::read(in_place(body.await?.0)?).map(Self) })
    }
}

impl FromRequest for SearchParams {
    type Error = Error;
    type Future = Ready<Result<Self, Error>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let read = || {
            let pairs = serde_html_form::from_str(request.query_string());
            let body = body(pairs.map_err(|error| unreadable(&error.to_string()))?)?;
            if body["query"].is_null() {
                return Err(unreadable("q is missing: expected the question"));
            }
            serde_json::from_value(body).map(Self).map_err(|error| unreadable(&error.to_string()))
        };
        ready(read())
    }
}

impl IntoParams for SearchParams {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let describe = |(name, field): (&String, &Field)| {
            let description = field.schema["description"].as_str();
            let required = if field.is_required { Required::True } else { Required::False };
            ParameterBuilder::new()
                .name(name)
                .parameter_in(ParameterIn::Query)
                .required(required)
                .description(description)
                .schema(serde_json::from_value::<RefOr<Schema>>(field.schema.clone()).ok())
                .build()
        };
        // What is needed stands first, as in the page that tries the API.
        let (required, others): (Vec<_>, Vec<_>) = FIELDS.iter().partition(|(_, field)| field.is_required);
        required.into_iter().chain(others).map(describe).collect()
    }
}

#[cfg(test)]
mod tests {
    use searcher::{Mode, RerankBudget};

    use super::*;

    fn read(query: &str) -> Result<SearchRequest, String> {
        let pairs = serde_html_form::from_str(query).unwrap();
        let body = body(pairs).map_err(|error| error.to_string())?;
        serde_json::from_value(body).map_err(|error| error.to_string())
    }

    #[test]
    fn every_field_of_a_request_is_a_parameter() {
        let mut request = SearchRequest { query: "a b".into(), instruct: Some("i".into()), ..SearchRequest::default() };
        request.rerank = RerankBudget { ms: Some(5), candidates: Some(6) };
        request.filters.after = Some("2026".into());
        request.filters.before = Some("2027".into());
        let leaves = |value: &Value| -> usize {
            let object = value.as_object().unwrap();
            object.values().map(|value| value.as_object().map_or(1, Map::len)).sum()
        };
        let names: Vec<&str> = FIELDS.keys().map(String::as_str).collect();
        assert_eq!(names.len(), leaves(&json!(request)), "{names:?}");
        for name in ["q", "type", "after", "rerank_ms", "rerank_candidates", "top", "facets", "facet_scope"] {
            assert!(names.contains(&name), "{name}: {names:?}");
        }
        let described = SearchParams::into_params(|| None);
        assert!(described.iter().all(|one| one.schema.is_some() && one.description.is_some()));
    }

    #[test]
    fn an_address_is_read_like_a_body() {
        let request = read("q=a+b&type=md&type=html&mode=lexical&rerank_ms=0&facets=true&top=3").unwrap();
        assert_eq!((request.query.as_str(), request.top, request.mode), ("a b", 3, Mode::Lexical));
        assert!(request.filters.kind == ["md", "html"] && request.rerank.is_off() && request.facets);
        // The names of the body, too.
        let named = "query=a+b&filters.type=md&filters.type=html&mode=lexical&rerank.ms=0&facets=true&top=3";
        assert_eq!(read(named).unwrap(), request);
        for (wrong, expected) in [
            ("q=a&query=b", "query stands more than once"),
            ("q=a&tpye=md", "there is no parameter \"tpye\""),
            ("q=a&top=x", "top: expected a number"),
            ("q=a&facets=1", "facets: expected true or false"),
            ("q=a&q=b", "q stands more than once"),
            ("q=a&mode=magic", "magic"),
        ] {
            let error = read(wrong).unwrap_err();
            assert!(error.contains(expected), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_body_is_read_like_an_address() {
        let read = |body: Value| -> Result<SearchRequest, String> {
            let body = in_place(body).map_err(|error| error.to_string())?;
            serde_json::from_value(body).map_err(|error| error.to_string())
        };
        let nested =
            json!({ "query": "a", "filters": { "type": ["md"], "after": "2025" }, "rerank": { "ms": 5 }, "top": 3 });
        let flat = json!({ "q": "a", "type": ["md"], "after": "2025", "rerank_ms": 5, "top": 3 });
        let mixed = json!({ "query": "a", "type": ["md"], "filters": { "after": "2025" }, "rerank_ms": 5, "top": 3 });
        let expected = read(nested).unwrap();
        assert_eq!((read(flat).unwrap(), read(mixed).unwrap()), (expected.clone(), expected));
        for (wrong, expected) in [
            (json!({ "q": "a", "query": "b" }), "q: expected either this or query"),
            (
                json!({ "q": "a", "type": ["md"], "filters": { "type": ["pdf"] } }),
                "type: expected either this or filters.type",
            ),
            (json!({ "q": "a", "type": ["md"], "filters": 7 }), "filters: expected an object"),
            (json!({ "q": "a", "rerank": [null, null] }), "rerank: expected an object"),
            (json!({ "q": "a", "tpye": ["md"] }), "tpye"),
        ] {
            let error = read(wrong).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
