//! The order of what is asked of one source: what was accepted earlier never takes away what was accepted later.
//!
//! Everything that is accepted gets a place. A change of files may touch the folder only once every earlier removal of
//! its source is done, and every earlier change of the same paths has put its files in place; a removal runs once every
//! earlier change is committed; a pass runs once every earlier removal is done. Places of different sources know nothing
//! of each other. Pure: no clock, no disk.

use std::collections::{BTreeMap, BTreeSet};

use super::turns::Kind;

/// Number of a place; a later one is greater.
pub(super) type PlaceId = u64;

/// All places that are not done.
#[derive(Debug, Default)]
pub(super) struct Order {
    last: PlaceId,
    places: BTreeMap<PlaceId, Place>,
}

#[derive(Debug)]
struct Place {
    source: String,
    kind: Kind,
    /// The paths of a change.
    paths: BTreeSet<String>,
    stage: Stage,
    /// Where it stands among those of its kind: its number, or a later one once it has made room for others.
    position: PlaceId,
}

/// How far a place is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    /// Must not have any effect yet.
    Waits,
    /// Is having its effect outside of the writer: files are put in place, or it is noted on disk.
    Prepares,
    /// Waits until somebody lets it go on.
    Paused,
    /// Waits for the writer's time.
    Ready,
    /// Is being done by the writer.
    Runs,
}

impl Order {
    /// Gives a place behind all others.
    pub(super) fn accept(&mut self, source: &str, kind: Kind, paths: BTreeSet<String>, stage: Stage) -> PlaceId {
        self.last += 1;
        let place = Place { source: source.to_string(), kind, paths, stage, position: self.last };
        self.places.insert(self.last, place);
        self.last
    }

    /// Lets those prepare that had to wait and need not any more.
    pub(super) fn clear(&mut self) -> Vec<PlaceId> {
        let waiting = self.places.iter().filter(|(_, place)| place.stage == Stage::Waits);
        let clear: Vec<PlaceId> = waiting.filter(|(id, _)| self.may_prepare(**id)).map(|(id, _)| *id).collect();
        clear.iter().for_each(|id| self.set(*id, Stage::Prepares));
        clear
    }

    pub(super) fn set(&mut self, id: PlaceId, stage: Stage) {
        if let Some(place) = self.places.get_mut(&id) {
            place.stage = stage;
        }
    }

    /// Goes behind the others of its kind, not behind what came later for its source.
    pub(super) fn make_room(&mut self, id: PlaceId) {
        self.last += 1;
        if let Some(place) = self.places.get_mut(&id) {
            place.stage = Stage::Ready;
            place.position = self.last;
        }
    }

    /// Whether it has made room for others: it takes long.
    pub(super) fn takes_long(&self, id: PlaceId) -> bool {
        self.places.get(&id).is_some_and(|place| place.position != id)
    }

    pub(super) fn stage(&self, id: PlaceId) -> Option<Stage> {
        self.places.get(&id).map(|place| place.stage)
    }

    pub(super) fn done(&mut self, id: PlaceId) {
        self.places.remove(&id);
    }

    /// The place of a kind that runs next, if it may.
    pub(super) fn next(&self, kind: Kind) -> Option<PlaceId> {
        let ready = self.places.iter().filter(|(_, place)| place.kind == kind && place.stage == Stage::Ready);
        let may_run = ready.filter(|(id, _)| self.may_run(**id));
        may_run.min_by_key(|(_, place)| place.position).map(|(id, _)| *id)
    }

    /// The places of a source, the latest last.
    pub(super) fn of(&self, source: &str) -> impl DoubleEndedIterator<Item = (PlaceId, Kind, Stage)> {
        let of_source = self.places.iter().filter(move |(_, place)| place.source == source);
        of_source.map(|(id, place)| (*id, place.kind, place.stage))
    }

    /// The earlier places of the same source.
    fn before(&self, id: PlaceId) -> impl Iterator<Item = &Place> {
        let own = self.places.get(&id).map(|place| place.source.as_str());
        self.places.range(..id).map(|(_, place)| place).filter(move |place| Some(place.source.as_str()) == own)
    }

    fn may_prepare(&self, id: PlaceId) -> bool {
        let Some(own) = self.places.get(&id) else { return false };
        self.before(id).all(|earlier| match earlier.kind {
            Kind::Removal => false,
            Kind::Change => earlier.stage >= Stage::Ready || !overlap(&earlier.paths, &own.paths),
            Kind::Pass => true,
        })
    }

    fn may_run(&self, id: PlaceId) -> bool {
        let Some(own) = self.places.get(&id) else { return false };
        self.before(id).all(|earlier| match (own.kind, earlier.kind) {
            (Kind::Removal, _) => false,
            (_, Kind::Removal) => false,
            (Kind::Change | Kind::Pass, Kind::Change | Kind::Pass) => true,
        })
    }
}

/// Whether a path is in both, or one lies below the other.
fn overlap(one: &BTreeSet<String>, other: &BTreeSet<String>) -> bool {
    let within = |few: &BTreeSet<String>, many: &BTreeSet<String>| {
        few.iter().any(|path| {
            let below = format!("{path}/");
            many.contains(path) || many.range(below.clone()..).next().is_some_and(|next| next.starts_with(&below))
        })
    };
    within(one, other) || within(other, one)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(order: &mut Order, source: &str, path: &str) -> PlaceId {
        order.accept(source, Kind::Change, [path.to_string()].into(), Stage::Waits)
    }

    fn removal(order: &mut Order, source: &str) -> PlaceId {
        order.accept(source, Kind::Removal, BTreeSet::new(), Stage::Ready)
    }

    fn pass(order: &mut Order, source: &str) -> PlaceId {
        order.accept(source, Kind::Pass, BTreeSet::new(), Stage::Ready)
    }

    #[test]
    fn a_change_behind_a_removal_touches_nothing_before_it_is_done() {
        let mut order = Order::default();
        let gone = removal(&mut order, "a");
        let put = change(&mut order, "a", "x");
        let elsewhere = change(&mut order, "b", "x");
        assert_eq!(order.clear(), [elsewhere]);
        order.set(gone, Stage::Runs);
        assert!(order.clear().is_empty());
        order.done(gone);
        assert_eq!(order.clear(), [put]);
    }

    #[test]
    fn a_removal_waits_for_what_was_accepted_before_it() {
        let mut order = Order::default();
        let put = change(&mut order, "a", "x");
        order.clear();
        let gone = removal(&mut order, "a");
        assert_eq!(order.next(Kind::Removal), None, "its files are being put in place");
        order.set(put, Stage::Ready);
        assert_eq!((order.next(Kind::Removal), order.next(Kind::Change)), (None, Some(put)));
        order.done(put);
        assert_eq!(order.next(Kind::Removal), Some(gone));
    }

    #[test]
    fn passes_and_removals_of_a_source_keep_their_order() {
        let mut order = Order::default();
        let first = pass(&mut order, "a");
        let gone = removal(&mut order, "a");
        let second = pass(&mut order, "a");
        let other = pass(&mut order, "b");
        assert_eq!((order.next(Kind::Pass), order.next(Kind::Removal)), (Some(first), None));
        order.done(first);
        assert_eq!((order.next(Kind::Pass), order.next(Kind::Removal)), (Some(other), Some(gone)));
        order.done(gone);
        assert_eq!(order.next(Kind::Pass), Some(second));
        assert_eq!(order.of("a").next_back(), Some((second, Kind::Pass, Stage::Ready)));
    }

    #[test]
    fn changes_of_the_same_paths_take_effect_one_after_the_other_and_others_do_not_wait() {
        let mut order = Order::default();
        let first = change(&mut order, "a", "x/y");
        let same = change(&mut order, "a", "x/y");
        let other = change(&mut order, "a", "x/z");
        let above = change(&mut order, "a", "x");
        assert_eq!(order.clear(), [first, other]);
        order.set(first, Stage::Ready);
        assert_eq!(order.clear(), [same]);
        order.set(same, Stage::Ready);
        order.set(other, Stage::Ready);
        assert_eq!(order.clear(), [above]);
    }

    #[test]
    fn who_made_room_goes_behind_its_kind_and_stays_before_a_later_removal() {
        let mut order = Order::default();
        let ids: Vec<PlaceId> = ["x", "y"].map(|path| change(&mut order, "a", path)).into();
        order.clear();
        ids.iter().for_each(|id| order.set(*id, Stage::Ready));
        let gone = removal(&mut order, "a");
        assert_eq!(order.next(Kind::Change), Some(ids[0]));
        order.make_room(ids[0]);
        assert_eq!(order.next(Kind::Change), Some(ids[1]));
        order.done(ids[1]);
        assert_eq!((order.next(Kind::Removal), order.next(Kind::Change)), (None, Some(ids[0])));
        let late = order.accept("b", Kind::Change, BTreeSet::new(), Stage::Ready);
        assert!(order.takes_long(ids[0]) && !order.takes_long(late));
        assert_eq!(order.next(Kind::Change), Some(ids[0]), "a stream of new ones does not go before it for ever");
        order.done(ids[0]);
        assert_eq!(order.next(Kind::Removal), Some(gone));
    }
}
