//! Comparison of a reply with its schema in `/openapi.json`: every key described, none missing,
//! each of its type.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

/// The first difference between `value` and the schema, with its position.
pub fn misfit(document: &Value, schema: &Value, value: &Value) -> Option<String> {
    let checker = Checker { document };
    checker.check(schema, value).err()
}

struct Checker<'a> {
    document: &'a Value,
}

impl<'a> Checker<'a> {
    /// Follows the references of a schema.
    fn resolve(&self, mut it: &'a Value) -> &'a Value {
        while let Some(name) = it["$ref"].as_str() {
            it = self
                .document
                .pointer(name.trim_start_matches('#'))
                .unwrap_or_else(|| panic!("no {name}"));
        }
        it
    }

    fn check(&self, schema: &'a Value, value: &Value) -> Result<(), String> {
        let schema = self.resolve(schema);
        for choice in ["oneOf", "anyOf"] {
            if let Some(options) = schema[choice].as_array() {
                let misfits: Vec<String> =
                    options.iter().filter_map(|o| self.check(o, value).err()).collect();
                return if misfits.len() < options.len() {
                    Ok(())
                } else {
                    Err(misfits.join(" or "))
                };
            }
        }
        if !has_type(&schema["type"], value) {
            return Err(format!("{value} is not {}", schema["type"]));
        }
        match value {
            Value::Array(items) => {
                items.iter().try_for_each(|item| self.check(&schema["items"], item))
            }
            Value::Object(object) => self.check_object(schema, object),
            _ => Ok(()),
        }
    }

    fn check_object(&self, schema: &'a Value, object: &Map<String, Value>) -> Result<(), String> {
        let mut all = Described::default();
        self.gather(schema, object, &mut all);
        if let Some(missing) = all.required.iter().find(|name| !object.contains_key(**name)) {
            return Err(format!("`{missing}` is missing"));
        }
        for (key, value) in object {
            let described = all.properties.get(key.as_str()).copied().or(all.others);
            match described {
                Some(described) => {
                    self.check(described, value).map_err(|why| format!("{key}: {why}"))?;
                }
                None if all.properties.is_empty() => {}
                None => return Err(format!("`{key}` is not described")),
            }
        }
        Ok(())
    }

    /// Collects the properties of a schema from all its parts; of alternatives from the matching
    /// one.
    fn gather(&self, schema: &'a Value, object: &Map<String, Value>, all: &mut Described<'a>) {
        let schema = self.resolve(schema);
        all.properties.extend(
            schema["properties"].as_object().into_iter().flatten().map(|(k, v)| (k.as_str(), v)),
        );
        all.required
            .extend(schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str));
        all.others = all
            .others
            .or(Some(&schema["additionalProperties"]).filter(|others| others.is_object()));
        schema["allOf"]
            .as_array()
            .into_iter()
            .flatten()
            .for_each(|part| self.gather(part, object, all));
        let options =
            schema["oneOf"].as_array().into_iter().chain(schema["anyOf"].as_array()).flatten();
        let has_all = |option: &&Value| {
            let mut own = Described::default();
            self.gather(option, object, &mut own);
            !own.required.is_empty() && own.required.iter().all(|name| object.contains_key(*name))
        };
        if let Some(option) = options.into_iter().find(|option| has_all(option)) {
            self.gather(option, object, all);
        }
    }
}

#[derive(Default)]
struct Described<'a> {
    properties: BTreeMap<&'a str, &'a Value>,
    required: Vec<&'a str>,
    others: Option<&'a Value>,
}

fn has_type(types: &Value, value: &Value) -> bool {
    let is = |name: &str| match name {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_u64() || value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    match types {
        Value::String(name) => is(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).any(is),
        _ => true,
    }
}

#[test]
fn a_reply_that_differs_from_its_schema_is_found() {
    let document = serde_json::json!({ "components": { "schemas": {
        "Place": {
            "type": "object", "required": ["path"],
            "properties": { "path": { "type": "string" } },
        },
        "Hit": {
            "allOf": [
                { "$ref": "#/components/schemas/Place" },
                { "type": "object", "properties": { "page": { "type": ["integer", "null"] } } },
            ],
        },
    } } });
    let schema =
        serde_json::json!({ "type": "array", "items": { "$ref": "#/components/schemas/Hit" } });
    let check = |value: Value, wrong: Option<&str>| {
        assert_eq!(misfit(&document, &schema, &value).as_deref(), wrong);
    };
    check(serde_json::json!([{ "path": "a", "page": null }, { "path": "b", "page": 3 }]), None);
    check(serde_json::json!([{ "page": 3 }]), Some("`path` is missing"));
    check(serde_json::json!([{ "path": "a", "line": 3 }]), Some("`line` is not described"));
    check(
        serde_json::json!([{ "path": "a", "page": "3" }]),
        Some("page: \"3\" is not [\"integer\",\"null\"]"),
    );
    check(serde_json::json!({}), Some("{} is not \"array\""));
}
