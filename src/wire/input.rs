//! Deserializes the JSON of requests. An error names the field and uses the terms of JSON; no
//! message contains the name of a Rust type.

use std::collections::BTreeMap;
use std::fmt::{self, Display};

use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, Expected, IntoDeserializer as _,
    MapAccess, SeqAccess, Unexpected, Visitor,
};
use serde_json::error::Category;
use serde_json::{Map, Value};

/// 2^53: up to here, every integer is exact as a float.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// Why a value does not fit its type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Misfit {
    /// The field, such as `messages[0].content`; empty for the whole value.
    path: String,
    problem: Problem,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Problem {
    Type { expected: String, found: String },
    Missing,
    Unknown { known: &'static [&'static str] },
    NotOneOf { found: String, known: &'static [&'static str] },
    Twice,
    Other(String),
}

impl Misfit {
    /// An error with a message that follows the name of the field.
    pub fn of(path: impl Into<String>, words: impl Into<String>) -> Self {
        Self { path: path.into(), problem: Problem::Other(words.into()) }
    }

    fn new(problem: Problem) -> Self {
        Self { path: String::new(), problem }
    }

    /// The same error, seen from the enclosing value.
    fn within(mut self, segment: &str) -> Self {
        self.path = match self.path.as_str() {
            "" => segment.to_owned(),
            rest if rest.starts_with('[') => format!("{segment}{rest}"),
            rest => format!("{segment}.{rest}"),
        };
        self
    }

    /// The field; `None` for the whole value.
    pub fn path(&self) -> Option<&str> {
        (!self.path.is_empty()).then_some(self.path.as_str())
    }

    /// The message. `whole` names the whole value, such as "the body".
    pub fn words(&self, whole: &str) -> String {
        let subject =
            if self.path.is_empty() { whole.to_owned() } else { format!("`{}`", self.path) };
        match &self.problem {
            Problem::Type { expected, found } => {
                format!("{subject} must be {expected}, not {found}")
            }
            Problem::Missing => format!("{subject} is missing"),
            Problem::Unknown { .. } => format!("unknown field {subject}"),
            Problem::NotOneOf { found, known } => {
                format!("{subject} must be one of {}, not `{found}`", known.join(", "))
            }
            Problem::Twice => format!("{subject} is given twice"),
            Problem::Other(words) => format!("{subject} {words}"),
        }
    }

    /// What to try next.
    pub fn hint(&self) -> Option<String> {
        match &self.problem {
            Problem::Unknown { known: [] } => Some("no fields are allowed".to_owned()),
            Problem::Unknown { known } => Some(format!("known fields: {}", known.join(", "))),
            _ => None,
        }
    }
}

/// Required by serde; users see [`Misfit::words`].
impl Display for Misfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words("the value"))
    }
}

impl std::error::Error for Misfit {}

impl de::Error for Misfit {
    fn custom<T: Display>(words: T) -> Self {
        Self::new(Problem::Other(words.to_string()))
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::new(Problem::Type { expected: noun(expected), found: found_noun(&found) })
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_variant(found: &str, known: &'static [&'static str]) -> Self {
        Self::new(Problem::NotOneOf { found: found.to_owned(), known })
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        Self { path: field.to_owned(), problem: Problem::Unknown { known } }
    }

    fn missing_field(field: &'static str) -> Self {
        Self { path: field.to_owned(), problem: Problem::Missing }
    }

    fn duplicate_field(field: &'static str) -> Self {
        Self { path: field.to_owned(), problem: Problem::Twice }
    }
}

/// The type that serde expected, in terms of JSON.
fn noun(expected: &dyn Expected) -> String {
    let words = expected.to_string();
    let noun = match words.as_str() {
        "a boolean" => "true or false",
        "string" => "a string",
        "a sequence" => "an array",
        "a map" => "an object",
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, 0 or more",
        "i8" | "i16" | "i32" | "i64" | "isize" => "a whole number",
        "f32" | "f64" => "a number",
        "unit" => "null",
        words if words.starts_with("struct ") => "an object",
        words if words.starts_with("enum ") || words.ends_with("identifier") => "a string",
        words => words,
    };
    noun.to_owned()
}

fn found_noun(found: &Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(value) => value.to_string(),
        Unexpected::Unsigned(n) => n.to_string(),
        Unexpected::Signed(n) => n.to_string(),
        Unexpected::Float(n) => n.to_string(),
        Unexpected::Char(_) | Unexpected::Str(_) | Unexpected::Bytes(_) => "a string".to_owned(),
        Unexpected::Seq => "an array".to_owned(),
        Unexpected::Unit | Unexpected::Option => "null".to_owned(),
        _ => "an object".to_owned(),
    }
}

/// Parses JSON text. Duplicate fields are refused: two parsers could pick different ones.
///
/// # Errors
/// When it is not JSON.
pub fn json(bytes: &[u8]) -> Result<Value, Misfit> {
    let Unique(value) = serde_json::from_slice(bytes).map_err(|error| {
        let whole = |words: String| Misfit::of("", words);
        match error.classify() {
            _ if bytes.trim_ascii().is_empty() => whole("is empty; it must be JSON".to_owned()),
            Category::Eof => whole("is not valid JSON: unexpected end".to_owned()),
            Category::Data => {
                let words = error.to_string();
                whole(words.split(" at line ").next().unwrap_or_default().to_owned())
            }
            _ => whole(format!(
                "is not valid JSON (line {}, column {})",
                error.line(),
                error.column()
            )),
        }
    })?;
    Ok(value)
}

/// Deserializes a value.
///
/// # Errors
/// When the value does not fit the type.
pub fn read<T: DeserializeOwned>(value: &Value) -> Result<T, Misfit> {
    T::deserialize(Input { value, is_text: false })
}

/// Deserializes text fields, such as those of a query string: numbers and booleans are parsed.
///
/// # Errors
/// When a field does not fit its type.
pub fn read_text<T: DeserializeOwned>(fields: Vec<(String, String)>) -> Result<T, Misfit> {
    let mut object = Map::new();
    for (name, text) in fields {
        if object.insert(name.clone(), text.into()).is_some() {
            return Err(Misfit { path: name, problem: Problem::Twice });
        }
    }
    T::deserialize(Input { value: &object.into(), is_text: true })
}

/// A deserializer of a value.
#[derive(Clone, Copy)]
struct Input<'a> {
    value: &'a Value,
    is_text: bool,
}

impl<'de> Input<'de> {
    fn number<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        let wrong = |visitor: &V| {
            let found = self.value.as_str().map_or_else(String::new, |text| format!("`{text}`"));
            Misfit::new(Problem::Type { expected: noun(visitor), found })
        };
        match self.value {
            Value::String(text) if self.is_text => match (text.parse(), text.parse()) {
                (Ok(n), _) => visitor.visit_u64(n),
                (_, Ok(n)) => visitor.visit_i64(n),
                _ => Err(wrong(&visitor)),
            },
            // In JSON, 3.0 and 3 are the same number.
            Value::Number(n) if n.is_f64() => match n.as_f64() {
                Some(n) if n.fract() == 0.0 && (0.0..=MAX_EXACT).contains(&n) => {
                    visitor.visit_u64(n as u64)
                }
                Some(n) if n.fract() == 0.0 && (-MAX_EXACT..0.0).contains(&n) => {
                    visitor.visit_i64(n as i64)
                }
                _ => self.deserialize_any(visitor),
            },
            _ => self.deserialize_any(visitor),
        }
    }
}

impl<'de> Deserializer<'de> for Input<'de> {
    type Error = Misfit;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.value {
            Value::Null => visitor.visit_unit(),
            Value::Bool(value) => visitor.visit_bool(*value),
            Value::Number(n) => match (n.as_u64(), n.as_i64()) {
                (Some(n), _) => visitor.visit_u64(n),
                (_, Some(n)) => visitor.visit_i64(n),
                _ => visitor.visit_f64(n.as_f64().unwrap_or_default()),
            },
            Value::String(text) => visitor.visit_borrowed_str(text),
            Value::Array(items) => {
                visitor.visit_seq(Items { items: items.iter().enumerate(), is_text: self.is_text })
            }
            Value::Object(fields) => visitor.visit_map(Fields {
                fields: fields.iter(),
                value: None,
                is_text: self.is_text,
            }),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.value.as_str().filter(|_| self.is_text) {
            Some("true") => visitor.visit_bool(true),
            Some("false") => visitor.visit_bool(false),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_u8<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.number(visitor)
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.number(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.number(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.number(visitor)
    }

    fn deserialize_i64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        self.number(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        match self.value {
            Value::Null => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    /// Refuses arrays, which derived types accept with items in the order of their fields.
    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match self.value {
            Value::Array(_) => Err(de::Error::invalid_type(Unexpected::Seq, &visitor)),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        visitor.visit_newtype_struct(self)
    }

    /// Enums are strings.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Misfit> {
        match self.value {
            Value::String(word) => {
                let word: StrDeserializer<'_, Misfit> = word.as_str().into_deserializer();
                visitor.visit_enum(word)
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Misfit> {
        visitor.visit_unit()
    }

    serde::forward_to_deserialize_any! {
        i8 i16 i32 i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map identifier
    }
}

struct Items<'a> {
    items: std::iter::Enumerate<std::slice::Iter<'a, Value>>,
    is_text: bool,
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Misfit;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Misfit> {
        let Some((n, value)) = self.items.next() else { return Ok(None) };
        let item = seed.deserialize(Input { value, is_text: self.is_text });
        item.map(Some).map_err(|misfit| misfit.within(&format!("[{n}]")))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

struct Fields<'a> {
    fields: serde_json::map::Iter<'a>,
    /// The current field.
    value: Option<(&'a str, &'a Value)>,
    is_text: bool,
}

impl<'de> MapAccess<'de> for Fields<'de> {
    type Error = Misfit;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Misfit> {
        let Some((name, value)) = self.fields.next() else { return Ok(None) };
        self.value = Some((name, value));
        seed.deserialize(BorrowedStrDeserializer::new(name)).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Misfit> {
        let (name, value) = self.value.take().unwrap_or(("", &Value::Null));
        seed.deserialize(Input { value, is_text: self.is_text })
            .map_err(|misfit| misfit.within(name))
    }
}

/// A value without duplicate fields.
struct Unique(Value);

impl<'de> de::Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(input: D) -> Result<Self, D::Error> {
        input.deserialize_any(UniqueVisitor).map(Self)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, n: i64) -> Result<Value, E> {
        Ok(n.into())
    }

    fn visit_u64<E>(self, n: u64) -> Result<Value, E> {
        Ok(n.into())
    }

    fn visit_f64<E>(self, n: f64) -> Result<Value, E> {
        Ok(n.into())
    }

    fn visit_str<E>(self, text: &str) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_string<E>(self, text: String) -> Result<Value, E> {
        Ok(text.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut array = Vec::new();
        while let Some(Unique(item)) = items.next_element()? {
            array.push(item);
        }
        Ok(array.into())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<Value, A::Error> {
        let mut object = BTreeMap::new();
        while let Some((name, Unique(value))) = fields.next_entry::<String, Unique>()? {
            if object.contains_key(&name) {
                return Err(de::Error::custom(format!("has the field `{name}` twice")));
            }
            object.insert(name, value);
        }
        Ok(Value::Object(object.into_iter().collect()))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        query: String,
        k: Option<usize>,
        #[serde(default)]
        stream: bool,
        #[serde(default)]
        parts: Vec<Part>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Part {
        kind: Kind,
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum Kind {
        Text,
        ImageUrl,
    }

    #[derive(Debug, Deserialize)]
    struct Open {
        n: Option<u64>,
        #[serde(flatten)]
        more: Map<String, Value>,
    }

    #[test]
    fn errors_name_the_field() {
        let check = |value: Value, words: &str| {
            assert_eq!(read::<Body>(&value).unwrap_err().words("the body"), words, "{value}");
        };
        check(json!([1]), "the body must be an object, not an array");
        check(json!("q"), "the body must be an object, not a string");
        check(json!({}), "`query` is missing");
        check(json!({ "query": 7 }), "`query` must be a string, not 7");
        check(json!({ "query": null }), "`query` must be a string, not null");
        check(json!({ "query": "q", "k": -1 }), "`k` must be a whole number, 0 or more, not -1");
        check(json!({ "query": "q", "k": 1.5 }), "`k` must be a whole number, 0 or more, not 1.5");
        check(
            json!({ "query": "q", "k": "3" }),
            "`k` must be a whole number, 0 or more, not a string",
        );
        check(
            json!({ "query": "q", "stream": "yes" }),
            "`stream` must be true or false, not a string",
        );
        check(json!({ "query": "q", "colour": 1 }), "unknown field `colour`");
        check(json!({ "query": "q", "parts": {} }), "`parts` must be an array, not an object");
        check(
            json!({ "query": "q", "parts": [["text"]] }),
            "`parts[0]` must be an object, not an array",
        );
        check(
            json!({ "query": "q", "parts": [{ "kind": "text" }, {}] }),
            "`parts[1].kind` is missing",
        );
        check(
            json!({ "query": "q", "parts": [{ "kind": 1 }] }),
            "`parts[0].kind` must be a string, not 1",
        );
        check(
            json!({ "query": "q", "parts": [{ "kind": "x" }] }),
            "`parts[0].kind` must be one of text, image_url, not `x`",
        );
        check(
            json!({ "query": "q", "parts": [{ "kind": "text", "x": 1 }] }),
            "unknown field `parts[0].x`",
        );
        let unknown = read::<Part>(&json!({ "x": 1 })).unwrap_err();
        assert_eq!(
            (unknown.path(), unknown.hint().as_deref()),
            (Some("x"), Some("known fields: kind"))
        );

        let body: Body =
            read(&json!({ "query": "q", "k": 3.0, "parts": [{ "kind": "image_url" }] })).unwrap();
        assert_eq!((body.query.as_str(), body.k, body.stream), ("q", Some(3), false));
        assert!(matches!(body.parts[..], [Part { kind: Kind::ImageUrl }]));
        let open: Open = read(&json!({ "n": 1, "x": { "y": [1.0, null] } })).unwrap();
        assert_eq!((open.n, open.more["x"].clone()), (Some(1), json!({ "y": [1.0, null] })));
    }

    #[test]
    fn query_strings_are_parsed() {
        let read = |text: &str| {
            let fields = text.split('&').map(|field| field.split_once('=').unwrap());
            let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
            read_text::<Body>(fields).map_err(|misfit| misfit.words("the query"))
        };
        let body = read("query=7&k=12&stream=true").unwrap();
        assert_eq!((body.query.as_str(), body.k, body.stream), ("7", Some(12), true));
        assert_eq!(
            read("query=q&k=abc").unwrap_err(),
            "`k` must be a whole number, 0 or more, not `abc`"
        );
        assert_eq!(
            read("query=q&k=-3").unwrap_err(),
            "`k` must be a whole number, 0 or more, not -3"
        );
        assert_eq!(read("query=q&query=r").unwrap_err(), "`query` is given twice");
        assert_eq!(read("query=q&x=").unwrap_err(), "unknown field `x`");
    }

    #[test]
    fn invalid_json_is_reported_without_the_message_of_the_parser() {
        let check = |text: &str, words: &str| {
            assert_eq!(json(text.as_bytes()).unwrap_err().words("the body"), words);
        };
        check(" ", "the body is empty; it must be JSON");
        check("{\"a\": ", "the body is not valid JSON: unexpected end");
        check("{bad", "the body is not valid JSON (line 1, column 2)");
        check("{} more", "the body is not valid JSON (line 1, column 4)");
        check("{\"a\": 1, \"b\": {\"c\": 1, \"c\": 2}}", "the body has the field `c` twice");
        assert!(json(&[b"[".repeat(100_000), b"]".repeat(100_000)].concat()).is_err());
        let text = "{\"a\": [1, -2, 2.5, \"x\", null, true], \"b\": {}}";
        assert_eq!(json(text.as_bytes()).unwrap(), serde_json::from_str::<Value>(text).unwrap());
    }
}
