//! Where a reader of events looks next: a range of ids that shrinks from one end as it is read.

use chrono::{DateTime, TimeDelta, Utc};

use super::EventFilter;
use crate::{ids::EventId, page::PageRequest};

/// Ids that are still to be looked at, and from which end.
#[derive(Clone, Copy)]
pub(super) struct Range {
    pub(super) first: EventId,
    pub(super) last: EventId,
    pub(super) is_ascending: bool,
}

impl Range {
    /// Everything that the filter's dates and the page's cursor leave.
    pub(super) fn of(filter: &EventFilter, page: &PageRequest<EventId>) -> Self {
        let is_ascending = page.reads_ascending();
        let first = filter.from.map_or(EventId::from_bits(0), EventId::first_at);
        let last = filter.to.map_or(EventId::from_bits(u128::MAX), EventId::last_at);
        match page.cursor {
            Some(cursor) if is_ascending => Self { first: first.max(cursor), last, is_ascending },
            Some(cursor) => Self { first, last: last.min(cursor), is_ascending },
            None => Self { first, last, is_ascending },
        }
    }

    /// What of it is no further from its beginning than this.
    pub(super) fn slice(&self, length: TimeDelta) -> Self {
        let mut slice = *self;
        if self.is_ascending {
            let end = self.first.created_at().checked_add_signed(length).map(EventId::last_at);
            slice.last = end.map_or(self.last, |end| end.min(self.last));
        } else {
            let end = self.last.created_at().checked_sub_signed(length).map(EventId::first_at);
            slice.first = end.map_or(self.first, |end| end.max(self.first));
        }
        slice
    }

    /// The id at which it ends, in its order.
    pub(super) const fn end(&self) -> EventId {
        if self.is_ascending { self.last } else { self.first }
    }

    /// Leaves out everything up to `id`. `false`: nothing is left.
    pub(super) fn go_beyond(&mut self, id: EventId) -> bool {
        let next = if self.is_ascending { id.to_bits().checked_add(1) } else { id.to_bits().checked_sub(1) };
        let Some(next) = next.map(EventId::from_bits) else { return false };
        if self.is_ascending {
            self.first = next;
        } else {
            self.last = next;
        }
        self.first <= self.last
    }

    /// Leaves out everything up to the end of this millisecond. `false`: nothing is left.
    pub(super) fn go_beyond_instant(&mut self, at: DateTime<Utc>) -> bool {
        if self.is_ascending {
            self.first = EventId::first_at(at + TimeDelta::milliseconds(1));
        } else {
            self.last = EventId::last_at(at - TimeDelta::milliseconds(1));
        }
        self.first <= self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_follow_each_other_to_the_end() {
        let now = Utc::now();
        let ids = (EventId::first_at(now - TimeDelta::days(7)), EventId::last_at(now));
        for is_ascending in [true, false] {
            let mut range = Range { first: ids.0, last: ids.1, is_ascending };
            let mut slices = 1;
            while range.go_beyond(range.slice(TimeDelta::days(2)).end()) {
                slices += 1;
            }
            assert_eq!(slices, 4);
        }
        let whole = Range { first: EventId::from_bits(0), last: EventId::from_bits(u128::MAX), is_ascending: false };
        assert!(whole.slice(TimeDelta::days(1)).first < whole.last);
        assert_eq!(whole.slice(TimeDelta::MAX).end(), whole.first);
    }

    #[test]
    fn a_range_goes_on_beyond_what_was_looked_at_and_ends() {
        let ids = (EventId::from_bits(5), EventId::from_bits(9));
        let mut range = Range { first: ids.0, last: ids.1, is_ascending: true };
        assert!(range.go_beyond(EventId::from_bits(8)) && range.first == ids.1);
        assert!(!range.go_beyond(ids.1));
        let mut range = Range { first: EventId::from_bits(0), last: ids.1, is_ascending: false };
        assert!(range.go_beyond(ids.0) && range.last == EventId::from_bits(4));
        assert!(!range.go_beyond(EventId::from_bits(0)));
    }
}
