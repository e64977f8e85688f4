//! The trait on top of the model's state: bounds, faults, hints.

use std::collections::BTreeMap;

use tokio::sync::broadcast;

use super::MemoryStore;
use crate::types::bounded;
use crate::{
    AcceptFanout, Account, AckOutcome, AddDevice, Applied, Apply, Asset, Batch, BeginAsset,
    BeginAssetOutcome, CreateAccount, CreateInvite, CreateRoom, Device, DeviceItem, DeviceOutcome,
    DropAssets, Dropped, Due, Enqueue, Expired, FinishAsset, Freshness, GiveUpAsset, Hash, Hint,
    InviteOutcome, KeyPackageRow, LogEntry, NewAccountOutcome, Once, OutboxAck, OutboxDefer, OutboxExpire,
    Pending, PublishKeyPackages, Published, PutToken, RecordRoutes, RecoverAccount, RecoverOutcome,
    Retention, RoomHead, RoomState, Route, Store, StoreError, TakeKeyPackages, TakenKeyPackage,
};

impl Store for MemoryStore {
    fn create_room(&self, command: CreateRoom) -> Pending<Once<Applied>> {
        self.write("create_room", command.write.check(), |state, hints| {
            state.create_room(command, hints)
        })
    }

    fn apply(&self, command: Apply) -> Pending<Once<Applied>> {
        let checked = command.check();
        self.write("apply", checked, |state, hints| state.apply(command, hints))
    }

    fn accept_fanout(&self, command: AcceptFanout) -> Pending<Once<Applied>> {
        let checked = command.check();
        self.write("accept_fanout", checked, |state, hints| {
            state.accept_fanout(command, hints)
        })
    }

    fn load_room(&self, room: &str) -> Result<Option<RoomState>, StoreError> {
        self.read("load_room", |state| state.load_room(room))
    }

    fn list_rooms(&self) -> Result<BTreeMap<String, RoomHead>, StoreError> {
        self.read("list_rooms", |state| state.list_rooms())
    }

    fn room_log(&self, room: &str, after_seq: u64, limit: usize) -> Result<Vec<LogEntry>, StoreError> {
        self.read("room_log", |state| state.room_log(room, after_seq, limit))
    }

    fn seen_message(&self, room: &str, message_hash: &Hash) -> Result<Option<u64>, StoreError> {
        self.read("seen_message", |state| state.seen_message(room, message_hash))
    }

    fn answered(&self, origin: &str, request_hash: &Hash) -> Result<Option<Vec<u8>>, StoreError> {
        self.read("answered", |state| state.answered(origin, request_hash))
    }

    fn outbox_due(&self, now: u64, each: usize) -> Result<Vec<Due>, StoreError> {
        self.read("outbox_due", |state| state.outbox_due(now, each))
    }

    fn outbox_due_to(&self, follower: &str, now: u64, limit: usize) -> Result<Vec<Due>, StoreError> {
        self.read("outbox_due_to", |state| state.outbox_due_to(follower, now, limit))
    }

    fn outbox_due_after(&self, now: u64) -> Result<Option<u64>, StoreError> {
        self.read("outbox_due_after", |state| state.outbox_due_after(now))
    }

    fn outbox_batch(&self, room: &str, follower: &str) -> Result<Option<Batch>, StoreError> {
        self.read("outbox_batch", |state| state.outbox_batch(room, follower))
    }

    fn outbox_ack(&self, command: OutboxAck) -> Pending<AckOutcome> {
        self.write("outbox_ack", command.check(), |state, hints| {
            Ok(state.outbox_ack(command, hints))
        })
    }

    fn outbox_defer(&self, command: OutboxDefer) -> Pending<AckOutcome> {
        self.write("outbox_defer", command.check(), |state, _| {
            Ok(state.outbox_defer(command))
        })
    }

    fn outbox_expire(&self, command: OutboxExpire) -> Pending<Vec<Dropped>> {
        self.write("outbox_expire", command.check(), |state, hints| {
            Ok(state.outbox_expire(command, hints))
        })
    }

    fn device_read(
        &self,
        device: &str,
        after_cursor: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Vec<DeviceItem>, StoreError> {
        self.read("device_read", |state| {
            state.device_read(device, after_cursor, limit, max_bytes)
        })
    }

    fn device_ack(&self, device: &str, cursor: u64) -> Pending<u64> {
        self.write("device_ack", bounded(&[cursor]), |state, _| {
            state.device_ack(device, cursor)
        })
    }

    fn device_enqueue(&self, command: Enqueue) -> Pending<Once<Vec<u64>>> {
        self.write("device_enqueue", command.check(), |state, hints| {
            Ok(state.device_enqueue(command, hints))
        })
    }

    fn publish_key_packages(&self, command: PublishKeyPackages) -> Pending<Published> {
        self.write("publish_key_packages", command.check(), |state, _| {
            Ok(state.publish_key_packages(command))
        })
    }

    fn count_key_packages(&self, device: &str, fresh: Freshness) -> Result<u64, StoreError> {
        fresh.check()?;
        self.read("count_key_packages", |state| {
            state.count_key_packages(device, fresh)
        })
    }

    fn count_key_packages_in(&self, device: &str, suite: u16, fresh: Freshness) -> Result<u64, StoreError> {
        fresh.check()?;
        self.read("count_key_packages_in", |state| {
            state.count_key_packages_in(device, suite, fresh)
        })
    }

    fn peek_key_package(
        &self,
        device: &str,
        suite: u16,
        fresh: Freshness,
    ) -> Result<Option<KeyPackageRow>, StoreError> {
        fresh.check()?;
        self.read("peek_key_package", |state| {
            state.peek_key_package(device, suite, fresh)
        })
    }

    fn take_key_packages(&self, command: TakeKeyPackages) -> Pending<Vec<TakenKeyPackage>> {
        self.write("take_key_packages", command.check(), |state, _| {
            Ok(state.take_key_packages(command))
        })
    }

    fn record_routes(&self, command: RecordRoutes) -> Pending<()> {
        self.write("record_routes", command.check(), |state, _| {
            state.record_routes(command);
            Ok(())
        })
    }

    fn route(&self, reference: &[u8]) -> Result<Option<Route>, StoreError> {
        self.read("route", |state| state.route(reference))
    }

    fn create_invite(&self, command: CreateInvite) -> Pending<InviteOutcome> {
        self.write("create_invite", command.check(), |state, _| {
            Ok(state.create_invite(command))
        })
    }

    fn create_account(&self, command: CreateAccount) -> Pending<NewAccountOutcome> {
        self.write("create_account", command.check(), |state, _| {
            Ok(state.create_account(command))
        })
    }

    fn recover_account(&self, command: RecoverAccount) -> Pending<RecoverOutcome> {
        self.write("recover_account", Ok(()), |state, _| {
            Ok(state.recover_account(command))
        })
    }

    fn list_accounts(&self) -> Result<Vec<Account>, StoreError> {
        self.read("list_accounts", |state| state.list_accounts())
    }

    fn account(&self, user: &str) -> Result<Option<Account>, StoreError> {
        self.read("account", |state| state.account(user))
    }

    fn add_device(&self, command: AddDevice) -> Pending<DeviceOutcome> {
        self.write("add_device", command.check(), |state, _| {
            Ok(state.add_device(command))
        })
    }

    fn devices(&self, user: &str) -> Result<Vec<Device>, StoreError> {
        self.read("devices", |state| state.devices(user))
    }

    fn device(&self, client_uri: &str) -> Result<Option<Device>, StoreError> {
        self.read("device", |state| state.device(client_uri))
    }

    fn put_token(&self, command: PutToken) -> Pending<()> {
        self.write("put_token", command.check(), |state, _| {
            state.put_token(command);
            Ok(())
        })
    }

    fn token(&self, token_hash: &Hash, now: u64) -> Result<Option<String>, StoreError> {
        self.read("token", |state| state.token(token_hash, now))
    }

    fn revoke_tokens(&self, client_uri: &str) -> Pending<u64> {
        self.write("revoke_tokens", Ok(()), |state, _| {
            Ok(state.revoke_tokens(client_uri))
        })
    }

    fn begin_asset(&self, command: BeginAsset) -> Pending<BeginAssetOutcome> {
        self.write("begin_asset", command.check(), |state, _| {
            Ok(state.begin_asset(command))
        })
    }

    fn finish_asset(&self, command: FinishAsset) -> Pending<Option<Asset>> {
        self.write("finish_asset", command.check(), |state, _| {
            Ok(state.finish_asset(command))
        })
    }

    fn give_up_asset(&self, command: GiveUpAsset) -> Pending<bool> {
        self.write("give_up_asset", command.check(), |state, _| {
            Ok(state.give_up_asset(command))
        })
    }

    fn drop_assets(&self, command: DropAssets) -> Pending<u64> {
        self.write("drop_assets", command.check(), |state, _| {
            Ok(state.drop_assets(command))
        })
    }

    fn asset(&self, id: &str) -> Result<Option<Asset>, StoreError> {
        self.read("asset", |state| state.asset(id))
    }

    fn asset_bytes(&self, owner: &str) -> Result<u64, StoreError> {
        self.read("asset_bytes", |state| state.asset_bytes(owner))
    }

    fn expired_assets(&self, now: u64, limit: usize) -> Result<Vec<String>, StoreError> {
        self.read("expired_assets", |state| state.expired_assets(now, limit))
    }

    fn setting(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read("setting", |state| state.settings.get(key).cloned())
    }

    fn put_setting(&self, key: &str, value: Vec<u8>) -> Pending<()> {
        self.write("put_setting", Ok(()), |state, _| {
            state.settings.insert(key.to_owned(), value);
            Ok(())
        })
    }

    fn expire(&self, now: u64, retention: Retention) -> Result<Expired, StoreError> {
        self.write("expire", bounded(&[now]), |state, _| {
            Ok(state.expire(now, retention))
        })
        .wait()
    }

    fn watch(&self) -> broadcast::Receiver<Hint> {
        self.hints.subscribe()
    }
}
