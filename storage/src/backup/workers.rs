//! A few threads over a list of pieces of work. Not rayon's: those are for computing, and these wait for disks and networks
//! most of the time.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use super::error::BackupResult;

/// How many things are under way at once.
const WORKERS: usize = 4;

/// Does `work` for every item; the results in the order of the items. The first error ends it.
pub(super) fn each<I: Sync, T: Send>(items: &[I], work: impl Fn(&I) -> BackupResult<T> + Sync) -> BackupResult<Vec<T>> {
    let next = AtomicUsize::new(0);
    let failed = AtomicBool::new(false);
    let done = Mutex::new(Vec::with_capacity(items.len()));
    let worker = || {
        while !failed.load(Ordering::Relaxed) {
            let number = next.fetch_add(1, Ordering::Relaxed);
            let Some(item) = items.get(number) else { return };
            let result = work(item);
            failed.fetch_or(result.is_err(), Ordering::Relaxed);
            done.lock().unwrap_or_else(std::sync::PoisonError::into_inner).push((number, result));
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..WORKERS.min(items.len()) {
            scope.spawn(worker);
        }
    });
    let mut done = done.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
    done.sort_unstable_by_key(|(number, _)| *number);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backup::BackupError;

    #[test]
    fn results_keep_the_order_and_an_error_ends_it() {
        let items: Vec<u64> = (0..1000).collect();
        let squares = each(&items, |number| Ok(number * number)).unwrap();
        assert!(squares.iter().zip(0u64..).all(|(square, number)| *square == number * number));
        let begun = AtomicUsize::new(0);
        let failed = each(&items, |number| {
            begun.fetch_add(1, Ordering::Relaxed);
            if *number == 3 { Err(BackupError::Stopped) } else { Ok(()) }
        });
        assert!(matches!(failed, Err(BackupError::Stopped)) && begun.into_inner() < 900);
        assert!(each(&[] as &[u64], |_| Ok(())).unwrap().is_empty());
    }
}
