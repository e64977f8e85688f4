//! Bugs that can be planted in a world, to show that the world finds such bugs.
//!
//! They are planted at the borders of the engines, in the storage of a provider or in the shell of a client, where each
//! looks to everything else as a fault of an engine or a handler would: a change that was not recorded, an answer given
//! too early, an entry sent to too few. No crate under test knows of them.

use std::collections::BTreeMap;
use std::sync::Mutex;

use sabir_store::*;

/// A planted bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bug {
    /// A hub forgets what it answered, so that a repetition counts as new.
    AnswersForgotten,
    /// A hub accepts a message, and it is not on disk.
    AcceptedNotStored,
    /// A hub forgets one of the followers of an entry.
    FollowerForgotten,
    /// A hub forgets one of its own devices of an entry.
    DeviceForgotten,
    /// A hub's engine changes a row and does not say so.
    HubRowLost,
    /// A hub's log is written out of order.
    HubOrder,
    /// A follower says that it has a batch, and it is not on disk.
    FanoutNotStored,
    /// A follower takes entries again that it has.
    FanoutTwice,
    /// A follower forgets one of its devices of an entry.
    FollowerDeviceForgotten,
    /// The outbox takes the next batch for delivered with the one that was.
    OutboxSkips,
    /// A device's acknowledgement deletes one entry more.
    AckEatsMore,
    /// A page of events lacks one.
    PageSkips,
    /// Two events of a page change places.
    PageOrder,
    /// A key package is given to two who ask.
    KeyPackageTwice,
    /// A hub forgets where Welcomes go.
    RoutesForgotten,
    /// A client writes its cursor before what the event brought about.
    CursorFirst,
    /// A client writes what an event brought about before its cursor.
    EffectsFirst,
    /// A client does not write down what an answer brought about.
    AnswerNotWritten,
    /// A client's request is not on disk before it is sent.
    RequestNotWritten,
    /// A client keeps the private halves of its key packages in memory alone.
    PackagesNotWritten,
    /// A client throws an entry away whose sender's provider it does not know.
    UnknownThrownAway,
    /// A client does not wait for the entries before one that waits.
    ParkedOvertaken,
    /// A client repeats a message as a new one after a lost answer.
    RepeatsAnew,
    /// A provider takes whoever `From` names for whoever is connected.
    FromBelieved,
    /// A provider takes credentials under another CA than their provider's.
    ProviderTrustsAnybody,
    /// A client takes key packages under another CA than their provider's.
    ClientTrustsAnybody,
    /// A client passes over a commit that it cannot apply.
    BadCommitPassedOver,
    /// A client whose Welcome does not open leaves it at that.
    WelcomeGivenUp,
    /// A client forgets what it wanted to do in some minutes.
    LongTimersLost,
}

impl Bug {
    /// Every one.
    pub const ALL: [Self; 29] = [
        Self::AnswersForgotten,
        Self::AcceptedNotStored,
        Self::FollowerForgotten,
        Self::DeviceForgotten,
        Self::HubRowLost,
        Self::HubOrder,
        Self::FanoutNotStored,
        Self::FanoutTwice,
        Self::FollowerDeviceForgotten,
        Self::OutboxSkips,
        Self::AckEatsMore,
        Self::PageSkips,
        Self::PageOrder,
        Self::KeyPackageTwice,
        Self::RoutesForgotten,
        Self::CursorFirst,
        Self::EffectsFirst,
        Self::AnswerNotWritten,
        Self::RequestNotWritten,
        Self::PackagesNotWritten,
        Self::UnknownThrownAway,
        Self::ParkedOvertaken,
        Self::RepeatsAnew,
        Self::FromBelieved,
        Self::ProviderTrustsAnybody,
        Self::ClientTrustsAnybody,
        Self::BadCommitPassedOver,
        Self::WelcomeGivenUp,
        Self::LongTimersLost,
    ];
}

/// Those of a provider.
#[derive(Debug)]
pub(super) struct StoreBugs {
    bug: Option<Bug>,
    state: Mutex<Planted>,
}

#[derive(Debug, Default)]
struct Planted {
    /// How often the chance came.
    chances: u64,
    /// Packages that were given away, by device.
    given: BTreeMap<String, KeyPackageRow>,
}

impl StoreBugs {
    pub(super) fn new(bug: Option<Bug>) -> Self {
        Self {
            bug,
            state: Mutex::default(),
        }
    }

    fn is(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }

    /// Whether it is this bug and it strikes now: every third time.
    fn strikes(&self, bug: Bug) -> bool {
        if !self.is(bug) {
            return false;
        }
        let mut state = self.state.lock().unwrap();
        state.chances += 1;
        state.chances.is_multiple_of(3)
    }

    pub(super) fn apply(&self, disk: &MemoryStore, mut command: Apply) -> Pending<Once<Applied>> {
        let write = &mut command.write;
        let entries = write.events.len();
        if self.is(Bug::AnswersForgotten) {
            write.answer = None;
        }
        if self.strikes(Bug::AcceptedNotStored) && write.new_epoch == command.expect.epoch {
            let next = command.expect.next_seq;
            let version = RoomVersion {
                next_seq: next + entries as u64,
                ..command.expect
            };
            let events = (next..version.next_seq).map(Placed::Stored).collect();
            return Pending::ready(Ok(Once::Done(Applied { version, events })));
        }
        for event in &mut write.events {
            if self.strikes(Bug::FollowerForgotten) {
                event.followers.pop();
            }
            if self.strikes(Bug::DeviceForgotten) {
                event.devices.pop();
            }
        }
        if write.new_epoch != command.expect.epoch && self.is(Bug::HubRowLost) {
            // The group's rows; the engine's own begin with another letter.
            write.row_puts.retain(|(key, _)| key.first() != Some(&b'm'));
        }
        if self.is(Bug::HubOrder) && entries > 1 {
            write.events.swap(0, 1);
        }
        disk.apply(command)
    }

    pub(super) fn accept_fanout(
        &self,
        disk: &MemoryStore,
        mut command: AcceptFanout,
    ) -> Pending<Once<Applied>> {
        if self.strikes(Bug::FanoutNotStored) {
            command.write.events.clear();
        }
        if self.is(Bug::FanoutTwice) {
            command.write.answer = None;
            for event in &mut command.write.events {
                event.message_hash = None;
            }
        }
        for event in &mut command.write.events {
            if self.strikes(Bug::FollowerDeviceForgotten) {
                event.devices.pop();
            }
        }
        disk.accept_fanout(command)
    }

    pub(super) fn answered(
        &self,
        disk: &MemoryStore,
        origin: &str,
        request_hash: &Hash,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        if self.is(Bug::AnswersForgotten) {
            return Ok(None);
        }
        disk.answered(origin, request_hash)
    }

    pub(super) fn device_read(&self, mut items: Vec<DeviceItem>) -> Result<Vec<DeviceItem>, StoreError> {
        if items.len() > 1 && self.is(Bug::PageSkips) {
            items.remove(1);
        }
        if items.len() > 1 && self.is(Bug::PageOrder) {
            let (first, rest) = items.split_at_mut(1);
            // Only what they hold: the numbers are as they should be.
            std::mem::swap(&mut first[0].body, &mut rest[0].body);
            std::mem::swap(&mut first[0].place, &mut rest[0].place);
        }
        Ok(items)
    }

    pub(super) fn device_ack(&self, disk: &MemoryStore, device: &str, cursor: u64) -> Pending<u64> {
        if self.is(Bug::AckEatsMore) {
            let more = disk.device_ack(device, cursor + 1).wait();
            if more.is_ok() {
                return Pending::ready(more);
            }
        }
        disk.device_ack(device, cursor)
    }

    pub(super) fn outbox_ack(&self, disk: &MemoryStore, command: OutboxAck) -> Pending<AckOutcome> {
        let acked = disk.outbox_ack(command.clone()).wait();
        if self.strikes(Bug::OutboxSkips)
            && let Ok(Some(next)) = disk.outbox_batch(&command.room, &command.follower)
        {
            let skipped = OutboxAck {
                last_seq: next.last_seq,
                ..command
            };
            drop(disk.outbox_ack(skipped).wait());
        }
        Pending::ready(acked)
    }

    pub(super) fn take_key_packages(
        &self,
        disk: &MemoryStore,
        command: TakeKeyPackages,
    ) -> Pending<Vec<TakenKeyPackage>> {
        let taken = disk.take_key_packages(command).wait();
        if !self.is(Bug::KeyPackageTwice) {
            return Pending::ready(taken);
        }
        let mut state = self.state.lock().unwrap();
        let given = taken.map(|taken| {
            let again = taken.into_iter().map(|mut taken| {
                if let Some(package) = taken.package.take() {
                    let first = state.given.entry(taken.device.clone()).or_insert(package);
                    taken.package = Some(first.clone());
                }
                taken
            });
            again.collect()
        });
        Pending::ready(given)
    }

    pub(super) fn record_routes(&self, disk: &MemoryStore, command: RecordRoutes) -> Pending<()> {
        if self.is(Bug::RoutesForgotten) {
            return Pending::ready(Ok(()));
        }
        disk.record_routes(command)
    }
}
