//! Random commands over a small world, where collisions are frequent.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use sabir_store::{
    AcceptFanout, AckOutcome, AddDevice, Answer, Apply, BeginAsset, CreateAccount, CreateInvite, CreateRoom,
    DropAssets, Enqueue, FinishAsset, Freshness, GiveUpAsset, KeyPackagePick, KeyPackageRow, MAX_NUMBER,
    Notice, OutboxAck, OutboxDefer, OutboxExpire, PublishKeyPackages, PutToken, RecordRoutes, RecoverAccount,
    Retention, RoomEvent, RoomKind, RoomVersion, RoomWrite, RouteRow, Store, StoreError, TakeKeyPackages,
};

use crate::snapshot::{
    ASSETS, DEVICES, FOLLOWERS, HASHES, REFERENCES, ROOMS, SUITES, USERS, asset, device, follower, hash,
    room, user,
};

#[derive(Debug, Clone)]
pub(crate) enum Action {
    Restart,
    Create {
        kind: RoomKind,
        hub: u8,
        write: Write,
    },
    Apply {
        expect: Expect,
        write: Write,
    },
    Fanout {
        hub: u8,
        expect: Expect,
        write: Write,
    },
    OutboxAck {
        room: u8,
        follower: u8,
        off: u64,
    },
    OutboxDefer {
        room: u8,
        follower: u8,
        off: u64,
        delay: u64,
    },
    OutboxExpire {
        age: u64,
    },
    Enqueue {
        notices: Vec<(u8, Vec<u8>)>,
        answer: Option<(u8, u8)>,
    },
    DeviceAck {
        device: u8,
        after_first: u64,
    },
    Publish {
        device: u8,
        packages: Vec<(u8, u16, u64)>,
    },
    Take {
        request: u8,
        picks: Vec<(u8, Vec<u16>)>,
        fresh: bool,
    },
    Routes {
        routes: Vec<(u8, u8, u64)>,
    },
    Invite {
        token: u8,
        lifetime: u64,
        uses: u32,
    },
    Account {
        invite: u8,
        user: u8,
        name: u8,
        key: u8,
    },
    Recover {
        user: u8,
        shown: u8,
        key: u8,
        next: u8,
    },
    AddDevice {
        user: u8,
        device: u8,
        credential: u8,
        key: u8,
        list: u8,
        version: u64,
    },
    PutToken {
        token: u8,
        device: u8,
        lifetime: u64,
    },
    Revoke {
        device: u8,
    },
    Begin {
        id: u8,
        owner: u8,
        size: u64,
        hash: u8,
        quota: u64,
        lifetime: u64,
    },
    Finish {
        id: u8,
        lifetime: u64,
    },
    GiveUp {
        id: u8,
        owner: u8,
    },
    DropAssets {
        ids: Vec<u8>,
    },
    Setting {
        key: u8,
        value: Vec<u8>,
    },
    Expire {
        log: u64,
        hashes: u64,
        answers: u64,
    },
}

/// A room write before names and times are filled in.
#[derive(Debug, Clone)]
pub(crate) struct Write {
    pub(crate) room: u8,
    epoch: u64,
    deletes: Vec<u8>,
    puts: Vec<(u8, u8)>,
    events: Vec<Event>,
    spent: Vec<u8>,
    answer: Option<(u8, u8)>,
}

#[derive(Debug, Clone)]
struct Event {
    body: Vec<u8>,
    hash: Option<u8>,
    devices: Vec<u8>,
    followers: Vec<u8>,
}

/// Which version a write names.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Expect {
    Current,
    Missing,
    OtherEpoch,
    OtherSeq,
    OtherFence,
}

/// What a command answered, in a form that can be compared.
#[derive(Debug, PartialEq)]
pub(crate) enum Outcome {
    Restarted,
    Done(String),
    Conflict(String),
    Misuse(String),
    Failed(String),
}

impl Write {
    fn fill(self, now: u64) -> RoomWrite {
        RoomWrite {
            room: room(self.room),
            new_epoch: self.epoch,
            row_deletes: self.deletes.into_iter().map(|key| vec![key]).collect(),
            row_puts: self
                .puts
                .into_iter()
                .map(|(key, value)| (vec![key], vec![value]))
                .collect(),
            events: self.events.into_iter().map(Event::fill).collect(),
            spent_routes: self.spent.into_iter().map(|reference| vec![reference]).collect(),
            answer: self.answer.map(answer),
            now,
        }
    }
}

impl Event {
    fn fill(self) -> RoomEvent {
        RoomEvent {
            kind: u16::try_from(self.body.len()).unwrap(),
            body: self.body,
            message_hash: self.hash.map(hash),
            devices: self.devices.into_iter().map(device).collect(),
            followers: self.followers.into_iter().map(follower).collect(),
        }
    }
}

fn answer((origin, request): (u8, u8)) -> Answer {
    Answer {
        origin: follower(origin),
        request_hash: hash(request),
        response: vec![origin, request],
    }
}

/// Runs the action. `version` is the room's version that the action means when it says "current".
pub(crate) fn run(
    store: &dyn Store,
    action: Action,
    version: Option<RoomVersion>,
    batch: u64,
    now: u64,
) -> Outcome {
    match action {
        Action::Restart => Outcome::Restarted,
        Action::Create { kind, hub, write } => outcome(
            store
                .create_room(CreateRoom {
                    kind,
                    hub_domain: follower(hub),
                    write: write.fill(now),
                })
                .wait(),
        ),
        Action::Apply { expect, write } => {
            let expect = expect.of(version).unwrap_or(RoomVersion {
                epoch: 0,
                next_seq: 1,
                fence: 1,
            });
            outcome(
                store
                    .apply(Apply {
                        expect,
                        write: write.fill(now),
                    })
                    .wait(),
            )
        }
        Action::Fanout { hub, expect, write } => {
            let command = AcceptFanout {
                hub_domain: follower(hub),
                expect: expect.of(version),
                write: write.fill(now),
            };
            outcome(store.accept_fanout(command).wait())
        }
        Action::OutboxAck {
            room: r,
            follower: f,
            off,
        } => {
            let command = OutboxAck {
                room: room(r),
                follower: follower(f),
                last_seq: batch + off,
                now,
            };
            let result = store.outbox_ack(command).wait();
            assert!(
                off == 0 || matches!(result, Ok(AckOutcome::NotInFlight)),
                "acknowledged another batch"
            );
            outcome(result)
        }
        Action::OutboxDefer {
            room: r,
            follower: f,
            off,
            delay,
        } => {
            let (room, follower) = (room(r), follower(f));
            let next_attempt_at = now + delay;
            let command = OutboxDefer {
                room,
                follower,
                last_seq: batch + off,
                attempts: 7,
                next_attempt_at,
            };
            outcome(store.outbox_defer(command).wait())
        }
        Action::OutboxExpire { age } => outcome(
            store
                .outbox_expire(OutboxExpire {
                    before: now.saturating_sub(age),
                    now,
                })
                .wait(),
        ),
        Action::Enqueue {
            notices,
            answer: answered,
        } => {
            let notices = notices
                .into_iter()
                .map(|(d, body)| Notice {
                    device: device(d),
                    kind: 9,
                    body,
                })
                .collect();
            outcome(
                store
                    .device_enqueue(Enqueue {
                        notices,
                        answer: answered.map(answer),
                        now,
                    })
                    .wait(),
            )
        }
        Action::DeviceAck {
            device: d,
            after_first,
        } => {
            let first = store
                .device_read(&device(d), 0, 1, 0)
                .unwrap()
                .first()
                .map_or(0, |item| item.cursor);
            outcome(store.device_ack(&device(d), first + after_first).wait())
        }
        Action::Expire {
            log: log_ms,
            hashes: hashes_ms,
            answers: answers_ms,
        } => outcome(store.expire(
            now,
            Retention {
                log_ms,
                hashes_ms,
                answers_ms,
            },
        )),
        Action::Setting { key, value } => outcome(store.put_setting(&key.to_string(), value).wait()),
        other => run_people(store, other, now),
    }
}

fn run_people(store: &dyn Store, action: Action, now: u64) -> Outcome {
    match action {
        Action::Publish { device: d, packages } => {
            let package = |(reference, suite, lifetime): (u8, u16, u64)| KeyPackageRow {
                reference: vec![reference],
                bytes: vec![reference; 3],
                suite,
                not_after: (now + lifetime).saturating_sub(50),
                published_at: now,
            };
            let packages = packages.into_iter().map(package).collect();
            outcome(
                store
                    .publish_key_packages(PublishKeyPackages {
                        device: device(d),
                        user: user(0),
                        packages,
                    })
                    .wait(),
            )
        }
        Action::Take {
            request,
            picks,
            fresh,
        } => {
            let picks = picks
                .into_iter()
                .map(|(d, suites)| KeyPackagePick {
                    device: device(d),
                    suites,
                })
                .collect();
            let fresh = if fresh {
                Freshness {
                    min_not_after: now + 50,
                    published_since: now.saturating_sub(200),
                }
            } else {
                Freshness::default()
            };
            outcome(
                store
                    .take_key_packages(TakeKeyPackages {
                        request_key: hash(request),
                        picks,
                        fresh,
                        now,
                    })
                    .wait(),
            )
        }
        Action::Routes { routes } => {
            let route = |(reference, provider, lifetime): (u8, u8, u64)| RouteRow {
                reference: vec![reference],
                provider: follower(provider),
                expires_at: now + lifetime,
            };
            outcome(
                store
                    .record_routes(RecordRoutes {
                        routes: routes.into_iter().map(route).collect(),
                    })
                    .wait(),
            )
        }
        Action::Invite {
            token,
            lifetime,
            uses,
        } => {
            let command = CreateInvite {
                token_hash: hash(token),
                expires_at: now + lifetime,
                uses,
            };
            outcome(store.create_invite(command).wait())
        }
        Action::Account {
            invite,
            user: u,
            name,
            key,
        } => {
            let command = CreateAccount {
                invite: hash(invite),
                user: user(u),
                name: name.to_string(),
                identity_key: vec![key],
                user_certificate: vec![key, u],
                recovery_commitment: vec![u],
                now,
            };
            outcome(store.create_account(command).wait())
        }
        Action::Recover {
            user: u,
            shown,
            key,
            next,
        } => {
            let command = RecoverAccount {
                user: user(u),
                shown: vec![shown],
                identity_key: vec![key],
                user_certificate: vec![key, u],
                recovery_commitment: vec![next],
            };
            outcome(store.recover_account(command).wait())
        }
        Action::AddDevice {
            user: u,
            device: d,
            credential,
            key,
            list,
            version,
        } => {
            let command = AddDevice {
                user: user(u),
                identity_key: vec![list],
                client_uri: device(d),
                credential: vec![credential],
                signature_key: vec![key],
                device_list: vec![list],
                device_list_version: version,
                now,
            };
            outcome(store.add_device(command).wait())
        }
        Action::PutToken {
            token,
            device: d,
            lifetime,
        } => {
            let command = PutToken {
                token_hash: hash(token),
                client_uri: device(d),
                expires_at: now + lifetime,
            };
            outcome(store.put_token(command).wait())
        }
        Action::Begin {
            id,
            owner,
            size,
            hash: h,
            quota,
            lifetime,
        } => {
            let command = BeginAsset {
                id: asset(id),
                owner: user(owner),
                size,
                hash: hash(h),
                quota,
                most: 3,
                expires_at: now + lifetime,
                now,
            };
            outcome(store.begin_asset(command).wait())
        }
        Action::Finish { id, lifetime } => {
            let command = FinishAsset {
                id: asset(id),
                expires_at: now + lifetime,
                now,
            };
            outcome(store.finish_asset(command).wait())
        }
        Action::GiveUp { id, owner } => {
            let command = GiveUpAsset {
                id: asset(id),
                owner: user(owner),
                now,
            };
            outcome(store.give_up_asset(command).wait())
        }
        Action::DropAssets { ids } => {
            let ids = ids.into_iter().map(asset).collect();
            outcome(store.drop_assets(DropAssets { ids, now }).wait())
        }
        Action::Revoke { device: d } => outcome(store.revoke_tokens(&device(d)).wait()),
        other => panic!("not run: {other:?}"),
    }
}

impl Expect {
    fn of(self, version: Option<RoomVersion>) -> Option<RoomVersion> {
        let version = version?;
        match self {
            Self::Current => Some(version),
            Self::Missing => None,
            Self::OtherEpoch => Some(RoomVersion {
                epoch: version.epoch + 1,
                ..version
            }),
            Self::OtherSeq => Some(RoomVersion {
                next_seq: version.next_seq + 1,
                ..version
            }),
            Self::OtherFence => Some(RoomVersion {
                fence: version.fence + 1,
                ..version
            }),
        }
    }
}

fn outcome<T: std::fmt::Debug>(result: Result<T, StoreError>) -> Outcome {
    match result {
        Ok(done) => Outcome::Done(format!("{done:?}")),
        Err(StoreError::Conflict { current }) => Outcome::Conflict(format!("{current:?}")),
        Err(StoreError::Misuse(bound)) => Outcome::Misuse(bound.to_owned()),
        Err(other) => Outcome::Failed(format!("{other:?}")),
    }
}

pub(crate) fn actions() -> impl Strategy<Value = Vec<(Action, u64)>> {
    vec((action(), prop_oneof![4 => 0_u64..5, 1 => 20_u64..200]), 1..60)
}

fn action() -> impl Strategy<Value = Action> {
    let expect = prop_oneof![
        6 => Just(Expect::Current),
        1 => Just(Expect::Missing),
        1 => Just(Expect::OtherEpoch),
        1 => Just(Expect::OtherSeq),
        1 => Just(Expect::OtherFence),
    ];
    // Mostly the batch in flight and the right hub.
    let off = prop_oneof![4 => Just(0_u64), 1 => 1_u64..3];
    let hub = || prop_oneof![5 => Just(0_u8), 1 => Just(1_u8)];
    let kind = prop_oneof![Just(RoomKind::Hub), Just(RoomKind::Follower)];
    let version = prop_oneof![8 => 1_u64..6, 1 => Just(0), 1 => Just(MAX_NUMBER + 1)];
    let rooms = prop_oneof![
        2 => (kind, hub(), write()).prop_map(|(kind, hub, write)| Action::Create { kind, hub, write }),
        10 => (expect.clone(), write()).prop_map(|(expect, write)| Action::Apply { expect, write }),
        5 => (hub(), expect, write()).prop_map(|(hub, expect, write)| Action::Fanout { hub, expect, write }),
        6 => (0..ROOMS, 0..FOLLOWERS, off.clone())
            .prop_map(|(room, follower, off)| Action::OutboxAck { room, follower, off }),
        2 => (0..ROOMS, 0..FOLLOWERS, off, 0_u64..99)
            .prop_map(|(room, follower, off, delay)| Action::OutboxDefer { room, follower, off, delay }),
        1 => (0_u64..300).prop_map(|age| Action::OutboxExpire { age }),
        3 => (vec((0..DEVICES, body()), 0..3), answered())
            .prop_map(|(notices, answer)| Action::Enqueue { notices, answer }),
        4 => (0..DEVICES, 0_u64..6).prop_map(|(device, after_first)| Action::DeviceAck { device, after_first }),
        1 => (0_u64..300, 0_u64..300, 0_u64..300)
            .prop_map(|(log, hashes, answers)| Action::Expire { log, hashes, answers }),
        1 => (0..HASHES, body()).prop_map(|(key, value)| Action::Setting { key, value }),
        1 => Just(Action::Restart),
    ];
    let people = prop_oneof![
        3 => (0..DEVICES, vec((0..REFERENCES, 0..SUITES, 0_u64..400), 0..4))
            .prop_map(|(device, packages)| Action::Publish { device, packages }),
        3 => (0..HASHES, vec((0..DEVICES, vec(0..SUITES, 0..3)), 0..3), any::<bool>())
            .prop_map(|(request, picks, fresh)| Action::Take { request, picks, fresh }),
        1 => vec((0..REFERENCES, 0..FOLLOWERS, 0_u64..300), 0..3).prop_map(|routes| Action::Routes { routes }),
        1 => (0_u8..3, 0_u64..300, 0_u32..3)
            .prop_map(|(token, lifetime, uses)| Action::Invite { token, lifetime, uses }),
        2 => (0_u8..3, 0..USERS, 0_u8..2, 0_u8..2)
            .prop_map(|(invite, user, name, key)| Action::Account { invite, user, name, key }),
        3 => (0..USERS, 0..DEVICES, 0_u8..2, 0_u8..2, 0_u8..2, version).prop_map(
            |(user, device, credential, key, list, version)| {
                Action::AddDevice { user, device, credential, key, list, version }
            }
        ),
        1 => (0..HASHES, 0..DEVICES, 0_u64..300)
            .prop_map(|(token, device, lifetime)| Action::PutToken { token, device, lifetime }),
        1 => (0..DEVICES).prop_map(|device| Action::Revoke { device }),
        1 => (0..USERS, 0..USERS, 0_u8..3, 0..USERS)
            .prop_map(|(user, shown, key, next)| Action::Recover { user, shown, key, next }),
    ];
    let size = prop_oneof![8 => 1_u64..6, 1 => Just(0), 1 => Just(MAX_NUMBER + 1)];
    let quota = prop_oneof![8 => 4_u64..20, 1 => Just(MAX_NUMBER)];
    let assets = prop_oneof![
        4 => (0..ASSETS, 0..USERS, size, 0_u8..3, quota, 0_u64..200).prop_map(
            |(id, owner, size, hash, quota, lifetime)| {
                Action::Begin { id, owner, size, hash, quota, lifetime }
            }
        ),
        2 => (0..ASSETS, 0_u64..300).prop_map(|(id, lifetime)| Action::Finish { id, lifetime }),
        1 => (0..ASSETS, 0..USERS).prop_map(|(id, owner)| Action::GiveUp { id, owner }),
        2 => vec(0..ASSETS, 0..4).prop_map(|ids| Action::DropAssets { ids }),
    ];
    prop_oneof![6 => rooms, 2 => people, 1 => assets]
}

fn write() -> impl Strategy<Value = Write> {
    let epoch = prop_oneof![20 => 0_u64..4, 1 => Just(MAX_NUMBER + 1)];
    let rows = (vec(0_u8..5, 0..3), vec((0_u8..5, any::<u8>()), 0..3));
    (
        0..ROOMS,
        epoch,
        rows,
        vec(event(), 0..4),
        vec(0..REFERENCES, 0..2),
        answered(),
    )
        .prop_map(|(room, epoch, (deletes, puts), events, spent, answer)| Write {
            room,
            epoch,
            deletes,
            puts,
            events,
            spent,
            answer,
        })
}

fn event() -> impl Strategy<Value = Event> {
    let devices = vec(0..DEVICES, 0..4);
    let followers = vec(0..FOLLOWERS, 0..3);
    (body(), option::of(0..HASHES), devices, followers).prop_map(|(body, hash, devices, followers)| Event {
        body,
        hash,
        devices,
        followers,
    })
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    vec(any::<u8>(), 0..9)
}

fn answered() -> impl Strategy<Value = Option<(u8, u8)>> {
    option::weighted(0.2, (0..FOLLOWERS, 0..HASHES))
}
