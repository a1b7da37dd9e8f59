//! The classes of an access table: equal accesses under one number, for as long as a document has it.

use std::collections::HashMap;

use super::list::Access;

/// The accesses that documents have, each once. A number that nobody uses any more is given to the next new access.
#[derive(Debug, Clone, Default)]
pub(crate) struct AccessClasses {
    /// By number; one that is free lets nobody through.
    accesses: Vec<Access>,
    numbers: HashMap<Access, u32>,
    /// Documents of each number.
    uses: Vec<u32>,
    free: Vec<u32>,
}

impl AccessClasses {
    /// Classes as they were written, and the number that each document has.
    pub(crate) fn of(accesses: Vec<Access>, documents: impl Iterator<Item = u32>) -> Self {
        let mut uses = vec![0; accesses.len()];
        documents.for_each(|class| {
            if let Some(uses) = uses.get_mut(class as usize) {
                *uses += 1
            }
        });
        let mut classes = Self { accesses, uses, ..Self::default() };
        for number in 0..classes.accesses.len() as u32 {
            match classes.uses[number as usize] {
                0 => classes.release(number),
                _ => drop(classes.numbers.insert(classes.accesses[number as usize].clone(), number)),
            }
        }
        classes
    }

    /// The access of a number.
    pub(crate) fn get(&self, class: u32) -> Option<&Access> {
        self.accesses.get(class as usize)
    }

    /// All by number.
    pub(crate) fn accesses(&self) -> &[Access] {
        &self.accesses
    }

    /// The number of an access that one more document has.
    pub(crate) fn enter(&mut self, access: &Access) -> u32 {
        let number = match self.numbers.get(access) {
            Some(number) => *number,
            None => self.added(access.clone()),
        };
        self.uses[number as usize] += 1;
        number
    }

    /// A document has this number no longer.
    pub(crate) fn leave(&mut self, class: u32) {
        let Some(uses) = self.uses.get_mut(class as usize) else { return };
        *uses = uses.saturating_sub(1);
        if *uses == 0 {
            self.release(class);
        }
    }

    fn added(&mut self, access: Access) -> u32 {
        let number = self.free.pop().unwrap_or_else(|| {
            self.accesses.push(Access::nobody());
            self.uses.push(0);
            self.accesses.len() as u32 - 1
        });
        self.numbers.insert(access.clone(), number);
        self.accesses[number as usize] = access;
        number
    }

    fn release(&mut self, number: u32) {
        let access = std::mem::replace(&mut self.accesses[number as usize], Access::nobody());
        if self.numbers.get(&access) == Some(&number) {
            self.numbers.remove(&access);
        }
        self.free.push(number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_group(number: usize) -> Access {
        Access::parse(&[format!("group:{number}")]).unwrap()
    }

    #[test]
    fn what_no_document_has_any_more_takes_no_room() {
        let mut classes = AccessClasses::default();
        let mut last = classes.enter(&of_group(0));
        for number in 1..1_000 {
            let next = classes.enter(&of_group(number));
            classes.leave(last);
            last = next;
        }
        assert_eq!((classes.accesses().len(), classes.numbers.len()), (2, 1));
        assert_eq!(classes.get(last), Some(&of_group(999)));
        // Two documents: it stays until both have left. What lets nobody through is an access like others.
        let closed = classes.enter(&Access::nobody());
        assert_eq!(classes.enter(&Access::nobody()), closed);
        classes.leave(closed);
        assert_eq!(classes.enter(&Access::nobody()), closed);
        let read = AccessClasses::of(classes.accesses().to_vec(), [last, closed, closed].into_iter());
        assert_eq!((read.get(last), read.get(closed)), (Some(&of_group(999)), Some(&Access::nobody())));
        assert_eq!(read.numbers, classes.numbers);
    }
}
