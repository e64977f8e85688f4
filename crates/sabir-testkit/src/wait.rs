use std::time::{Duration, Instant};

use crate::TownError;

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(50);

/// Looks again and again until there is something, for processes of their own say nothing when they are done.
///
/// # Errors
/// [`TownError::Late`] with `what` where there is nothing for so long.
pub fn until<T>(what: &str, patience: Duration, mut look: impl FnMut() -> Option<T>) -> Result<T, TownError> {
    let deadline = Instant::now() + patience;
    loop {
        if let Some(found) = look() {
            return Ok(found);
        }
        if Instant::now() > deadline {
            return Err(TownError::Late {
                what: what.to_owned(),
                seconds: patience.as_secs(),
                last: "something else".to_owned(),
            });
        }
        std::thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_until_there_is_something_or_it_is_late() {
        let mut looks = 0;
        let found = until("the third look", Duration::from_secs(60), || {
            looks += 1;
            (looks == 3).then_some("found")
        });
        assert!(matches!(found, Ok("found")), "{found:?}");
        let late = until("nothing", Duration::ZERO, || None::<()>);
        assert!(
            matches!(&late, Err(TownError::Late { what, .. }) if what == "nothing"),
            "{late:?}"
        );
    }
}
