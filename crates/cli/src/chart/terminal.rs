//! The curve in characters.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::symbols::Marker;
use ratatui::text::Line;
use ratatui::widgets::{Axis, Chart, Dataset, GraphType, Widget as _};

use super::Curve;

/// Draws the curve in this many columns and rows.
pub(crate) fn terminal(curve: &Curve, width: u16, height: u16) -> String {
    let points = curve.points();
    let target = curve.target.map(|target| [(0.0, target), (curve.last(), target)]);
    let mut sets = Vec::new();
    if let Some(target) = &target {
        sets.push(Dataset::default().marker(Marker::Dot).graph_type(GraphType::Line).data(target));
    }
    sets.push(Dataset::default().marker(Marker::Braille).graph_type(GraphType::Line).data(&points));
    let labels = |texts: &[String]| texts.iter().map(|text| Line::from(text.clone())).collect::<Vec<_>>();
    let rounds = Axis::default()
        .title("round")
        .bounds([0.0, curve.last()])
        .labels(labels(&["0".to_owned(), format!("{:.0}", curve.last())]));
    let accuracy = Axis::default()
        .title(curve.title.clone())
        .bounds([0.0, 1.0])
        .labels(labels(&["0.0", "0.5", "1.0"].map(str::to_owned)));
    let area = Rect::new(0, 0, width, height);
    let mut buffer = Buffer::empty(area);
    Chart::new(sets).x_axis(rounds).y_axis(accuracy).legend_position(None).render(area, &mut buffer);
    let row = |y: u16| {
        let cells = (0..width).filter_map(|x| buffer.cell((x, y)).map(|cell| cell.symbol().to_owned()));
        cells.collect::<String>().trim_end().to_owned()
    };
    (0..height).map(row).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rising_curve_rises() {
        let curve = Curve { title: "accuracy".to_owned(), accuracy: vec![0.0, 0.5, 1.0], target: None };
        let text = terminal(&curve, 40, 12);
        assert_eq!(text.lines().count(), 12);
        assert!(text.contains("accuracy") && text.contains("round") && text.contains("1.0"), "{text}");
        // The first column that holds a dot, from top to bottom: it moves to the left.
        let dots = |line: &str| line.chars().position(|c| ('\u{2801}'..='\u{28ff}').contains(&c));
        let columns: Vec<_> = text.lines().filter_map(dots).collect();
        assert!(columns.len() >= 5 && columns.windows(2).all(|pair| pair[0] > pair[1]), "{text}");
        // No room for anything is no reason to fail.
        terminal(&curve, 1, 1);
        terminal(&Curve::default(), 40, 12);
    }
}
