//! The figures of `rag eval` as one HTML page: no script, no other file, light and dark.
//!
//! Plots are inline SVG, drawn as wide as a small telephone, so that their text can be read there
//! without zooming.

use super::table::{figure_rows, loss_cells};
use crate::evaluate::{
    CRITERIA, Comparison, Estimate, Group, Loss, Report, SetReport, Verdict, percentile,
};

const STYLE: &str = include_str!("report.css");

/// Width of every plot.
const WIDTH: f64 = 344.0;
/// Height of a row of a plot.
const ROW: f64 = 22.0;
/// Lines of one plot. With more, their colors would look alike.
const MAX_LINES: usize = 6;

/// The page. `worst` is the number of questions that are listed of each set.
pub fn page(report: &Report, losses: Option<&[Loss]>, worst: usize) -> String {
    let mut body = String::new();
    let n: usize = report.sets.iter().map(|set| set.questions.len()).sum();
    let names: Vec<String> = report.sets.iter().map(|set| escaped(&set.name)).collect();
    body.push_str(&format!(
        "<h1>Evaluation</h1>\n<p class=\"faint\">{n} questions: {}. Intervals hold \
         95 %; p is that of a paired test.</p>\n",
        names.join(", ")
    ));
    if let Some(losses) = losses {
        body.push_str(&baseline(losses));
    }
    if report.sets.len() > 1 {
        body.push_str("<h2>All sets, each counted the same</h2>\n");
        body.push_str(&figures(report, None));
    }
    for (n, set) in report.sets.iter().enumerate() {
        body.push_str(&format!("<h2>{}</h2>\n", escaped(&set.name)));
        body.push_str(&figures(report, Some(n)));
        body.push_str(&answers(report, set));
        body.push_str(&worst_questions(report, set, worst));
    }
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n\
         <title>rag eval: {}</title>\n<style>\n{STYLE}</style>\n<main>\n{body}</main>\n</html>\n",
        names.join(", ")
    )
}

fn escaped(text: &str) -> String {
    let text = super::super::ui::safe(text);
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// A table; the first cell of a row is its heading.
fn table(header: &[&str], rows: &[Vec<String>]) -> String {
    let head: String = header.iter().map(|name| format!("<th>{name}</th>")).collect();
    let row = |cells: &Vec<String>| {
        let cells = cells.iter().enumerate();
        let cells = cells.map(|(i, cell)| match i {
            0 => format!("<th scope=\"row\">{}</th>", escaped(cell)),
            _ => format!("<td>{}</td>", escaped(cell)),
        });
        format!("<tr>{}</tr>\n", cells.collect::<String>())
    };
    let rows: String = rows.iter().map(row).collect();
    format!("<div class=\"scroll\" tabindex=\"0\"><table>\n<tr>{head}</tr>\n{rows}</table></div>\n")
}

/// Tables and plots of one set, or of all.
fn figures(report: &Report, set: Option<usize>) -> String {
    let names = report.row_names();
    let measures = ["recall@1", "recall@3", "recall@10", "recall@100", "mrr@10"];
    let rows = figure_rows(report, set, &measures, "–");
    if rows.is_empty() {
        return String::new();
    }
    let header = [
        "",
        "nDCG@10",
        "95 %",
        "recall@1",
        "recall@3",
        "recall@10",
        "recall@100",
        "MRR@10",
        "p50 ms",
        "p95 ms",
        "p99 ms",
    ];
    let mut out = String::from("<div class=\"plots\">\n");
    out.push_str(&means_plot(report, set, &names));
    let compared = report.comparisons(set);
    out.push_str(&differences_plot(report, &compared, &names));
    out.push_str(&recall_plot(report, set, &names));
    out.push_str(&latency_plot(report, set, &names));
    out.push_str("</div>\n");
    out.push_str(&table(&header, &rows));
    out.push_str(&tests(report, &compared, &names));
    out
}

fn tests(report: &Report, compared: &[Comparison], names: &[&str]) -> String {
    let rows: Vec<Vec<String>> = compared
        .iter()
        .map(|c| {
            vec![
                names.get(c.row).copied().unwrap_or_default().to_owned(),
                c.measure.to_owned(),
                format!("{:+.4}", c.difference.mean),
                format!("{:+.3} – {:+.3}", c.difference.low, c.difference.high),
                format!("{:.4}", c.p),
                if c.is_significant() { "yes" } else { "" }.to_owned(),
            ]
        })
        .collect();
    if rows.is_empty() {
        return String::new();
    }
    let reference = escaped(names.get(report.reference).copied().unwrap_or_default());
    let header = ["", "measure", "difference", "95 %", "p", "significant"];
    format!(
        "<details><summary>Paired tests against {reference}</summary>\n{}</details>\n",
        table(&header, &rows)
    )
}

/// A figure with a caption. `label` describes it to those who do not see it.
fn figure(caption: &str, label: &str, height: f64, drawing: &str) -> String {
    format!(
        "<figure><figcaption>{caption}</figcaption>\n<svg viewBox=\"0 0 {WIDTH} {height:.0}\" \
         role=\"img\" aria-label=\"{}\">\n{drawing}</svg></figure>\n",
        escaped(label)
    )
}

fn text(x: f64, y: f64, class: &str, text: &str) -> String {
    format!("<text x=\"{x:.1}\" y=\"{y:.1}\" class=\"{class}\">{}</text>\n", escaped(text))
}

fn line(from: (f64, f64), to: (f64, f64), class: &str) -> String {
    format!(
        "<line x1=\"{:.1}\" y1=\"{:.1}\" x2=\"{:.1}\" y2=\"{:.1}\" class=\"{class}\"/>\n",
        from.0, from.1, to.0, to.1
    )
}

/// A name that fits before a plot.
fn short(name: &str) -> String {
    const MAX_CHARS: usize = 18;
    match name.char_indices().nth(MAX_CHARS - 1) {
        Some((end, _)) if name.chars().count() > MAX_CHARS => {
            format!("{}…", name.get(..end).unwrap_or(name))
        }
        _ => name.to_owned(),
    }
}

/// A scale from values to the part of a plot right of the names.
struct Scale {
    low: f64,
    high: f64,
}

impl Scale {
    const LEFT: f64 = 118.0;
    const RIGHT: f64 = WIDTH - 12.0;

    /// The smallest that holds all values, with some room.
    fn of(values: impl Iterator<Item = f64>) -> Self {
        let (low, high) =
            values.fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(v), high.max(v)));
        let room = ((high - low) * 0.08).max(0.005);
        Self { low: low - room, high: high + room }
    }

    fn x(&self, value: f64) -> f64 {
        Self::LEFT + (value - self.low) / (self.high - self.low) * (Self::RIGHT - Self::LEFT)
    }

    /// Three or four round values.
    fn ticks(&self) -> Vec<f64> {
        let raw = (self.high - self.low) / 3.0;
        let power = 10f64.powf(raw.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * power).find(|step| *step >= raw);
        let step = step.unwrap_or(raw);
        let first = (self.low / step).ceil();
        (0..6).map(|i| (first + f64::from(i)) * step).filter(|tick| *tick <= self.high).collect()
    }

    /// The axis below `height`, and a line up from each tick.
    fn axis(&self, height: f64) -> String {
        let tick = |value: f64| {
            let x = self.x(value);
            let places = if self.high - self.low < 0.1 { 3 } else { 2 };
            let value =
                if self.high > 10.0 { format!("{value:.0}") } else { format!("{value:.places$}") };
            line((x, 4.0), (x, height), "grid") + &text(x, height + 14.0, "tick", &value)
        };
        self.ticks().into_iter().map(tick).collect()
    }
}

/// A row with its name, an interval and a dot in it.
fn dot_row(scale: &Scale, y: f64, name: &str, estimate: &Estimate, class: &str) -> String {
    let mid = y + ROW / 2.0;
    let Estimate { mean, low, high } = estimate;
    text(0.0, mid + 4.0, "name", &short(name))
        + &line((scale.x(*low), mid), (scale.x(*high), mid), &format!("interval {class}"))
        + &format!(
            "<circle cx=\"{:.1}\" cy=\"{mid:.1}\" r=\"4\" class=\"dot {class}\"/>\n",
            scale.x(*mean)
        )
}

fn means_plot(report: &Report, set: Option<usize>, names: &[&str]) -> String {
    let estimates: Vec<(&str, Estimate)> = (names.iter().enumerate())
        .filter_map(|(row, name)| Some((*name, report.estimate(set, row, "ndcg@10")?)))
        .collect();
    let scale = Scale::of(estimates.iter().flat_map(|(_, e)| [e.low, e.high]));
    let height = 4.0 + ROW * estimates.len() as f64;
    let mut drawing = scale.axis(height);
    for (n, (name, estimate)) in estimates.iter().enumerate() {
        let class = if *name == names[report.reference] { "own" } else { "" };
        drawing.push_str(&dot_row(&scale, 4.0 + ROW * n as f64, name, estimate, class));
    }
    let label: Vec<String> =
        estimates.iter().map(|(name, e)| format!("{name} {:.3}", e.mean)).collect();
    figure("nDCG@10", &label.join(", "), height + 20.0, &drawing)
}

fn differences_plot(report: &Report, compared: &[Comparison], names: &[&str]) -> String {
    let shown: Vec<&Comparison> = compared.iter().filter(|c| c.measure == "ndcg@10").collect();
    if shown.is_empty() {
        return String::new();
    }
    let bounds = shown.iter().flat_map(|c| [c.difference.low, c.difference.high]);
    let scale = Scale::of(bounds.chain([0.0]));
    let height = 4.0 + ROW * shown.len() as f64;
    let mut drawing = scale.axis(height);
    drawing.push_str(&line((scale.x(0.0), 2.0), (scale.x(0.0), height), "zero"));
    for (n, c) in shown.iter().enumerate() {
        let class = match (c.is_significant(), c.difference.mean < 0.0) {
            (false, _) => "",
            (true, true) => "bad",
            (true, false) => "good",
        };
        let name = names.get(c.row).copied().unwrap_or_default();
        drawing.push_str(&dot_row(&scale, 4.0 + ROW * n as f64, name, &c.difference, class));
    }
    let label = |c: &&Comparison| {
        format!(
            "{} {:+.3}, p {:.3}",
            names.get(c.row).copied().unwrap_or_default(),
            c.difference.mean,
            c.p
        )
    };
    let label: Vec<String> = shown.iter().map(label).collect();
    let reference = escaped(names.get(report.reference).copied().unwrap_or_default());
    let caption = format!(
        "nDCG@10 minus that of {reference} (<span class=\"good\">better</span>, \
         <span class=\"bad\">worse</span>, or neither beyond chance)"
    );
    figure(&caption, &label.join(", "), height + 20.0, &drawing)
}

/// Recall by the number of entries read.
fn recall_plot(report: &Report, set: Option<usize>, names: &[&str]) -> String {
    const DEPTHS: [(&str, f64); 4] =
        [("recall@1", 0.0), ("recall@3", 0.24), ("recall@10", 0.5), ("recall@100", 1.0)];
    const HEIGHT: f64 = 150.0;
    let (left, right) = (30.0, WIDTH - 14.0);
    let at = |share: f64| left + share * (right - left);
    let y = |recall: f64| 6.0 + (1.0 - recall) * (HEIGHT - 6.0);
    let mut drawing = String::new();
    for tick in [0.0, 0.25, 0.5, 0.75, 1.0] {
        drawing.push_str(&line((left, y(tick)), (right, y(tick)), "grid"));
        drawing.push_str(&text(left - 5.0, y(tick) + 4.0, "tick end", &format!("{tick:.2}")));
    }
    for (name, share) in DEPTHS {
        drawing.push_str(&text(
            at(share),
            HEIGHT + 15.0,
            "tick",
            name.trim_start_matches("recall@"),
        ));
    }
    let mut label = Vec::new();
    for (n, name) in names.iter().take(MAX_LINES).enumerate() {
        let mean = |measure| report.estimate(set, n, measure).map(|e| e.mean);
        let points: Vec<String> = DEPTHS
            .iter()
            .filter_map(|(measure, share)| {
                Some(format!("{:.1},{:.1}", at(*share), y(mean(measure)?)))
            })
            .collect();
        drawing.push_str(&format!(
            "<polyline points=\"{}\" class=\"series s{n}\"/>\n",
            points.join(" ")
        ));
        let (x, row) = (left + f64::from(n as u32 % 3) * 108.0, f64::from(n as u32 / 3));
        let legend = HEIGHT + 34.0 + 18.0 * row;
        drawing.push_str(&line(
            (x, legend - 4.0),
            (x + 18.0, legend - 4.0),
            &format!("series s{n}"),
        ));
        drawing.push_str(&text(
            x + 22.0,
            legend,
            "name",
            &name.chars().take(12).collect::<String>(),
        ));
        label.push(format!("{name} {:.3} at 10", mean("recall@10").unwrap_or_default()));
    }
    let rows = names.len().min(MAX_LINES).div_ceil(3) as f64;
    figure("Recall among the first N", &label.join(", "), HEIGHT + 24.0 + 18.0 * rows, &drawing)
}

fn latency_plot(report: &Report, set: Option<usize>, names: &[&str]) -> String {
    let times: Vec<(&str, Vec<f64>)> = (names.iter().enumerate())
        .map(|(row, name)| (*name, report.times(set, row)))
        .filter(|(_, times)| !times.is_empty())
        .collect();
    if times.is_empty() {
        return String::new();
    }
    let most = times.iter().map(|(_, times)| percentile(times, 99)).fold(0.0, f64::max);
    let scale = Scale { low: 0.0, high: most * 1.05 + 0.01 };
    let height = 4.0 + ROW * times.len() as f64;
    let mut drawing = scale.axis(height);
    let mut label = Vec::new();
    for (n, (name, times)) in times.iter().enumerate() {
        let y = 4.0 + ROW * n as f64;
        let mid = y + ROW / 2.0;
        let at = |percent| scale.x(percentile(times, percent));
        drawing.push_str(&text(0.0, mid + 4.0, "name", &short(name)));
        drawing.push_str(&line((at(50), mid), (at(99), mid), "interval"));
        drawing.push_str(&line((at(95), mid - 5.0), (at(95), mid + 5.0), "interval"));
        let circle =
            format!("<circle cx=\"{:.1}\" cy=\"{mid:.1}\" r=\"4\" class=\"dot\"/>\n", at(50));
        drawing.push_str(&circle);
        label.push(format!("{name} median {:.1} ms", percentile(times, 50)));
    }
    let caption = "Time of a search in ms: median, 95th and 99th percentile";
    figure(caption, &label.join(", "), height + 20.0, &drawing)
}

/// Answers by kind of question, and the grades of a language model.
fn answers(report: &Report, set: &SetReport) -> String {
    let groups = set.groups(report.reference);
    let mut out = String::new();
    if !groups.is_empty() {
        out.push_str("<h3>Answers</h3>\n<div class=\"plots\">\n");
        out.push_str(&verdicts_plot(&groups));
        out.push_str("</div>\n");
        out.push_str(&table(
            &group_header("kind"),
            &groups.iter().map(|g| group_cells(&g.name, g)).collect::<Vec<_>>(),
        ));
        if let Some(lines) = set.lines_to_answer(report.reference) {
            out.push_str(&format!(
                "<p class=\"faint\">Lines from the first cited line to the answer, median: \
                 {lines}</p>\n"
            ));
        }
    }
    let others = set
        .rows
        .iter()
        .enumerate()
        .filter(|(n, row)| *n != report.reference && !row.answers.is_empty());
    let rows: Vec<Vec<String>> = others
        .flat_map(|(n, row)| {
            let totals =
                set.groups(n).into_iter().filter(|g| Group::TOTALS[..2].contains(&g.name.as_str()));
            totals
                .map(|group| group_cells(&format!("{}: {}", row.name, group.name), &group))
                .collect::<Vec<_>>()
        })
        .collect();
    if !rows.is_empty() {
        out.push_str(&table(&group_header("variant"), &rows));
    }
    out + &grades(set)
}

fn grades(set: &SetReport) -> String {
    let mut rows = Vec::new();
    for (n, row) in set.rows.iter().enumerate() {
        let n_graded = row.answers.iter().filter(|answered| answered.grades.is_some()).count();
        if n_graded > 0 {
            let mean = |criterion| {
                let values: Vec<f64> = set.values(n, criterion).into_iter().flatten().collect();
                format!("{:.2}", values.iter().sum::<f64>() / values.len() as f64)
            };
            let mut cells = vec![row.name.clone(), n_graded.to_string()];
            cells.extend(CRITERIA.map(mean));
            rows.push(cells);
        }
    }
    match rows.is_empty() {
        true => String::new(),
        false => {
            let header = [&["", "graded"], &CRITERIA[..]].concat();
            format!("<h3>Grades from 1 to 5, by the language model</h3>\n{}", table(&header, &rows))
        }
    }
}

fn group_header(first: &'static str) -> Vec<&'static str> {
    let shares = ["right", "partly", "wrong", "refused", "cited", "in 10", "in 3", "first"];
    [&[first, "n"], &shares[..], &["words"]].concat()
}

fn group_cells(name: &str, group: &Group) -> Vec<String> {
    let percent =
        |share: &Option<f64>| share.map_or("–".to_owned(), |s| format!("{:.0} %", 100.0 * s));
    let mut cells = vec![name.to_owned(), group.n.to_string()];
    cells.extend(group.shares.iter().map(percent));
    cells.push(group.words.map_or("–".to_owned(), |words| format!("{words:.0}")));
    cells
}

/// One bar for each group, with a part for each verdict.
fn verdicts_plot(groups: &[Group]) -> String {
    let height = 4.0 + ROW * groups.len() as f64;
    let (left, right) = (Scale::LEFT, Scale::RIGHT);
    let mut drawing = String::new();
    for (n, group) in groups.iter().enumerate() {
        let y = 4.0 + ROW * n as f64;
        drawing.push_str(&text(0.0, y + ROW / 2.0 + 4.0, "name", &short(&group.name)));
        let mut x = left;
        for (verdict, share) in Verdict::ALL.iter().zip(&group.shares) {
            let width = share.unwrap_or_default() * (right - left);
            drawing.push_str(&format!(
                "<rect x=\"{x:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{:.1}\" \
                 class=\"{}\"/>\n",
                y + 3.0,
                ROW - 6.0,
                verdict.name()
            ));
            x += width;
        }
    }
    let keys = Verdict::ALL.map(|verdict| {
        let name = verdict.name();
        format!("<span class=\"key {name}\"></span>{name}")
    });
    let label: Vec<String> = groups
        .iter()
        .map(|g| format!("{} {:.0} % right", g.name, 100.0 * g.shares[0].unwrap_or_default()))
        .collect();
    figure(&keys.join(" "), &label.join(", "), height, &drawing)
}

fn worst_questions(report: &Report, set: &SetReport, n: usize) -> String {
    let worst = report.worst(set, n);
    if worst.is_empty() {
        return String::new();
    }
    let mut out = String::from("<h3>The worst questions</h3>\n<ol class=\"worst\">\n");
    for at in worst {
        let (question, row) = (&set.questions[at], &set.rows[report.reference]);
        let rank = |row: &crate::evaluate::Row| {
            let rank = row.outcomes[at].first.map_or("–".to_owned(), |rank| rank.to_string());
            format!("{} {rank}", escaped(&row.name))
        };
        let ranks: Vec<String> = set.rows.iter().map(rank).collect();
        out.push_str(&format!(
            "<li><p><strong>{}</strong> <span class=\"faint\">{}</span></p>\n<p>{}. \
             <span class=\"faint\">Ranks: {}</span></p>\n",
            escaped(&question.text),
            escaped(&question.id),
            escaped(&set.reason(report.reference, at)),
            ranks.join(", ")
        ));
        if let Some(top) = &row.outcomes[at].top {
            out.push_str(&format!("<p>First instead: <code>{}</code></p>\n", escaped(top)));
        }
        if let Some(answered) = row.answers.get(at) {
            let verdict = answered.verdict.map_or("answer", Verdict::name);
            let lacks = match answered.missing.is_empty() {
                true => String::new(),
                false => format!(" Lacks: <code>{}</code>", escaped(&answered.missing.join("; "))),
            };
            out.push_str(&format!("<p>{verdict}: {}{lacks}</p>\n", escaped(&answered.text)));
        }
        out.push_str("</li>\n");
    }
    out + "</ol>\n"
}

fn baseline(losses: &[Loss]) -> String {
    let verdict = |loss: &Loss| if loss.is_loss() { "loss" } else { "" }.to_owned();
    let cells = |loss: &Loss| loss_cells(loss).into_iter().chain([verdict(loss)]).collect();
    let rows: Vec<Vec<String>> = losses.iter().map(cells).collect();
    let header = ["", "measure", "before", "now", "95 % of the difference", "p", ""];
    format!("<h2>Against the baseline</h2>\n{}", table(&header, &rows))
}
