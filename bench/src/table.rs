//! The table of results, for a terminal or for a document.

/// What a figure is to reach.
#[derive(Debug, Clone, Copy)]
pub struct Goal {
    least: f64,
    aim: f64,
    is_ceiling: bool,
}

impl Goal {
    /// The figure is to be no more than this; better no more than `aim`.
    pub const fn at_most(least: f64, aim: f64) -> Self {
        Self { least, aim, is_ceiling: true }
    }

    /// The figure is to be no less than this; better no less than `aim`.
    pub const fn at_least(least: f64, aim: f64) -> Self {
        Self { least, aim, is_ceiling: false }
    }

    fn verdict(self, figure: f64) -> &'static str {
        let reaches = |bound: f64| if self.is_ceiling { figure <= bound } else { figure >= bound };
        match (reaches(self.aim), reaches(self.least)) {
            (true, _) => "aim",
            (_, true) => "reached",
            _ => "MISSED",
        }
    }
}

/// One figure.
#[derive(Debug, Clone)]
pub struct Row {
    case: String,
    what: String,
    figure: f64,
    goal: Option<Goal>,
}

impl Row {
    /// A figure of a case; a case's further rows leave its name empty.
    pub fn new(case: &str, what: &str, figure: f64, goal: Option<Goal>) -> Self {
        Self { case: case.into(), what: what.into(), figure, goal }
    }

    /// Whether it has a goal and falls short of it.
    pub fn is_missed(&self) -> bool {
        self.goal.is_some_and(|goal| goal.verdict(self.figure) == "MISSED")
    }

    fn cells(&self) -> [String; 6] {
        let (least, aim, verdict) = match self.goal {
            Some(goal) => (number(goal.least), number(goal.aim), goal.verdict(self.figure).to_string()),
            None => Default::default(),
        };
        [self.case.clone(), self.what.clone(), number(self.figure), least, aim, verdict]
    }
}

const HEADS: [&str; 6] = ["case", "figure", "measured", "at least", "aim", ""];

/// In columns.
pub fn text(rows: &[Row]) -> String {
    let cells: Vec<[String; 6]> = std::iter::once(HEADS.map(String::from)).chain(rows.iter().map(Row::cells)).collect();
    let widths: Vec<usize> = (0..6)
        .map(|at| cells.iter().filter_map(|row| row.get(at)).map(|cell| cell.chars().count()).max().unwrap_or(0))
        .collect();
    let line = |row: &[String; 6]| {
        let padded: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        padded.join("  ").trim_end().to_string() + "\n"
    };
    cells.iter().map(line).collect()
}

/// As Markdown.
pub fn markdown(rows: &[Row]) -> String {
    let mut text = format!("| {} |\n|---|---|---|---|---|---|\n", HEADS.join(" | "));
    for row in rows {
        text += &format!("| {} |\n", row.cells().join(" | "));
    }
    text
}

/// With as many digits as mean something.
fn number(figure: f64) -> String {
    match figure.abs() {
        size if size >= 100.0 => format!("{figure:.0}"),
        size if size >= 10.0 => format!("{figure:.1}"),
        0.0 => "0".into(),
        size if size >= 1.0 => format!("{figure:.2}"),
        _ => format!("{figure:.3}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_judged_in_their_direction() {
        let cost = |figure| Row::new("c", "cost", figure, Some(Goal::at_most(0.6, 0.25)));
        let speed = |figure| Row::new("c", "speed", figure, Some(Goal::at_least(2_500.0, 5_000.0)));
        assert_eq!([0.2, 0.5, 0.7].map(|figure| cost(figure).cells()[5].clone()), ["aim", "reached", "MISSED"]);
        assert_eq!([6e3, 3e3, 1e3].map(|figure| speed(figure).cells()[5].clone()), ["aim", "reached", "MISSED"]);
        assert!(cost(0.7).is_missed() && !cost(0.6).is_missed() && !Row::new("", "", 9.0, None).is_missed());
    }

    #[test]
    fn a_table_is_written_in_columns_and_as_markdown() {
        let rows =
            [Row::new("one", "cost", 0.2345, Some(Goal::at_most(0.6, 0.25))), Row::new("", "speed", 5_123.4, None)];
        assert_eq!(
            text(&rows),
            "case  figure  measured  at least  aim\none   cost    0.234     0.600     0.250  aim\n      speed   5123\n"
        );
        assert!(
            markdown(&rows).ends_with("| one | cost | 0.234 | 0.600 | 0.250 | aim |\n|  | speed | 5123 |  |  |  |\n")
        );
    }
}
