//! The trait of domain commands.

use std::collections::BTreeMap;

use tokio::sync::broadcast;

use crate::{
    AcceptFanout, Account, AckOutcome, AddDevice, Applied, Apply, Asset, Batch, BeginAsset,
    BeginAssetOutcome, CreateAccount, CreateInvite, CreateRoom, Device, DeviceItem, DeviceOutcome,
    DropAssets, Dropped, Due, Enqueue, Expired, FinishAsset, Freshness, GiveUpAsset, Hash, Hint,
    InviteOutcome, KeyPackageRow, LogEntry, NewAccountOutcome, Once, OutboxAck, OutboxDefer, OutboxExpire,
    Pending, PublishKeyPackages, Published, PutToken, RecordRoutes, RecoverAccount, RecoverOutcome,
    Retention, RoomHead, RoomState, Route, StoreError, TakeKeyPackages, TakenKeyPackage,
};

/// Storage of one provider.
///
/// Writes return [`Pending`]; each is one atomic, durable, idempotent command. Those that a request may cause only
/// once carry an [`crate::Answer`] and return [`Once`]. Writes take effect in the order of the calls of one thread.
///
/// Reads see every write that was answered before they were called. They block for microseconds.
pub trait Store: Send + Sync {
    // Rooms

    /// Creates a room; conflicts when it exists.
    fn create_room(&self, command: CreateRoom) -> Pending<Once<Applied>>;

    /// Changes a room by compare-and-set on epoch, sequence number and fence.
    fn apply(&self, command: Apply) -> Pending<Once<Applied>>;

    /// Takes a hub's fan-out into a follower room, which it creates when it is missing.
    fn accept_fanout(&self, command: AcceptFanout) -> Pending<Once<Applied>>;

    /// The room with its state rows.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    fn load_room(&self, room: &str) -> Result<Option<RoomState>, StoreError>;

    /// All rooms by URI, without their rows.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    fn list_rooms(&self) -> Result<BTreeMap<String, RoomHead>, StoreError>;

    /// Up to `limit` log entries after `after_seq` (0 for the start). Expired entries are missing.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    fn room_log(&self, room: &str, after_seq: u64, limit: usize) -> Result<Vec<LogEntry>, StoreError>;

    /// The sequence number under which the room stored the message with this hash. Lets a follower skip duplicates
    /// before its engine handles them.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    fn seen_message(&self, room: &str, message_hash: &Hash) -> Result<Option<u64>, StoreError>;

    /// The answer that this origin got for the request with this hash.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    fn answered(&self, origin: &str, request_hash: &Hash) -> Result<Option<Vec<u8>>, StoreError>;

    // Outbox

    /// The batches in flight whose time has come, by follower; up to `each` of each, the longest due first. Reads no
    /// bodies, and of a follower for whom much waits no more than of another.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    fn outbox_due(&self, now: u64, each: usize) -> Result<Vec<Due>, StoreError>;

    /// As [`Self::outbox_due`], for one follower.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    fn outbox_due_to(&self, follower: &str, now: u64, limit: usize) -> Result<Vec<Due>, StoreError>;

    /// When the next of the batches in flight is due that are not due at `now`.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    fn outbox_due_after(&self, now: u64) -> Result<Option<u64>, StoreError>;

    /// The batch in flight for this room and follower, due or not.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    fn outbox_batch(&self, room: &str, follower: &str) -> Result<Option<Batch>, StoreError>;

    /// Removes the accepted batch and freezes the next one.
    fn outbox_ack(&self, command: OutboxAck) -> Pending<AckOutcome>;

    /// Sets when the batch is tried again.
    fn outbox_defer(&self, command: OutboxDefer) -> Pending<AckOutcome>;

    /// Gives up old batches and says which, ordered by room, follower and sequence number.
    fn outbox_expire(&self, command: OutboxExpire) -> Pending<Vec<Dropped>>;

    // Device queues

    /// Up to `limit` items after `after_cursor` (0 for the start), together up to `max_bytes` of bodies, but at least
    /// one.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    fn device_read(
        &self,
        device: &str,
        after_cursor: u64,
        limit: usize,
        max_bytes: usize,
    ) -> Result<Vec<DeviceItem>, StoreError>;

    /// Deletes the items up to and including `cursor`; answers how many. A cursor that was never issued is misuse.
    fn device_ack(&self, device: &str, cursor: u64) -> Pending<u64>;

    /// Puts notices that belong to no room into device queues; answers with their cursors.
    fn device_enqueue(&self, command: Enqueue) -> Pending<Once<Vec<u64>>>;

    // Key packages

    /// Adds key packages of a device.
    fn publish_key_packages(&self, command: PublishKeyPackages) -> Pending<Published>;

    /// How many key packages of the device may still be handed out.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`, `Misuse`.
    fn count_key_packages(&self, device: &str, fresh: Freshness) -> Result<u64, StoreError>;

    /// As [`Store::count_key_packages`], of one suite.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`, `Misuse`.
    fn count_key_packages_in(&self, device: &str, suite: u16, fresh: Freshness) -> Result<u64, StoreError>;

    /// The key package that a take would get, without taking it.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`, `Misuse`.
    fn peek_key_package(
        &self,
        device: &str,
        suite: u16,
        fresh: Freshness,
    ) -> Result<Option<KeyPackageRow>, StoreError>;

    /// Takes key packages, each at most once ever; one answer for each pick, in order.
    fn take_key_packages(&self, command: TakeKeyPackages) -> Pending<Vec<TakenKeyPackage>>;

    /// Remembers where Welcomes for key packages of other providers go.
    fn record_routes(&self, command: RecordRoutes) -> Pending<()>;

    /// Where a Welcome for this key package reference goes.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    fn route(&self, reference: &[u8]) -> Result<Option<Route>, StoreError>;

    // Accounts

    /// Makes an invite.
    fn create_invite(&self, command: CreateInvite) -> Pending<InviteOutcome>;

    /// Creates an account and spends one use of the invite.
    fn create_account(&self, command: CreateAccount) -> Pending<NewAccountOutcome>;

    /// Puts another identity key in the place of an account's, where its recovery key was shown.
    fn recover_account(&self, command: RecoverAccount) -> Pending<RecoverOutcome>;

    /// All accounts, ordered by user URI.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    fn list_accounts(&self) -> Result<Vec<Account>, StoreError>;

    /// The account of a user URI.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    fn account(&self, user: &str) -> Result<Option<Account>, StoreError>;

    /// Adds a device together with the device list that names it.
    fn add_device(&self, command: AddDevice) -> Pending<DeviceOutcome>;

    /// The devices of a user, ordered by client URI.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    fn devices(&self, user: &str) -> Result<Vec<Device>, StoreError>;

    /// The device with this client URI.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    fn device(&self, client_uri: &str) -> Result<Option<Device>, StoreError>;

    /// Makes or replaces a token.
    fn put_token(&self, command: PutToken) -> Pending<()>;

    /// The client URI that a token stands for, unless it has expired.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    fn token(&self, token_hash: &Hash, now: u64) -> Result<Option<String>, StoreError>;

    /// Removes all tokens of a device; answers how many.
    fn revoke_tokens(&self, client_uri: &str) -> Pending<u64>;

    // Uploaded files: who may store what. Their bytes are the caller's matter.

    /// Makes room for a file within its owner's quota.
    fn begin_asset(&self, command: BeginAsset) -> Pending<BeginAssetOutcome>;

    /// Marks an asset as whole; `None` when there is none, or it has expired. One that is whole stays as it is.
    fn finish_asset(&self, command: FinishAsset) -> Pending<Option<Asset>>;

    /// Lets an asset of this owner expire now; answers whether there is one.
    fn give_up_asset(&self, command: GiveUpAsset) -> Pending<bool>;

    /// Forgets expired assets whose bytes are deleted; answers how many.
    fn drop_assets(&self, command: DropAssets) -> Pending<u64>;

    /// The asset of this name, expired ones included.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    fn asset(&self, id: &str) -> Result<Option<Asset>, StoreError>;

    /// Bytes that this owner's assets count for.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    fn asset_bytes(&self, owner: &str) -> Result<u64, StoreError>;

    /// Up to `limit` names of expired assets, the one that expired first before the others.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    fn expired_assets(&self, now: u64, limit: usize) -> Result<Vec<String>, StoreError>;

    // Settings

    /// A value of the provider's own state.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    fn setting(&self, key: &str) -> Result<Option<Vec<u8>>, StoreError>;

    /// Sets a value of the provider's own state.
    fn put_setting(&self, key: &str, value: Vec<u8>) -> Pending<()>;

    // Housekeeping

    /// Deletes what nobody needs any more and whose time is over. Blocks, possibly for seconds, while other commands
    /// go on: call it from a thread that may block.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`, `Misuse`. What was deleted before the failure stays deleted; call again.
    fn expire(&self, now: u64, retention: Retention) -> Result<Expired, StoreError>;

    /// Hints that something changed, from now on. Lossy: a receiver that lagged looks at everything it cares for.
    fn watch(&self) -> broadcast::Receiver<Hint>;
}
