//! Everything that can be asked of a store about the small world of the random test.

use std::collections::BTreeMap;

use sabir_store::{
    Account, Asset, Batch, Device, DeviceItem, Due, Freshness, Hash, KeyPackageRow, LogEntry, MAX_NUMBER,
    RoomHead, RoomState, Route, Store,
};

pub(crate) const ROOMS: u8 = 3;
pub(crate) const DEVICES: u8 = 3;
pub(crate) const FOLLOWERS: u8 = 2;
pub(crate) const HASHES: u8 = 6;
pub(crate) const REFERENCES: u8 = 12;
pub(crate) const SUITES: u16 = 2;
pub(crate) const USERS: u8 = 2;
pub(crate) const ASSETS: u8 = 5;

pub(crate) fn room(n: u8) -> String {
    format!("mimi://hub.example/r/{n}")
}

pub(crate) fn device(n: u8) -> String {
    format!("mimi://a.example/d/{n}")
}

pub(crate) fn follower(n: u8) -> String {
    format!("f{n}.example")
}

pub(crate) fn user(n: u8) -> String {
    format!("mimi://a.example/u/{n}")
}

pub(crate) fn asset(n: u8) -> String {
    format!("asset-{n}")
}

pub(crate) fn hash(n: u8) -> Hash {
    [n; 32]
}

#[derive(Debug, PartialEq)]
pub(crate) struct Snapshot {
    pub(crate) heads: BTreeMap<String, RoomHead>,
    pub(crate) rooms: Vec<Option<RoomState>>,
    pub(crate) logs: Vec<Vec<LogEntry>>,
    pub(crate) seen: Vec<Option<u64>>,
    pub(crate) answers: Vec<Option<Vec<u8>>>,
    pub(crate) batches: Vec<Batch>,
    pub(crate) due: Vec<Due>,
    pub(crate) due_now: Vec<Due>,
    pub(crate) due_after: Option<u64>,
    pub(crate) each_batch: Vec<Option<Batch>>,
    pub(crate) queues: Vec<Vec<DeviceItem>>,
    pub(crate) some_items: Vec<Vec<DeviceItem>>,
    pub(crate) package_counts: Vec<u64>,
    pub(crate) packages_by_suite: Vec<u64>,
    pub(crate) packages: Vec<Option<KeyPackageRow>>,
    pub(crate) routes: Vec<Option<Route>>,
    pub(crate) accounts: Vec<Account>,
    pub(crate) devices: Vec<Vec<Device>>,
    pub(crate) tokens: Vec<Option<String>>,
    pub(crate) settings: Vec<Option<Vec<u8>>>,
    pub(crate) assets: Vec<Option<Asset>>,
    pub(crate) asset_bytes: Vec<u64>,
    pub(crate) expired_assets: Vec<String>,
    pub(crate) first_expired: Vec<String>,
}

pub(crate) fn take(store: &dyn Store, now: u64) -> Snapshot {
    let fresh = Freshness {
        min_not_after: now,
        published_since: now.saturating_sub(300),
    };
    let pairs = |outer: u8, inner: u8| (0..outer).flat_map(move |a| (0..inner).map(move |b| (a, b)));
    let due = store.outbox_due(MAX_NUMBER, usize::MAX).unwrap();
    Snapshot {
        heads: store.list_rooms().unwrap(),
        rooms: (0..ROOMS).map(|n| store.load_room(&room(n)).unwrap()).collect(),
        logs: (0..ROOMS)
            .map(|n| store.room_log(&room(n), 0, usize::MAX).unwrap())
            .collect(),
        seen: pairs(ROOMS, HASHES)
            .map(|(r, h)| store.seen_message(&room(r), &hash(h)).unwrap())
            .collect(),
        answers: pairs(FOLLOWERS, HASHES)
            .map(|(f, h)| store.answered(&follower(f), &hash(h)).unwrap())
            .collect(),
        batches: due
            .iter()
            .map(|due| store.outbox_batch(&due.room, &due.follower).unwrap().unwrap())
            .collect(),
        due,
        due_now: store.outbox_due(now, 2).unwrap(),
        due_after: store.outbox_due_after(now).unwrap(),
        each_batch: pairs(ROOMS, FOLLOWERS)
            .map(|(r, f)| store.outbox_batch(&room(r), &follower(f)).unwrap())
            .collect(),
        queues: (0..DEVICES)
            .map(|n| store.device_read(&device(n), 0, usize::MAX, usize::MAX).unwrap())
            .collect(),
        some_items: (0..DEVICES)
            .map(|n| store.device_read(&device(n), 2, 3, 9).unwrap())
            .collect(),
        package_counts: (0..DEVICES)
            .map(|n| store.count_key_packages(&device(n), fresh).unwrap())
            .collect(),
        packages_by_suite: pairs(DEVICES, u8::try_from(SUITES).unwrap())
            .map(|(d, s)| {
                let suite = u16::from(s);
                store.count_key_packages_in(&device(d), suite, fresh).unwrap()
            })
            .collect(),
        packages: pairs(DEVICES, u8::try_from(SUITES).unwrap())
            .map(|(d, s)| store.peek_key_package(&device(d), u16::from(s), fresh).unwrap())
            .collect(),
        routes: (0..REFERENCES).map(|n| store.route(&[n]).unwrap()).collect(),
        accounts: store.list_accounts().unwrap(),
        devices: (0..USERS).map(|n| store.devices(&user(n)).unwrap()).collect(),
        tokens: (0..HASHES).map(|n| store.token(&hash(n), now).unwrap()).collect(),
        settings: (0..HASHES)
            .map(|n| store.setting(&n.to_string()).unwrap())
            .collect(),
        assets: (0..ASSETS).map(|n| store.asset(&asset(n)).unwrap()).collect(),
        asset_bytes: (0..USERS).map(|n| store.asset_bytes(&user(n)).unwrap()).collect(),
        expired_assets: store.expired_assets(now, usize::MAX).unwrap(),
        first_expired: store.expired_assets(now, 1).unwrap(),
    }
}
