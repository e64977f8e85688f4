//! Provider storage: domain commands over SQLite and an in-memory model.
//!
//! ```text
//!   server task --command--> Store::apply(...)        -> Pending<T>   answered after the fsync
//!   server task --question-> Store::load_room(...)    -> Result<T>    microseconds, blocks no writer
//!   stream task <---hint---- Store::watch()           lossy: "look again", never data
//! ```
//!
//! The boundary is a trait of *domain commands*, [`Store`], not of keys and values and not of SQL. Each write is one
//! atomic, durable and idempotent command; it ends in one of three ways: done, [`StoreError::Conflict`] (another
//! writer was first, nothing changed), or [`StoreError::Unavailable`] (storage failed; `maybe_applied` says whether
//! the command may have happened all the same). Everything else is a bug of the caller or damage on disk.
//!
//! Invariants, which every implementation keeps and `tests/contract` checks:
//! * A [`Pending`] is answered `Ok` only after its effects are durable: a hub is the only sequencer of its rooms, and
//!   an acknowledged commit that is forgotten forks the group.
//! * Sequence numbers of a room and cursors of a device start at 1, are dense, become visible in order and are never
//!   used again.
//! * A message body is stored once per room, however many devices and followers wait for it.
//! * A batch for a follower is frozen: it has the same bytes until it is acknowledged, through any restart.
//! * A key package is handed out at most once.
//! * A command that fails leaves nothing behind.
//!
//! Deliberately absent: a clock (time is a parameter, milliseconds since 1970), knowledge of what bodies, rows and
//! names mean, and any type of the other crates: keys and payloads are strings and bytes.

mod error;
mod memory;
mod pending;
mod sqlite;
mod store;
mod types;

pub use error::{Cause, StoreError};
pub use memory::{Fault, MemoryStore};
pub use pending::Pending;
pub use sqlite::{OpenError, SqliteStore};
pub use store::Store;
pub use types::account::{
    Account, AddDevice, CreateAccount, CreateInvite, Device, DeviceOutcome, InviteOutcome, NewAccountOutcome,
    PutToken, RecoverAccount, RecoverOutcome,
};
pub use types::asset::{Asset, BeginAsset, BeginAssetOutcome, DropAssets, FinishAsset, GiveUpAsset};
pub use types::device::{DeviceItem, Enqueue, Notice, RoomPlace};
pub use types::key_package::{
    Freshness, KeyPackagePick, KeyPackageRow, MAX_KEY_PACKAGES_PER_DEVICE, PublishKeyPackages, Published,
    RecordRoutes, Route, RouteRow, TakeKeyPackages, TakenKeyPackage,
};
pub use types::outbox::{
    AckOutcome, Batch, Dropped, Due, MAX_BATCH_BYTES, MAX_BATCH_ENTRIES, OutboxAck, OutboxDefer, OutboxExpire,
};
pub use types::retention::{Expired, Retention};
pub use types::room::{
    AcceptFanout, Answer, Applied, Apply, CreateRoom, FIRST_FENCE, FIRST_SEQ, LogEntry, Once, Placed,
    RoomEvent, RoomHead, RoomKind, RoomState, RoomVersion, RoomWrite,
};
pub use types::{Hash, Hint, MAX_NUMBER};
