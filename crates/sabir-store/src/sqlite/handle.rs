//! The trait on top of the commands' SQL.

use std::collections::BTreeMap;

use tokio::sync::broadcast;

use super::{SqliteStore, account, asset, device, key_package, outbox, room};
use crate::types::bounded;
use crate::{
    AcceptFanout, Account, AckOutcome, AddDevice, Applied, Apply, Asset, Batch, BeginAsset,
    BeginAssetOutcome, CreateAccount, CreateInvite, CreateRoom, Device, DeviceItem, DeviceOutcome,
    DropAssets, Dropped, Due, Enqueue, Expired, FinishAsset, Freshness, GiveUpAsset, Hash, Hint,
    InviteOutcome, KeyPackageRow, LogEntry, NewAccountOutcome, Once, OutboxAck, OutboxDefer, OutboxExpire,
    Pending, PublishKeyPackages, Published, PutToken, RecordRoutes, RecoverAccount, RecoverOutcome,
    Retention, RoomHead, RoomState, Route, Store, StoreError, TakeKeyPackages, TakenKeyPackage,
};

impl Store for SqliteStore {
    fn create_room(&self, command: CreateRoom) -> Pending<Once<Applied>> {
        let checked = command.write.check();
        self.write("create_room", checked, move |connection, notes| {
            room::create(connection, notes, &command)
        })
    }

    fn apply(&self, command: Apply) -> Pending<Once<Applied>> {
        let checked = command.check();
        self.write("apply", checked, move |connection, notes| {
            room::apply(connection, notes, &command)
        })
    }

    fn accept_fanout(&self, command: AcceptFanout) -> Pending<Once<Applied>> {
        let checked = command.check();
        self.write("accept_fanout", checked, move |connection, notes| {
            room::accept_fanout(connection, notes, &command)
        })
    }

    fn load_room(&self, room: &str) -> Result<Option<RoomState>, StoreError> {
        self.read("load_room", |connection| room::load(connection, room))
    }

    fn list_rooms(&self) -> Result<BTreeMap<String, RoomHead>, StoreError> {
        self.read("list_rooms", room::list_all)
    }

    fn room_log(&self, room: &str, after_seq: u64, limit: usize) -> Result<Vec<LogEntry>, StoreError> {
        self.read("room_log", |connection| {
            room::log(connection, room, after_seq, limit)
        })
    }

    fn seen_message(&self, room: &str, message_hash: &Hash) -> Result<Option<u64>, StoreError> {
        self.read("seen_message", |connection| {
            room::seen(connection, &self.hashes, room, message_hash)
        })
    }

    fn answered(&self, origin: &str, request_hash: &Hash) -> Result<Option<Vec<u8>>, StoreError> {
        self.read("answered", |connection| {
            room::answered(connection, &self.hashes, origin, request_hash)
        })
    }

    fn outbox_due(&self, now: u64, each: usize) -> Result<Vec<Due>, StoreError> {
        self.read("outbox_due", |connection| outbox::due(connection, now, each))
    }

    fn outbox_due_to(&self, follower: &str, now: u64, limit: usize) -> Result<Vec<Due>, StoreError> {
        self.read("outbox_due_to", |connection| {
            outbox::due_to(connection, follower, now, limit)
        })
    }

    fn outbox_due_after(&self, now: u64) -> Result<Option<u64>, StoreError> {
        self.read("outbox_due_after", |connection| {
            outbox::due_after(connection, now)
        })
    }

    fn outbox_batch(&self, room: &str, follower: &str) -> Result<Option<Batch>, StoreError> {
        if let Some(batch) = self.handover.batch(room, follower) {
            return Ok(Some(batch));
        }
        self.read("outbox_batch", |connection| {
            outbox::in_flight(connection, room, follower)
        })
    }

    fn outbox_ack(&self, command: OutboxAck) -> Pending<AckOutcome> {
        let checked = command.check();
        self.write("outbox_ack", checked, move |connection, notes| {
            outbox::ack(connection, notes, &command)
        })
    }

    fn outbox_defer(&self, command: OutboxDefer) -> Pending<AckOutcome> {
        self.write("outbox_defer", command.check(), move |connection, notes| {
            outbox::defer(connection, notes, &command)
        })
    }

    fn outbox_expire(&self, command: OutboxExpire) -> Pending<Vec<Dropped>> {
        let checked = command.check();
        self.write("outbox_expire", checked, move |connection, notes| {
            outbox::expire(connection, notes, &command)
        })
    }

    fn device_read(
        &self,
        device: &str,
        after_cursor: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Vec<DeviceItem>, StoreError> {
        let unknown = match self.handover.items(device, after_cursor, limit, max_bytes) {
            Ok(items) => return Ok(items),
            Err(unknown) => unknown,
        };
        let (items, all) = self.read("device_read", |connection| {
            device::read(connection, device, after_cursor, limit, max_bytes)
        })?;
        if all {
            let last = items.last().map(|item| item.cursor);
            self.handover.read(device, &unknown, after_cursor, last);
        }
        Ok(items)
    }

    fn device_ack(&self, device: &str, cursor: u64) -> Pending<u64> {
        let device = device.to_owned();
        self.write("device_ack", bounded(&[cursor]), move |connection, notes| {
            device::ack(connection, notes, &device, cursor)
        })
    }

    fn device_enqueue(&self, command: Enqueue) -> Pending<Once<Vec<u64>>> {
        let checked = command.check();
        self.write("device_enqueue", checked, move |connection, notes| {
            device::enqueue(connection, notes, &command)
        })
    }

    fn publish_key_packages(&self, command: PublishKeyPackages) -> Pending<Published> {
        self.write("publish_key_packages", command.check(), move |connection, _| {
            key_package::publish(connection, &command)
        })
    }

    fn count_key_packages(&self, device: &str, fresh: Freshness) -> Result<u64, StoreError> {
        fresh.check()?;
        self.read("count_key_packages", |connection| {
            key_package::count(connection, device, fresh)
        })
    }

    fn count_key_packages_in(&self, device: &str, suite: u16, fresh: Freshness) -> Result<u64, StoreError> {
        fresh.check()?;
        self.read("count_key_packages_in", |connection| {
            key_package::count_in(connection, device, suite, fresh)
        })
    }

    fn peek_key_package(
        &self,
        device: &str,
        suite: u16,
        fresh: Freshness,
    ) -> Result<Option<KeyPackageRow>, StoreError> {
        fresh.check()?;
        self.read("peek_key_package", |connection| {
            key_package::peek(connection, device, suite, fresh)
        })
    }

    fn take_key_packages(&self, command: TakeKeyPackages) -> Pending<Vec<TakenKeyPackage>> {
        self.write("take_key_packages", command.check(), move |connection, _| {
            key_package::take(connection, &command)
        })
    }

    fn record_routes(&self, command: RecordRoutes) -> Pending<()> {
        self.write("record_routes", command.check(), move |connection, _| {
            key_package::record_routes(connection, &command)
        })
    }

    fn route(&self, reference: &[u8]) -> Result<Option<Route>, StoreError> {
        self.read("route", |connection| key_package::route(connection, reference))
    }

    fn create_invite(&self, command: CreateInvite) -> Pending<InviteOutcome> {
        self.write("create_invite", command.check(), move |connection, _| {
            account::create_invite(connection, &command)
        })
    }

    fn create_account(&self, command: CreateAccount) -> Pending<NewAccountOutcome> {
        self.write("create_account", command.check(), move |connection, _| {
            account::create(connection, &command)
        })
    }

    fn recover_account(&self, command: RecoverAccount) -> Pending<RecoverOutcome> {
        self.write("recover_account", Ok(()), move |connection, _| {
            account::recover(connection, &command)
        })
    }

    fn list_accounts(&self) -> Result<Vec<Account>, StoreError> {
        self.read("list_accounts", account::list_all)
    }

    fn account(&self, user: &str) -> Result<Option<Account>, StoreError> {
        self.read("account", |connection| account::account(connection, user))
    }

    fn add_device(&self, command: AddDevice) -> Pending<DeviceOutcome> {
        self.write("add_device", command.check(), move |connection, _| {
            account::add_device(connection, &command)
        })
    }

    fn devices(&self, user: &str) -> Result<Vec<Device>, StoreError> {
        self.read("devices", |connection| account::devices(connection, user))
    }

    fn device(&self, client_uri: &str) -> Result<Option<Device>, StoreError> {
        self.read("device", |connection| account::device(connection, client_uri))
    }

    fn put_token(&self, command: PutToken) -> Pending<()> {
        self.write("put_token", command.check(), move |connection, _| {
            account::put_token(connection, &command)
        })
    }

    fn token(&self, token_hash: &Hash, now: u64) -> Result<Option<String>, StoreError> {
        self.read("token", |connection| account::token(connection, token_hash, now))
    }

    fn revoke_tokens(&self, client_uri: &str) -> Pending<u64> {
        let client_uri = client_uri.to_owned();
        self.write("revoke_tokens", Ok(()), move |connection, _| {
            account::revoke_tokens(connection, &client_uri)
        })
    }

    fn begin_asset(&self, command: BeginAsset) -> Pending<BeginAssetOutcome> {
        self.write("begin_asset", command.check(), move |connection, _| {
            asset::begin(connection, &command)
        })
    }

    fn finish_asset(&self, command: FinishAsset) -> Pending<Option<Asset>> {
        self.write("finish_asset", command.check(), move |connection, _| {
            asset::finish(connection, &command)
        })
    }

    fn give_up_asset(&self, command: GiveUpAsset) -> Pending<bool> {
        self.write("give_up_asset", command.check(), move |connection, _| {
            asset::give_up(connection, &command)
        })
    }

    fn drop_assets(&self, command: DropAssets) -> Pending<u64> {
        self.write("drop_assets", command.check(), move |connection, _| {
            asset::forget(connection, &command)
        })
    }

    fn asset(&self, id: &str) -> Result<Option<Asset>, StoreError> {
        self.read("asset", |connection| asset::asset(connection, id))
    }

    fn asset_bytes(&self, owner: &str) -> Result<u64, StoreError> {
        self.read("asset_bytes", |connection| asset::bytes(connection, owner))
    }

    fn expired_assets(&self, now: u64, limit: usize) -> Result<Vec<String>, StoreError> {
        self.read("expired_assets", |connection| {
            asset::expired(connection, now, limit)
        })
    }

    fn setting(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.read("setting", |connection| account::setting(connection, key))
    }

    fn put_setting(&self, key: &str, value: Vec<u8>) -> Pending<()> {
        let key = key.to_owned();
        self.write("put_setting", Ok(()), move |connection, _| {
            account::put_setting(connection, &key, &value)
        })
    }

    fn expire(&self, now: u64, retention: Retention) -> Result<Expired, StoreError> {
        self.expire_all(now, retention)
    }

    fn watch(&self) -> broadcast::Receiver<Hint> {
        self.hints.subscribe()
    }
}
