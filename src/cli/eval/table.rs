//! The figures of `rag eval` as tables.

use crate::cli::ui::{Tone, Ui, counted, one_line, safe_name};
use crate::evaluate::{CRITERIA, Comparison, Group, Loss, Report, SetReport, percentile};

/// Prints every set, then all sets together, then the comparison with a baseline.
pub fn print(report: &Report, losses: Option<&[Loss]>, worst: usize, ui: &Ui) {
    let several = report.sets.len() > 1;
    for (n, set) in report.sets.iter().enumerate() {
        if several {
            ui.line(ui.paint(Tone::Strong, &safe_name(&set.name)));
        }
        figures(report, Some(n), ui);
        answers(report, set, ui);
        print_worst(report, set, worst, ui);
        ui.note(counted(set.questions.len() as u64, "question"));
        if several {
            ui.line("");
        }
    }
    if several {
        ui.line(ui.paint(Tone::Strong, "all sets, each counted the same"));
        figures(report, None, ui);
    }
    if let Some(losses) = losses {
        print_losses(losses, ui);
    }
}

/// A row for each way to search, of one set or of all: its name, nDCG@10 with its interval, the
/// means of `measures`, and the 50th, 95th and 99th percentile of the times, or `none`.
pub fn figure_rows(
    report: &Report,
    set: Option<usize>,
    measures: &[&str],
    none: &str,
) -> Vec<Vec<String>> {
    let names = report.row_names();
    let rows = names.iter().enumerate().filter_map(|(row, name)| {
        let ndcg = report.estimate(set, row, "ndcg@10")?;
        let mut cells = vec![
            (*name).to_owned(),
            format!("{:.4}", ndcg.mean),
            format!("{:.3} – {:.3}", ndcg.low, ndcg.high),
        ];
        let mean = |measure| report.estimate(set, row, measure).map_or(f64::NAN, |e| e.mean);
        cells.extend(measures.iter().map(|measure| format!("{:.4}", mean(measure))));
        let times = report.times(set, row);
        let time = |percent| match times.is_empty() {
            true => none.to_owned(),
            false => format!("{:.1}", percentile(&times, percent)),
        };
        cells.extend([50, 95, 99].map(time));
        Some(cells)
    });
    rows.collect()
}

/// Means, times and comparisons of one set, or of all.
fn figures(report: &Report, set: Option<usize>, ui: &Ui) {
    let names = report.row_names();
    let measures = ["recall@10", "recall@100", "mrr@10"];
    let rows = figure_rows(report, set, &measures, "-");
    if !rows.is_empty() {
        let header = [
            "mode",
            "ndcg@10",
            "95 %",
            "recall@10",
            "recall@100",
            "mrr@10",
            "p50 ms",
            "p95 ms",
            "p99 ms",
        ];
        ui.table(&header, &rows);
    }
    let compared = report.comparisons(set);
    let is_shown = |c: &&Comparison| ui.verbose || matches!(c.measure, "ndcg@10" | "right");
    let rows: Vec<Vec<String>> = compared
        .iter()
        .filter(is_shown)
        .map(|c| {
            let difference = &c.difference;
            vec![
                names.get(c.row).copied().unwrap_or_default().to_owned(),
                c.measure.to_owned(),
                format!("{:+.4}", difference.mean),
                format!("{:+.3} – {:+.3}", difference.low, difference.high),
                format!("{:.4}", c.p),
            ]
        })
        .collect();
    if !rows.is_empty() {
        let reference = names.get(report.reference).copied().unwrap_or_default();
        ui.line(format!("\nagainst {}", safe_name(reference)));
        ui.table(&["mode", "measure", "difference", "95 %", "p"], &rows);
    }
}

/// The answers of the reference by kind of question, then those of every row together.
fn answers(report: &Report, set: &SetReport, ui: &Ui) {
    let percent =
        |share: &Option<f64>| share.map_or("-".to_owned(), |s| format!("{:.0}%", 100.0 * s));
    let cells = |name: &str, group: &Group| {
        let mut row = vec![name.to_owned(), group.n.to_string()];
        row.extend(group.shares.iter().map(percent));
        row.push(group.words.map_or("-".to_owned(), |words| format!("{words:.0}")));
        row
    };
    let header = [
        "kind", "n", "right", "partly", "wrong", "refused", "cited", "in 10", "in 3", "first",
        "words",
    ];
    let groups = set.groups(report.reference);
    if !groups.is_empty() {
        ui.line("");
        ui.table(
            &header,
            &groups.iter().map(|group| cells(&group.name, group)).collect::<Vec<_>>(),
        );
        if let Some(lines) = set.lines_to_answer(report.reference) {
            ui.line(format!("lines from the first cited line to the answer, median: {lines}"));
        }
    }
    let mut rows = Vec::new();
    for (n, row) in set.rows.iter().enumerate() {
        let groups = set.groups(n);
        let totals =
            groups.iter().filter(|group| Group::TOTALS[..2].contains(&group.name.as_str()));
        rows.extend(totals.map(|group| {
            let mut cells = cells(&row.name, group);
            cells.insert(1, group.name.clone());
            cells
        }));
    }
    if set.rows.iter().filter(|row| !row.answers.is_empty()).count() > 1 && !rows.is_empty() {
        ui.line("");
        let header = [&["mode", "questions"], &header[1..]].concat();
        ui.table(&header, &rows);
    }
    grades(report, set, ui);
}

/// The means of the grades of a language model.
fn grades(report: &Report, set: &SetReport, ui: &Ui) {
    let rows = set.rows.iter().enumerate().filter_map(|(n, row)| {
        let n_graded = row.answers.iter().filter(|answered| answered.grades.is_some()).count();
        (n_graded > 0).then(|| {
            let mean = |criterion| {
                let values: Vec<f64> = set.values(n, criterion).into_iter().flatten().collect();
                values.iter().sum::<f64>() / values.len() as f64
            };
            let mut cells = vec![row.name.clone(), format!("{n_graded} of {}", row.answers.len())];
            cells.extend(CRITERIA.map(|criterion| format!("{:.2}", mean(criterion))));
            cells
        })
    });
    let rows: Vec<Vec<String>> = rows.collect();
    if !rows.is_empty() {
        ui.line(format!(
            "\ngrades from 1 to 5, by the language model, of `{}`",
            report.row_names()[report.reference]
        ));
        ui.table(&[&["mode", "graded"], &CRITERIA[..]].concat(), &rows);
    }
}

fn print_worst(report: &Report, set: &SetReport, n: usize, ui: &Ui) {
    for at in report.worst(set, n) {
        let question = &set.questions[at];
        let row = &set.rows[report.reference];
        ui.line(format!(
            "\n{} {}",
            ui.paint(Tone::Strong, &safe_name(&question.id)),
            one_line(&question.text)
        ));
        ui.line(format!("    {}", safe_name(&set.reason(report.reference, at))));
        let rank = |row: &crate::evaluate::Row| match row.outcomes[at].first {
            Some(rank) => format!("{} {rank}", row.name),
            None => format!("{} -", row.name),
        };
        let ranks: Vec<String> = set.rows.iter().map(rank).collect();
        ui.line(ui.paint(Tone::Faint, &format!("    ranks: {}", safe_name(&ranks.join(", ")))));
        if let Some(top) = &row.outcomes[at].top {
            ui.line(format!("    first instead: {}", ui.paint(Tone::Location, &safe_name(top))));
        }
        if let Some(answered) = row.answers.get(at) {
            let verdict = answered.verdict.map_or("answer", crate::evaluate::Verdict::name);
            ui.line(format!("    {verdict}: {}", ui.fit(&answered.text, 4 * ui.width())));
            if !answered.missing.is_empty() {
                ui.line(format!("    lacks: {}", one_line(&answered.missing.join("; "))));
            }
            if !answered.forbidden.is_empty() {
                ui.line(format!("    must not have: {}", one_line(&answered.forbidden.join("; "))));
            }
            if !answered.citations.is_empty() {
                ui.line(format!("    cites: {}", safe_name(&answered.citations.join("; "))));
            }
        }
    }
}

fn print_losses(losses: &[Loss], ui: &Ui) {
    let rows: Vec<Vec<String>> = losses.iter().map(loss_cells).collect();
    ui.line("\nagainst the baseline");
    ui.table(&["mode", "measure", "before", "now", "95 %", "p"], &rows);
}

/// The way to search, the measure, its value before and now, the interval of the difference, and p.
pub fn loss_cells(Loss { row, measure, before, difference, p }: &Loss) -> Vec<String> {
    vec![
        row.clone(),
        (*measure).to_owned(),
        format!("{before:.4}"),
        format!("{:.4}", before + difference.mean),
        format!("{:+.3} – {:+.3}", difference.low, difference.high),
        format!("{p:.4}"),
    ]
}
