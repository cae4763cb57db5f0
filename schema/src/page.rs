//! Pages by keyset: a cursor names the first row of the page that it asks for, contract section 1.4. Rows are read in one
//! direction of the id and handed out in the list's order.

use std::str::FromStr;

/// Which way a list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// The newest first.
    Descending,
    /// The oldest first.
    Ascending,
}

/// Which page is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// From the cursor on.
    Next,
    /// Up to the cursor, which is not part of the page.
    Previous,
}

/// A page that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PageRequest<Id> {
    /// Rows of a page; of none, only whether there are any is told.
    pub per_page: u32,
    /// Which way the list is sorted.
    pub sort: Sort,
    /// Which page, seen from the cursor.
    pub direction: Direction,
    /// Where to begin; `None` at the list's beginning, or at its end for the previous page.
    pub cursor: Option<Id>,
}

/// A page that was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<Row> {
    /// Its rows, in the list's order.
    pub rows: Vec<Row>,
    /// The first row of the next page, of which only the id is of interest.
    pub next: Option<Row>,
    /// Whether there are rows before.
    pub has_previous: bool,
}

impl<Id: Copy + FromStr> PageRequest<Id> {
    /// Whether rows are read by ascending id.
    #[must_use]
    pub fn reads_ascending(&self) -> bool {
        (self.sort == Sort::Ascending) == (self.direction == Direction::Next)
    }

    /// Rows to read: the page, one beyond it, and for a previous page the cursor's own row.
    #[must_use]
    pub fn rows_to_read(&self) -> i64 {
        i64::from(self.per_page) + if self.direction == Direction::Previous { 2 } else { 1 }
    }

    /// The page made of what was read.
    #[must_use]
    pub fn page<Row>(&self, mut rows: Vec<Row>) -> Page<Row> {
        let per_page = usize::try_from(self.per_page).unwrap_or(usize::MAX);
        if self.direction == Direction::Next {
            let next =
                (rows.len() > per_page).then(|| rows.split_off(per_page)).and_then(|rest| rest.into_iter().next());
            return Page { rows, next, has_previous: self.cursor.is_some() };
        }
        // Read backwards from the cursor: its own row comes first and begins the next page.
        let next = if self.cursor.is_some() && !rows.is_empty() { Some(rows.remove(0)) } else { None };
        let has_previous = rows.len() > per_page;
        rows.truncate(per_page);
        rows.reverse();
        Page { rows, next, has_previous }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A list of 1 to 9, sorted descending, as a database would answer.
    fn read(per_page: u32, direction: Direction, cursor: Option<u32>) -> Page<u32> {
        let request = PageRequest { per_page, sort: Sort::Descending, direction, cursor };
        let mut rows: Vec<u32> = (1..=9).collect();
        if !request.reads_ascending() {
            rows.reverse();
        }
        rows.retain(|row| {
            cursor.is_none_or(|cursor| if request.reads_ascending() { *row >= cursor } else { *row <= cursor })
        });
        rows.truncate(usize::try_from(request.rows_to_read()).unwrap());
        request.page(rows)
    }

    #[test]
    fn pages_forward_meet_without_gap_or_repeat() {
        let first = read(4, Direction::Next, None);
        assert_eq!((first.rows.as_slice(), first.next, first.has_previous), ([9, 8, 7, 6].as_slice(), Some(5), false));
        let second = read(4, Direction::Next, first.next);
        assert_eq!(
            (second.rows.as_slice(), second.next, second.has_previous),
            ([5, 4, 3, 2].as_slice(), Some(1), true)
        );
        let last = read(4, Direction::Next, second.next);
        assert_eq!((last.rows.as_slice(), last.next), ([1].as_slice(), None));
    }

    #[test]
    fn pages_backward_end_before_the_cursor() {
        let before = read(4, Direction::Previous, Some(2));
        assert_eq!(
            (before.rows.as_slice(), before.next, before.has_previous),
            ([6, 5, 4, 3].as_slice(), Some(2), true)
        );
        let first = read(4, Direction::Previous, Some(6));
        assert_eq!((first.rows.as_slice(), first.has_previous), ([9, 8, 7].as_slice(), false));
        let end = read(4, Direction::Previous, None);
        assert_eq!(end.rows, [4, 3, 2, 1], "without a cursor, the last page");
    }
}
