//! Random lives of real groups: after every step the roster is the observer's list of members.

use rand_chacha::ChaCha20Rng;
use rand_core::RngCore as _;
use sabir_mls::app_data::AppDataOperation;
use sabir_mls::group::{
    CommitPlan, Group, GroupInfoView, Incoming, OwnCommit, PublicState, join_external, join_welcome,
};
use sabir_mls::identity::ClientCredential;
use sabir_mls::observer::{Observed, Observer};
use sabir_mls::{Device, key_package};
use sabir_wire::codec::Decode as _;
use sabir_wire::mls::{
    FramedContent, FramedContentAuthData, FramedContentBody, Proposal, SafeAad, Sender, Welcome, WireFormat,
};

use super::world::{Person, Replace, World};
use super::*;

struct Member {
    device: Device,
    client: ClientUri,
    group: Group,
}

struct Life {
    world: World,
    rng: ChaCha20Rng,
    people: Vec<Person>,
    members: Vec<Member>,
    observer: Observer,
    public: PublicState,
    shell: Shell,
    made: u32,
    sends: Sends,
    /// The leaf that a pending proposal of the hub removes.
    pending: Option<u32>,
}

/// Which batches the hub sends.
#[derive(Clone, Copy, PartialEq)]
enum Sends {
    /// All, from the first Welcome for one of ours on.
    All,
    /// What a hub must: commits while one of ours is in the room, Welcomes for ours.
    WhatItMust,
    /// As it must, but one handshake in six is lost, and devices that join from outside attach themselves.
    LosesSome,
}

fn client_of(device: &Device) -> ClientUri {
    ClientCredential::parse(&device.credential)
        .unwrap()
        .claimed_client()
        .clone()
}

impl Life {
    fn new(seed: u64, sends: Sends) -> Self {
        let mut world = World::new(seed);
        // The hub's people are in the majority where ours are to be absent at times.
        let hubs = if sends == Sends::All { 1 } else { 6 };
        let mut people: Vec<Person> = (0..hubs)
            .map(|at| world.person('a', &format!("alice{at}")))
            .collect();
        people.extend([world.person('b', "bob"), world.person('b', "barbara")]);
        let device = people[0].device.clone();
        let mut group = world.group(&device);
        let public = group.public_state(&device).unwrap();
        let mut rng = world.seed();
        let view = GroupInfoView {
            group_info: &public.group_info,
            ratchet_tree: &public.ratchet_tree,
        };
        let (observer, _) = Observer::create(view, &world.judge(), &mut rng).unwrap();
        let members = vec![Member {
            client: client_of(&device),
            device,
            group,
        }];
        Self {
            world,
            rng,
            people,
            members,
            observer,
            public,
            shell: Shell::new(),
            made: 0,
            sends,
            pending: None,
        }
    }

    fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.rng.next_u64() % bound as u64).unwrap()
    }

    fn device(&mut self) -> Device {
        self.made += 1;
        let person = self.below(self.people.len());
        self.world
            .device(&self.people[person], &format!("device{}", self.made))
    }

    fn ours(&self) -> BTreeSet<ClientUri> {
        self.members
            .iter()
            .map(|member| member.client.clone())
            .filter(|it| it.authority() == &own())
            .collect()
    }

    /// One step of the room's life: what the hub logs of it.
    fn step(&mut self) -> Vec<FanoutMessage> {
        let room_for_more = self.members.len() < 9;
        match self.below(8) {
            0..=2 if room_for_more => {
                let count = self.below(3) + 1;
                let removes = if self.below(3) == 0 { 1 } else { 0 };
                self.commit_of_member(count, removes)
            }
            3 | 4 if self.members.len() > 1 => {
                let count = self.below(2) + 1;
                self.commit_of_member(0, count)
            }
            5 if room_for_more => {
                let device = self.device();
                vec![self.external(device)]
            }
            6 => {
                // Somebody lost their state: the old leaf goes.
                let at = self.below(self.members.len());
                let device = self.members.remove(at).device;
                vec![self.external(device)]
            }
            7 if self.members.len() > 1 => {
                let mut log = vec![self.hub_removes()];
                if room_for_more && self.below(3) == 0 {
                    let device = self.device();
                    log.push(self.external(device));
                } else {
                    log.extend(self.commit_of_member(self.members.len() % 2, 0));
                }
                log
            }
            _ => self.commit_of_member(0, 0),
        }
    }

    fn commit_of_member(&mut self, adds: usize, removes: usize) -> Vec<FanoutMessage> {
        let candidates: Vec<usize> = (0..self.members.len())
            .filter(|at| Some(self.members[*at].group.own_leaf()) != self.pending)
            .collect();
        let at = candidates[self.below(candidates.len())];
        let committer = self.members[at].group.own_leaf();
        let mut leaves: Vec<u32> = self.observer.members().map(|member| member.leaf).collect();
        leaves.retain(|leaf| *leaf != committer && Some(*leaf) != self.pending);
        let mut plan = CommitPlan {
            refresh: true,
            ..CommitPlan::default()
        };
        for _ in 0..removes.min(leaves.len()) {
            let at = self.below(leaves.len());
            plan.removes.push(leaves.remove(at));
        }
        if self.below(3) == 0 {
            plan.app_data
                .push((0x22, AppDataOperation::Update(self.made.to_be_bytes().to_vec())));
        }
        let mut fresh = Vec::new();
        for _ in 0..adds {
            let device = self.device();
            let made = key_package::generate(&device, 1, self.world.now, &mut self.rng)
                .unwrap()
                .remove(0);
            plan.adds
                .push(key_package::verify(&made.bytes, &self.world.anchors, self.world.now).unwrap());
            let client = client_of(&device);
            if client.authority() == &own() {
                self.shell.routes.insert(made.reference.clone(), client);
            }
            let mut rows = Rows::new();
            made.private.apply_to(&mut rows);
            fresh.push((device, rows));
        }
        let Member { device, group, .. } = &mut self.members[at];
        let commit = group.commit(device, plan, &Replace, &mut self.rng).unwrap();
        let message = self.accept(&commit, Some(at));
        let mut log = vec![message];
        if let Some(welcome) = &commit.welcome {
            for (device, rows) in fresh {
                let judge = self.world.judge();
                let tree = &commit.next.ratchet_tree;
                let group = join_welcome(rows, welcome, tree, &judge, &mut self.rng).unwrap();
                self.members.push(Member {
                    client: client_of(&device),
                    device,
                    group,
                });
            }
            let body = FanoutBody::Welcome {
                message: Box::new(MlsMessage::Welcome(Welcome::from_bytes(welcome).unwrap())),
                ratchet_tree_option: RatchetTreeOption::Full(
                    RatchetTree::from_bytes(&commit.next.ratchet_tree).unwrap(),
                ),
            };
            let at = self.below(2);
            log.insert(
                at,
                FanoutMessage {
                    timestamp: self.world.now,
                    body,
                },
            );
        }
        log
    }

    /// The hub proposes to remove a member, in a message of its own that commits refer to.
    fn hub_removes(&mut self) -> FanoutMessage {
        let at = self.below(self.members.len());
        let removed = self.members[at].group.own_leaf();
        let content = FramedContent {
            group_id: self.observer.group_id().to_vec(),
            epoch: self.observer.epoch(),
            sender: Sender::External { sender_index: 0 },
            authenticated_data: SafeAad::default().to_bytes(),
            body: FramedContentBody::Proposal(Proposal::Remove { removed }),
        };
        let tbs = content.to_be_signed_outside(WireFormat::PUBLIC_MESSAGE);
        let signature = self
            .world
            .hub_key
            .sign_with_label("FramedContentTBS", &tbs)
            .unwrap();
        let auth = FramedContentAuthData {
            signature,
            confirmation_tag: None,
        };
        let message = MlsMessage::Public(Box::new(PublicMessage {
            content,
            auth,
            membership_tag: None,
        }));
        let bytes = message.to_bytes();
        let judge = self.world.judge();
        match self.observer.stage(&bytes, &judge, &Replace).unwrap() {
            Observed::Proposal(proposal) => self.observer.queue(*proposal).unwrap(),
            Observed::Commit(_) => panic!("a proposal"),
        }
        for member in &mut self.members {
            let incoming = member
                .group
                .process(&bytes, &judge, &Replace, &mut self.rng)
                .unwrap();
            assert!(matches!(incoming, Incoming::Proposal(_)));
        }
        self.pending = Some(removed);
        let body = FanoutBody::Proposal {
            message: Box::new(message),
            more_proposals: Vec::new(),
        };
        FanoutMessage {
            timestamp: self.world.now,
            body,
        }
    }

    fn external(&mut self, device: Device) -> FanoutMessage {
        let view = GroupInfoView {
            group_info: &self.public.group_info,
            ratchet_tree: &self.public.ratchet_tree,
        };
        let join = join_external(&device, view, &[], &self.world.judge(), &Replace, &mut self.rng).unwrap();
        let message = self.accept(&join.commit, None);
        self.members.push(Member {
            client: client_of(&device),
            device,
            group: join.group,
        });
        message
    }

    /// Hub and members take a commit; whom it removes is gone.
    fn accept(&mut self, commit: &OwnCommit, committer: Option<usize>) -> FanoutMessage {
        let judge = self.world.judge();
        match self.observer.stage(&commit.commit, &judge, &Replace).unwrap() {
            Observed::Commit(staged) => {
                let tree = RatchetTree::from_bytes(&commit.next.ratchet_tree).unwrap();
                self.observer.check_tree(&staged, &tree).unwrap();
                self.observer.merge(*staged).unwrap();
            }
            Observed::Proposal(_) => panic!("a commit"),
        }
        let mut removed = Vec::new();
        for (at, member) in self.members.iter_mut().enumerate() {
            if Some(at) == committer {
                member.group.merge_own().unwrap();
                continue;
            }
            match member
                .group
                .process(&commit.commit, &judge, &Replace, &mut self.rng)
                .unwrap()
            {
                Incoming::Commit(staged) => member.group.merge(*staged).unwrap(),
                other => panic!("{other:?}"),
            }
            if !member.group.is_active() {
                removed.push(member.client.clone());
            }
        }
        self.members.retain(|member| !removed.contains(&member.client));
        self.public = commit.next.clone();
        self.pending = None;
        let message = Box::new(MlsMessage::from_bytes(&commit.commit).unwrap());
        let body = FanoutBody::Commit {
            message,
            external_proposals: Vec::new(),
        };
        FanoutMessage {
            timestamp: self.world.now,
            body,
        }
    }

    /// The observer's members, in the roster's form.
    fn expected(&self) -> Vec<(u32, Option<ClientUri>)> {
        let client = |credential: &[u8]| {
            ClientCredential::parse(credential)
                .unwrap()
                .claimed_client()
                .clone()
        };
        self.observer
            .members()
            .map(|member| (member.leaf, Some(client(&member.credential))))
            .collect()
    }

    /// Lives on, and gives the number of steps after which the roster was exact, and how many were stale.
    fn lives(&mut self, steps: usize) -> (usize, usize) {
        let (mut exact, mut stale, mut followed, sends) = (0, 0, false, self.sends);
        for _ in 0..steps {
            let before = self.ours();
            let log = self.step();
            let after = self.ours();
            let sent: Vec<FanoutMessage> = log
                .into_iter()
                .filter(|message| match (&message.body, sends) {
                    (FanoutBody::Welcome { .. }, Sends::All) => true,
                    (FanoutBody::Welcome { message, .. }, _) => match message.as_ref() {
                        MlsMessage::Welcome(welcome) => welcome
                            .new_members()
                            .any(|new| self.shell.routes.contains_key(new)),
                        _ => false,
                    },
                    (_, Sends::All) => followed,
                    (_, _) => !before.is_empty() || !after.is_empty(),
                })
                .collect();
            // Right after a tree the next handshake is what tells its epoch.
            let lossy = sends == Sends::LosesSome && self.shell.follower.epoch().is_some();
            let sent: Vec<FanoutMessage> = sent
                .into_iter()
                .filter(|message| {
                    matches!(message.body, FanoutBody::Welcome { .. }) || !lossy || self.below(6) > 0
                })
                .collect();
            if sends == Sends::LosesSome {
                after
                    .difference(&before)
                    .for_each(|client| self.shell.attach(client));
                before
                    .difference(&after)
                    .for_each(|client| self.shell.detach(client));
            }
            if sent.is_empty() {
                continue;
            }
            let effects = self.shell.takes(&sent);
            self.check(&effects, &sent, &before, &after);
            let follower = &self.shell.follower;
            let receivers = follower.membership.receivers(&own());
            assert!(
                receivers.is_superset(&after),
                "nobody is forgotten: {receivers:?} {after:?}"
            );
            let has_roster = follower.roster().next().is_some();
            let current = follower
                .epoch()
                .is_none_or(|epoch| epoch == self.observer.epoch());
            if has_roster && current {
                let roster: Vec<_> = follower
                    .roster()
                    .map(|(leaf, client)| (leaf, client.cloned()))
                    .collect();
                assert_eq!(roster, self.expected());
                exact += 1;
                followed = true;
            } else {
                assert!(
                    sends != Sends::All || !followed,
                    "with everything sent the roster stays in step"
                );
                stale += usize::from(followed);
            }
            if follower.epoch() == Some(self.observer.epoch()) {
                assert_eq!(receivers, after);
                assert_eq!(follower.leaves_room(&own()), after.is_empty());
            }
        }
        (exact, stale)
    }

    fn check(
        &self,
        effects: &Effects,
        sent: &[FanoutMessage],
        before: &BTreeSet<ClientUri>,
        after: &BTreeSet<ClientUri>,
    ) {
        for (event, message) in effects.events.iter().zip(sent) {
            let devices: BTreeSet<ClientUri> = event.devices.iter().cloned().collect();
            match &message.body {
                FanoutBody::Welcome { message, .. } => {
                    let MlsMessage::Welcome(welcome) = message.as_ref() else {
                        panic!("a Welcome")
                    };
                    let routed = welcome
                        .new_members()
                        .filter_map(|new| self.shell.routes.get(new))
                        .cloned();
                    assert_eq!(devices, routed.collect());
                }
                FanoutBody::Commit { message, .. } => {
                    let MlsMessage::Public(public) = message.as_ref() else {
                        panic!("a commit")
                    };
                    let joiner = joiner(&own(), public);
                    assert!(
                        devices.is_superset(before),
                        "a removed device gets it: {devices:?} {before:?}"
                    );
                    if let Some(joiner) = joiner {
                        assert!(devices.contains(&joiner) && after.contains(&joiner));
                    }
                }
                _ => assert!(devices.is_superset(before)),
            }
        }
    }
}

#[test]
fn the_roster_is_the_observers_list_of_members() {
    let mut exact = 0;
    for seed in [21, 22] {
        exact += Life::new(seed, Sends::All).lives(100).0;
    }
    assert!(exact > 150, "{exact}");
}

#[test]
fn a_follower_with_gaps_forgets_nobody_and_finds_back() {
    for (sends, least) in [(Sends::WhatItMust, 1), (Sends::LosesSome, 50)] {
        let (mut exact, mut stale) = (0, 0);
        for seed in [31, 32, 33] {
            let (more, gaps) = Life::new(seed, sends).lives(80);
            exact += more;
            stale += gaps;
        }
        assert!(exact > 50 && stale >= least, "{exact} {stale}");
    }
}
