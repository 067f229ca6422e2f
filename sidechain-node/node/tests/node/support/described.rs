//! Answers against what `openapi.json` says of them.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses its own part"
)]

use serde_json::{Map, Value};

/// Every difference between `value` and what `schema` of `document` says of it: types, signs, missing and undocumented keys. Of several schemas that
/// may hold, those from the one that holds best.
pub fn differences(at: &str, value: &Value, schema: &Value, document: &Value) -> Vec<String> {
    if let Some(name) = schema["$ref"].as_str() {
        let target = document.pointer(name.trim_start_matches('#'));
        let target = target.unwrap_or_else(|| panic!("{name} is not described"));
        return differences(at, value, target, document);
    }
    let options = schema["anyOf"].as_array().or(schema["oneOf"].as_array());
    if let Some(options) = options {
        let all = options
            .iter()
            .map(|option| differences(at, value, option, document));
        return all.min_by_key(Vec::len).unwrap_or_default();
    }
    if let Some(options) = schema["enum"].as_array() {
        return match options.contains(value) {
            true => vec![],
            false => vec![format!("{at}: {value} is none of {options:?}")],
        };
    }
    match (schema["type"].as_str(), value) {
        (Some("object"), Value::Object(object)) => object_differences(at, object, schema, document),
        (Some("array"), Value::Array(items)) => {
            let inside = |item| differences(&format!("{at}[]"), item, &schema["items"], document);
            items.iter().flat_map(inside).collect()
        }
        (Some("integer"), Value::Number(number)) => {
            match number.is_u64() || (number.is_i64() && schema["minimum"].is_null()) {
                true => vec![],
                false => vec![format!("{at}: {number} is out of range")],
            }
        }
        (Some("string"), Value::String(_)) => vec![],
        (Some("boolean"), Value::Bool(_)) | (Some("null"), Value::Null) => vec![],
        (kind, value) => vec![format!("{at}: {value} is no {kind:?}")],
    }
}

fn object_differences(
    at: &str,
    object: &Map<String, Value>,
    schema: &Value,
    document: &Value,
) -> Vec<String> {
    // An object without described properties may hold anything: the genesis file, the description itself.
    let Some(properties) = schema["properties"].as_object() else {
        return vec![];
    };
    let required = schema["required"].as_array().into_iter().flatten();
    let mut found: Vec<String> = required
        .filter_map(Value::as_str)
        .filter(|key| !object.contains_key(*key))
        .map(|key| format!("{at}.{key}: missing"))
        .collect();
    for (key, value) in object {
        let at = format!("{at}.{key}");
        match properties.get(key) {
            Some(schema) => found.extend(differences(&at, value, schema, document)),
            None => found.push(format!("{at}: not described")),
        }
    }
    found
}
