//! Spans of requests, as a message of OTLP.

use serde_json::{Value, json};

use super::{attribute, message};
use crate::telemetry::SpanData;

/// What is told of a span's kind: it is within the program, or it answers a request.
const INTERNAL: u8 = 1;
const SERVER: u8 = 2;
/// What is told of a span that failed.
const ERROR: u8 = 2;

pub fn traces(spans: &[SpanData]) -> Value {
    message("resourceSpans", "scopeSpans", "spans", &spans.iter().map(span).collect::<Vec<_>>())
}

fn span(data: &SpanData) -> Value {
    let SpanData { trace, name, is_server, begun_ns, ended_ns, attributes, failed } = data;
    let attributes: Vec<Value> =
        attributes.iter().map(|(key, value)| attribute(key, value)).collect();
    json!({
        "traceId": format!("{:032x}", trace.id),
        "spanId": format!("{:016x}", trace.span),
        "parentSpanId": trace.parent.map(|parent| format!("{parent:016x}")).unwrap_or_default(),
        "name": name,
        "kind": if *is_server { SERVER } else { INTERNAL },
        "startTimeUnixNano": begun_ns.to_string(),
        "endTimeUnixNano": ended_ns.to_string(),
        "attributes": attributes,
        "status": if *failed { json!({ "code": ERROR }) } else { json!({}) },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::Trace;

    #[test]
    fn a_span_is_told_with_its_place_its_time_and_its_attributes() {
        let trace = Trace { id: 0xabc, span: 1, parent: Some(0xfeed), begun_ns: 5 };
        let attributes = vec![
            ("rag.mode", json!("hybrid")),
            ("rag.hits", json!(10)),
            ("rag.supported", json!(true)),
        ];
        let data = SpanData {
            trace,
            name: "search".into(),
            is_server: false,
            begun_ns: 5,
            ended_ns: 7,
            attributes,
            failed: true,
        };
        let sent = traces(&[data]);
        let span = &sent["resourceSpans"][0]["scopeSpans"][0]["spans"][0];
        assert_eq!(span["traceId"], "00000000000000000000000000000abc");
        assert_eq!(
            (&span["spanId"], &span["parentSpanId"]),
            (&json!("0000000000000001"), &json!("000000000000feed"))
        );
        assert_eq!(
            (&span["startTimeUnixNano"], &span["endTimeUnixNano"]),
            (&json!("5"), &json!("7"))
        );
        assert_eq!(
            span["attributes"][0],
            json!({ "key": "rag.mode", "value": { "stringValue": "hybrid" } })
        );
        assert_eq!(
            span["attributes"][1],
            json!({ "key": "rag.hits", "value": { "intValue": "10" } })
        );
        assert_eq!(
            span["attributes"][2],
            json!({ "key": "rag.supported", "value": { "boolValue": true } })
        );
        assert_eq!((&span["kind"], &span["status"]["code"]), (&json!(1), &json!(2)));
        let service = &sent["resourceSpans"][0]["resource"]["attributes"][0];
        assert_eq!(service, &json!({ "key": "service.name", "value": { "stringValue": "rag" } }));
    }
}
