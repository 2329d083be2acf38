//! What `/metrics` says, as a message of OTLP.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::{attribute, message};

/// The series of one metric, in the order in which they were exposed.
#[derive(Default)]
struct Family {
    help: String,
    kind: String,
    series: Vec<(Labels, Series)>,
}

type Labels = Vec<(String, String)>;

#[derive(Default)]
struct Series {
    value: f64,
    sum: f64,
    count: f64,
    /// Upper bound, and how many are not above it.
    buckets: Vec<(f64, f64)>,
}

/// Prometheus's text as a message of OTLP. Times are since 1970.
pub fn metrics(text: &str, start_ns: u128, now_ns: u128) -> Value {
    let families = families(text);
    let point = |labels: &Labels, more: Value| {
        let attributes: Vec<Value> =
            labels.iter().map(|(key, value)| attribute(key, &value.as_str().into())).collect();
        let mut point = json!({
            "attributes": attributes,
            "startTimeUnixNano": start_ns.to_string(),
            "timeUnixNano": now_ns.to_string(),
        });
        if let (Some(point), Value::Object(more)) = (point.as_object_mut(), more) {
            point.extend(more);
        }
        point
    };
    let all: Vec<Value> = families
        .iter()
        .map(|(name, family)| {
            let points = |of: &dyn Fn(&Series) -> Value| -> Vec<Value> {
                family.series.iter().map(|(labels, series)| point(labels, of(series))).collect()
            };
            let plain = |series: &Series| json!({ "asDouble": series.value });
            // Of what happened so far, not since the last message.
            let mut metric = match family.kind.as_str() {
                "counter" => json!({ "sum": {
                    "aggregationTemporality": 2, "isMonotonic": true, "dataPoints": points(&plain),
                } }),
                "histogram" => {
                    json!({ "histogram": { "aggregationTemporality": 2, "dataPoints": points(&distribution) } })
                }
                _ => json!({ "gauge": { "dataPoints": points(&plain) } }),
            };
            metric["name"] = name.as_str().into();
            metric["description"] = family.help.as_str().into();
            metric
        })
        .collect();
    message("resourceMetrics", "scopeMetrics", "metrics", &all)
}

/// Buckets of Prometheus count what lies below them, too; those of OTLP do not.
fn distribution(series: &Series) -> Value {
    let whole = |n: f64| (n.max(0.0) as u64).to_string();
    let mut below = 0.0;
    let mut counts: Vec<String> = Vec::new();
    for (_, n) in &series.buckets {
        counts.push(whole(n - below));
        below = *n;
    }
    let bounds: Vec<f64> =
        series.buckets.iter().map(|(bound, _)| *bound).filter(|bound| bound.is_finite()).collect();
    json!({ "count": whole(series.count), "sum": series.sum, "bucketCounts": counts, "explicitBounds": bounds })
}

fn families(text: &str) -> BTreeMap<String, Family> {
    let mut families = BTreeMap::<String, Family>::new();
    for line in text.lines() {
        let word = |mark: &str| line.strip_prefix(mark).and_then(|rest| rest.split_once(' '));
        if let Some((name, help)) = word("# HELP ") {
            help.clone_into(&mut families.entry(name.to_owned()).or_default().help);
        } else if let Some((name, kind)) = word("# TYPE ") {
            kind.clone_into(&mut families.entry(name.to_owned()).or_default().kind);
        } else if let Some((name, labels, value)) = sample(line) {
            add(&mut families, &name, labels, value);
        }
    }
    families
}

fn add(families: &mut BTreeMap<String, Family>, name: &str, mut labels: Labels, value: f64) {
    let of_histogram = ["_bucket", "_sum", "_count"].into_iter().find_map(|part| {
        let base = name.strip_suffix(part)?;
        families.get(base).is_some_and(|family| family.kind == "histogram").then_some((base, part))
    });
    let (base, part) = of_histogram.unwrap_or((name, ""));
    let bound = labels
        .iter()
        .position(|(key, _)| key == "le" && part == "_bucket")
        .map(|at| labels.remove(at).1);
    let series = &mut families.entry(base.to_owned()).or_default().series;
    let at = series.iter().position(|(known, _)| *known == labels).unwrap_or_else(|| {
        series.push((labels, Series::default()));
        series.len() - 1
    });
    let series = &mut series[at].1;
    match part {
        "_bucket" => series
            .buckets
            .push((bound.and_then(|bound| bound.parse().ok()).unwrap_or(f64::INFINITY), value)),
        "_sum" => series.sum = value,
        "_count" => series.count = value,
        _ => series.value = value,
    }
}

/// Name, labels and value of a line.
fn sample(line: &str) -> Option<(String, Labels, f64)> {
    if line.starts_with('#') {
        return None;
    }
    let (series, value) = line.rsplit_once(' ')?;
    let value = value.parse().ok()?;
    let Some((name, rest)) = series.split_once('{') else {
        return Some((series.to_owned(), Vec::new(), value));
    };
    let mut labels = Vec::new();
    let mut rest = rest.strip_suffix('}')?;
    while let Some((key, after)) = rest.split_once("=\"") {
        // The values here hold neither quotes nor backslashes.
        let (text, after) = after.split_once('"')?;
        labels.push((key.trim_start_matches(',').to_owned(), text.to_owned()));
        rest = after;
    }
    Some((name.to_owned(), labels, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_exposed_is_sent() {
        let text = "# HELP rag_x_total Things.\n# TYPE rag_x_total \
             counter\nrag_x_total{a=\"b\",route=\"/x/{id}\"} 3\n\n\
                    # HELP rag_d_seconds Time.\n# TYPE rag_d_seconds histogram\n\
                    rag_d_seconds_bucket{stage=\"s\",le=\"0.1\"} \
                    1\nrag_d_seconds_bucket{stage=\"s\",le=\"1\"} 4\n\
                    rag_d_seconds_bucket{stage=\"s\",le=\"+Inf\"} \
                    5\nrag_d_seconds_sum{stage=\"s\"} 7.5\n\
                    rag_d_seconds_count{stage=\"s\"} 5\n\n# TYPE rag_g gauge\nrag_g 0.5\n";
        let sent = metrics(text, 1, 2);
        let scope = &sent["resourceMetrics"][0]["scopeMetrics"][0];
        let metric = |name: &str| {
            scope["metrics"]
                .as_array()
                .unwrap()
                .iter()
                .find(|metric| metric["name"] == name)
                .unwrap()
                .clone()
        };
        let counter = metric("rag_x_total");
        let point = &counter["sum"]["dataPoints"][0];
        assert_eq!(
            (&counter["sum"]["isMonotonic"], &point["asDouble"]),
            (&json!(true), &json!(3.0))
        );
        assert_eq!(
            point["attributes"][1],
            json!({ "key": "route", "value": { "stringValue": "/x/{id}" } })
        );
        assert_eq!(
            (&point["startTimeUnixNano"], &point["timeUnixNano"]),
            (&json!("1"), &json!("2"))
        );
        let histogram = &metric("rag_d_seconds")["histogram"]["dataPoints"][0];
        assert_eq!(histogram["bucketCounts"], json!(["1", "3", "1"]));
        assert_eq!(histogram["explicitBounds"], json!([0.1, 1.0]));
        assert_eq!((&histogram["sum"], &histogram["count"]), (&json!(7.5), &json!("5")));
        assert_eq!(metric("rag_g")["gauge"]["dataPoints"][0]["asDouble"], 0.5);
        assert_eq!(scope["metrics"].as_array().unwrap().len(), 3);
    }
}
