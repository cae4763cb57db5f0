//! How much work one evaluation may still do. It is counted where work grows with the event: values visited, elements
//! compared, text searched.

use crate::error::EvaluationError;

/// Steps that one filter may take on one event: a millisecond or two.
const STEPS_MAX: usize = 200_000;

/// The steps that are left.
#[derive(Debug)]
pub(crate) struct Effort(usize);

impl Default for Effort {
    fn default() -> Self {
        Self(STEPS_MAX)
    }
}

impl Effort {
    /// No more than so many steps.
    pub(crate) const fn of(steps_max: usize) -> Self {
        Self(steps_max)
    }

    /// Takes so many steps.
    ///
    /// # Errors
    /// There are not that many left.
    pub(crate) fn spend(&mut self, steps: usize) -> Result<(), EvaluationError> {
        self.0 = self.0.checked_sub(steps).ok_or(EvaluationError::TooMuchWork)?;
        Ok(())
    }
}
