//! Bugs that can be planted in a world, to show that the world would find them.

use sabir_store::*;

/// A bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bug {}

/// Those of a provider.
#[derive(Debug)]
pub(super) struct StoreBugs {}

impl StoreBugs {
    pub(super) fn new(_bug: Option<Bug>) -> Self {
        Self {}
    }

    pub(super) fn apply(&self, disk: &MemoryStore, command: Apply) -> Pending<Once<Applied>> {
        disk.apply(command)
    }

    pub(super) fn accept_fanout(&self, disk: &MemoryStore, command: AcceptFanout) -> Pending<Once<Applied>> {
        disk.accept_fanout(command)
    }

    pub(super) fn answered(
        &self,
        disk: &MemoryStore,
        origin: &str,
        request_hash: &Hash,
    ) -> Result<Option<Vec<u8>>, StoreError> {
        disk.answered(origin, request_hash)
    }

    pub(super) fn device_read(&self, items: Vec<DeviceItem>) -> Result<Vec<DeviceItem>, StoreError> {
        Ok(items)
    }

    pub(super) fn device_ack(&self, disk: &MemoryStore, device: &str, cursor: u64) -> Pending<u64> {
        disk.device_ack(device, cursor)
    }

    pub(super) fn outbox_ack(&self, disk: &MemoryStore, command: OutboxAck) -> Pending<AckOutcome> {
        disk.outbox_ack(command)
    }

    pub(super) fn take_key_packages(
        &self,
        disk: &MemoryStore,
        command: TakeKeyPackages,
    ) -> Pending<Vec<TakenKeyPackage>> {
        disk.take_key_packages(command)
    }

    pub(super) fn record_routes(&self, disk: &MemoryStore, command: RecordRoutes) -> Pending<()> {
        disk.record_routes(command)
    }
}
