//! Charts as SVG, made here: bars over time, stacked by outcome. Colours are classes of the style sheet; each bar says its
//! numbers in its title.

use maud::{Markup, html};

use crate::moment::count;

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 150.0;
const GAP: f64 = 2.0;

/// One bar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bar {
    /// When, for people.
    pub label: String,
    /// Its parts, from the bottom up, in the order of the chart's series.
    pub parts: Vec<i64>,
}

/// Bars over time.
#[derive(Debug, Clone)]
pub struct Bars<'c> {
    /// What it shows, for screen readers.
    pub title: &'c str,
    /// The parts' names, and the class that colours each.
    pub series: &'c [(&'static str, &'static str)],
    /// The bars, from left to right.
    pub bars: &'c [Bar],
}

impl Bars<'_> {
    /// The chart with its legend.
    #[must_use]
    pub fn show(&self) -> Markup {
        let top = self.bars.iter().map(|bar| bar.parts.iter().sum::<i64>()).max().unwrap_or(0).max(1);
        let step = WIDTH / float(i64::try_from(self.bars.len().max(1)).unwrap_or(1));
        let sums: Vec<i64> =
            (0..self.series.len()).map(|at| self.bars.iter().filter_map(|bar| bar.parts.get(at)).sum()).collect();
        let spoken: Vec<String> =
            self.series.iter().zip(&sums).map(|((name, _), sum)| format!("{name} {}", count(*sum))).collect();
        html! {
            figure.chart {
                svg viewBox=(format!("0 0 {WIDTH} {}", HEIGHT + 4.0)) preserveAspectRatio="none" role="img"
                    aria-label=(format!("{}: {}", self.title, spoken.join(", "))) {
                    @for line in [0.25, 0.5, 0.75] {
                        line.grid x1="0" x2=(WIDTH) y1=(number(HEIGHT * line)) y2=(number(HEIGHT * line)) {}
                    }
                    line.axis x1="0" x2=(WIDTH) y1=(HEIGHT) y2=(HEIGHT) {}
                    @for (at, bar) in self.bars.iter().enumerate() {
                        (self.bar(bar, float(i64::try_from(at).unwrap_or(0)) * step, (step, top)))
                    }
                }
                figcaption {
                    span.chart-ends { span { (self.bars.first().map(|bar| bar.label.as_str()).unwrap_or_default()) } span.chart-top { "at most " (count(top)) } span { (self.bars.last().map(|bar| bar.label.as_str()).unwrap_or_default()) } }
                    span.legend {
                        @for ((name, class), sum) in self.series.iter().zip(&sums) {
                            span { i class=(format!("dot {class}")) {} (name) " " b { (count(*sum)) } }
                        }
                    }
                }
            }
        }
    }

    fn bar(&self, bar: &Bar, x: f64, (step, top): (f64, i64)) -> Markup {
        let parts: Vec<String> =
            self.series.iter().zip(&bar.parts).map(|((name, _), part)| format!("{name} {}", count(*part))).collect();
        let mut floor = HEIGHT;
        html! {
            g {
                title { (bar.label) ": " (parts.join(", ")) }
                rect.hit x=(number(x)) y="0" width=(number(step)) height=(HEIGHT) {}
                @for ((_, class), part) in self.series.iter().zip(&bar.parts).filter(|(_, part)| **part > 0) {
                    @let height = (float(*part) / float(top) * HEIGHT).max(1.0);
                    @let y = { floor -= height; floor };
                    rect class=(class) x=(number(x)) y=(number(y)) width=(number((step - GAP).max(1.0))) height=(number(height)) {}
                }
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "a picture needs no more than 52 bits")]
const fn float(number: i64) -> f64 {
    number as f64
}

fn number(value: f64) -> String {
    format!("{value:.1}")
}
