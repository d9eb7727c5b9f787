//! The curve as an SVG picture.

use anyhow::anyhow;
use plotters::prelude::*;

use super::Curve;

/// Size of the picture, in pixels.
const SIZE: (u32, u32) = (720, 400);

/// Draws the curve.
///
/// # Errors
///
/// The library cannot draw it.
pub(crate) fn svg(curve: &Curve) -> anyhow::Result<String> {
    let mut text = String::new();
    draw(curve, &mut text).map_err(|error| anyhow!("cannot draw the curve: {error}"))?;
    Ok(text)
}

fn draw(curve: &Curve, text: &mut String) -> Result<(), Box<dyn core::error::Error>> {
    let area = SVGBackend::with_string(text, SIZE).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption(&curve.title, ("sans-serif", 20))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(52)
        .build_cartesian_2d(0.0..curve.last(), 0.0..1.0)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .x_desc("round")
        .y_desc("held-out accuracy")
        .x_label_formatter(&|round| format!("{round:.0}"))
        .y_label_formatter(&|accuracy| format!("{accuracy:.1}"))
        .draw()?;
    if let Some(target) = curve.target {
        let line = DashedLineSeries::new([(0.0, target), (curve.last(), target)], 6, 4, RED.mix(0.7).stroke_width(1));
        chart.draw_series(line)?;
    }
    let color = RGBColor(31, 119, 180);
    chart.draw_series(LineSeries::new(curve.points(), color.stroke_width(2)))?;
    chart.draw_series(curve.points().into_iter().map(|point| Circle::new(point, 3, color.filled())))?;
    area.present()?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_has_a_point_for_each_round() {
        let title = "4 sites & <markup>".to_owned();
        let text = svg(&Curve { title, accuracy: vec![0.1, 0.5, f64::NAN, 0.9], target: Some(0.93) }).unwrap();
        assert!(text.starts_with("<svg ") && text.trim_end().ends_with("</svg>"), "{text}");
        assert_eq!(text.matches("<circle").count(), 3);
        assert!(text.contains("held-out accuracy") && text.contains("4 sites &amp; &lt;markup&gt;"), "{text}");
        svg(&Curve::default()).unwrap();
    }
}
