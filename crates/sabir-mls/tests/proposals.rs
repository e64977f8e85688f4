//! Proposals on their way into a commit: of leavers, of the hub, and before an external commit.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    reason = "tests"
)]

mod world;

use rand_chacha::ChaCha20Rng;
use sabir_mls::app_data::{AppDataOperation, ComponentRules};
use sabir_mls::group::{
    CommitPlan, ExternalPlan, Group, GroupInfoView, Incoming, OwnCommit, OwnProposal, PublicState,
    join_external_with, join_welcome,
};
use sabir_mls::observer::{Observed, Observer};
use sabir_mls::rows::Rows;
use sabir_mls::{Author, Device, MlsError, key_package};
use sabir_wire::codec::{Decode as _, Encode as _};
use sabir_wire::mls::{
    ComponentId, FramedContent, FramedContentAuthData, FramedContentBody, MlsMessage, Proposal,
    PublicMessage, RatchetTree, SafeAad, Sender, WireFormat,
};
use world::World;

const LIST: u16 = 0x22;

/// A list that takes several updates of one commit and keeps them side by side.
struct Rules;

impl ComponentRules for Rules {
    fn update(&self, _: u16, current: Option<&[u8]>, updates: &[&[u8]]) -> Result<Vec<u8>, String> {
        let mut sorted = updates.to_vec();
        sorted.sort_unstable();
        Ok([current.unwrap_or_default(), &sorted.concat()].concat())
    }
    fn remove(&self, _: u16) -> Result<(), String> {
        Err("stays".into())
    }
    fn takes_several(&self, component: u16) -> bool {
        component == LIST
    }
}

struct Room {
    world: World,
    rng: ChaCha20Rng,
    hub: Observer,
    people: Vec<(Device, Group)>,
    public: PublicState,
}

fn update(text: &str) -> AppDataOperation {
    AppDataOperation::Update(text.as_bytes().to_vec())
}

impl Room {
    /// The creator and three others.
    fn new(seed: u64) -> Self {
        let mut world = World::new(seed);
        let mut rng = world.seed();
        let alice = world.person('a', "alice").device;
        let mut group = world.group(&alice);
        let public = group.public_state(&alice).unwrap();
        let view = GroupInfoView {
            group_info: &public.group_info,
            ratchet_tree: &public.ratchet_tree,
        };
        let (hub, _) = Observer::create(view, &world.judge(), &mut rng).unwrap();
        let mut room = Self {
            world,
            rng,
            hub,
            people: vec![(alice, group)],
            public,
        };
        for name in ["bob", "carol", "dave"] {
            room.add(name);
        }
        room
    }

    fn add(&mut self, name: &str) {
        let device = self.world.person('b', name).device;
        let made = key_package::generate(&device, 1, self.world.now, &mut self.rng)
            .unwrap()
            .remove(0);
        let mut rows = Rows::new();
        made.private.apply_to(&mut rows);
        let package = key_package::verify(&made.bytes, &self.world.anchors, self.world.now).unwrap();
        let plan = CommitPlan {
            adds: vec![package],
            ..CommitPlan::default()
        };
        let commit = self.commit(0, plan);
        self.take(&commit, Some(0));
        let joined = join_welcome(
            rows,
            commit.welcome.as_ref().unwrap(),
            &commit.next.ratchet_tree,
            &self.world.judge(),
            &mut self.rng,
        )
        .unwrap();
        self.people.push((device, joined));
    }

    fn commit(&mut self, who: usize, plan: CommitPlan) -> OwnCommit {
        let (device, group) = &mut self.people[who];
        group.commit(device, plan, &Rules, &mut self.rng).unwrap()
    }

    /// Everybody takes a proposal, its sender too, to whom the log brings it back.
    fn queue(&mut self, proposal: &[u8]) {
        let judge = self.world.judge();
        match self.hub.stage(proposal, &judge, &Rules).unwrap() {
            Observed::Proposal(proposal) => self.hub.queue(*proposal).unwrap(),
            Observed::Commit(_) => panic!("a proposal"),
        }
        for (_, group) in &mut self.people {
            let incoming = group.process(proposal, &judge, &Rules, &mut self.rng).unwrap();
            assert!(matches!(incoming, Incoming::Proposal(_)), "{incoming:?}");
        }
    }

    /// Somebody leaves: a SelfRemove and the change of the list.
    fn leave(&mut self, who: usize, text: &str) -> [OwnProposal; 2] {
        let (device, group) = &mut self.people[who];
        let first = group.propose_self_remove(device, &mut self.rng).unwrap();
        let second = group
            .propose_app_data(device, LIST, &update(text), &mut self.rng)
            .unwrap();
        for proposal in [&first, &second] {
            self.queue(&proposal.message);
        }
        [first, second]
    }

    /// Hub and people take a commit; returns who is out by it.
    fn take(&mut self, commit: &OwnCommit, committer: Option<usize>) -> Vec<usize> {
        let judge = self.world.judge();
        match self.hub.stage(&commit.commit, &judge, &Rules).unwrap() {
            Observed::Commit(staged) => {
                self.hub
                    .check_group_info(&staged, &commit.next.group_info)
                    .unwrap();
                let tree = RatchetTree::from_bytes(&commit.next.ratchet_tree).unwrap();
                self.hub.check_tree(&staged, &tree).unwrap();
                self.hub.merge(*staged).unwrap();
            }
            Observed::Proposal(_) => panic!("a commit"),
        }
        let mut out = Vec::new();
        for (at, (_, group)) in self.people.iter_mut().enumerate() {
            if Some(at) == committer {
                group.merge_own().unwrap();
                continue;
            }
            match group
                .process(&commit.commit, &judge, &Rules, &mut self.rng)
                .unwrap()
            {
                Incoming::Commit(staged) => {
                    if staged.removes_self {
                        out.push(at);
                    }
                    group.merge(*staged).unwrap();
                    assert_eq!(group.is_active(), !out.contains(&at));
                }
                other => panic!("{other:?}"),
            }
        }
        self.public = commit.next.clone();
        out
    }

    fn agree(&self) {
        for (_, group) in self.people.iter().filter(|(_, group)| group.is_active()) {
            assert_eq!(group.transcript_hash(), self.hub.transcript_hash());
            assert!(!group.has_proposals());
        }
    }
}

#[test]
fn two_leavers_and_a_change_by_value_fit_in_one_commit() {
    let mut room = Room::new(1);
    room.leave(1, "-bob");
    room.leave(2, "-carol");
    let (device, group) = &mut room.people[0];
    assert!(matches!(
        group.encrypt(device, vec![], b"no", &mut room.rng),
        Err(MlsError::Invalid(_))
    ));
    let pending: Vec<_> = group.proposals().collect();
    assert_eq!(
        pending
            .iter()
            .map(|it| (it.author, it.removes))
            .collect::<Vec<_>>(),
        [
            (Author::Member(1), Some(1)),
            (Author::Member(1), None),
            (Author::Member(2), Some(2)),
            (Author::Member(2), None)
        ]
    );
    let plan = CommitPlan {
        app_data: vec![(LIST, update("+erin"))],
        ..CommitPlan::default()
    };
    let commit = room.commit(0, plan);
    assert_eq!(room.take(&commit, Some(0)), [1, 2]);
    room.agree();
    let list = room.hub.component(ComponentId(LIST)).unwrap();
    assert_eq!(list, b"participants+erin-bob-carol");
    assert_eq!(
        room.people[3].1.component(ComponentId(LIST)).unwrap(),
        list,
        "folded alike"
    );
    assert_eq!(room.hub.members().count(), 2);
    // Who is out sends nothing more.
    let (device, group) = &mut room.people[1];
    assert!(matches!(
        group.encrypt(device, vec![], b"no", &mut room.rng),
        Err(MlsError::Evicted)
    ));
    assert!(matches!(
        group.propose_self_remove(device, &mut room.rng),
        Err(MlsError::Evicted)
    ));
}

#[test]
fn a_proposal_that_the_hub_refused_is_taken_back() {
    let mut room = Room::new(2);
    let (device, group) = &mut room.people[1];
    let made = [
        group.propose_self_remove(device, &mut room.rng).unwrap(),
        group.propose_remove(device, 2, &mut room.rng).unwrap(),
    ];
    assert!(group.has_proposals());
    let references: Vec<_> = made.iter().map(|it| it.reference.clone()).collect();
    group.withdraw(&references).unwrap();
    group.withdraw(&references).unwrap();
    assert!(!group.has_proposals());
    group
        .encrypt(device, vec![], b"still here", &mut room.rng)
        .unwrap();
    // Nothing of them comes back from the rows.
    let id = group.group_id().to_vec();
    let mut rows = Rows::new();
    group.take_changes().apply_to(&mut rows);
    assert!(!Group::load(rows, &id, &mut room.rng).unwrap().has_proposals());
}

/// A Remove as the hub signs it (`docs/specs.md`: with the empty SafeAAD the group requires).
fn hub_remove(room: &Room, removed: u32) -> Vec<u8> {
    let content = FramedContent {
        group_id: room.hub.group_id().to_vec(),
        epoch: room.hub.epoch(),
        sender: Sender::External { sender_index: 0 },
        authenticated_data: SafeAad::default().to_bytes(),
        body: FramedContentBody::Proposal(Proposal::Remove { removed }),
    };
    let tbs = content.to_be_signed_outside(WireFormat::PUBLIC_MESSAGE);
    let key = &room.world.hub_key;
    let auth = FramedContentAuthData {
        signature: key.sign_with_label("FramedContentTBS", &tbs).unwrap(),
        confirmation_tag: None,
    };
    MlsMessage::Public(Box::new(PublicMessage {
        content,
        auth,
        membership_tag: None,
    }))
    .to_bytes()
}

#[test]
fn the_hubs_removal_is_committed_by_reference() {
    let mut room = Room::new(3);
    let remove = hub_remove(&room, 2);
    room.queue(&remove);
    let pending: Vec<_> = room.people[3].1.proposals().collect();
    assert_eq!(
        (pending[0].author, pending[0].removes, pending[0].self_remove),
        (Author::External(0), Some(2), false)
    );
    let commit = room.commit(3, CommitPlan::default());
    assert_eq!(room.take(&commit, Some(3)), [2]);
    room.agree();
}

#[test]
fn a_return_from_outside_takes_the_pending_leavers_along_and_replaces_the_own_leaf() {
    let mut room = Room::new(4);
    let [self_remove, list] = room.leave(2, "-carol");
    // Dave has lost his state and comes back.
    let (device, _) = room.people.pop().unwrap();
    let public = room.public.clone();
    let view = GroupInfoView {
        group_info: &public.group_info,
        ratchet_tree: &public.ratchet_tree,
    };
    let pending = [list.message, self_remove.message];
    let plan = ExternalPlan {
        self_removes: &pending,
        ..ExternalPlan::default()
    };
    let joined = join_external_with(&device, view, plan, &room.world.judge(), &Rules, &mut room.rng).unwrap();
    let judge = room.world.judge();
    let Observed::Commit(staged) = room.hub.stage(&joined.commit.commit, &judge, &Rules).unwrap() else {
        panic!("a commit");
    };
    let mut removed: Vec<_> = staged
        .facts
        .removes
        .iter()
        .map(|remove| (remove.removed, remove.self_remove))
        .collect();
    removed.sort_unstable();
    assert_eq!(removed, [(2, true), (3, false)]);
    assert_eq!(room.take(&joined.commit, None), [2]);
    room.people.push((device, joined.group));
    room.agree();
    let commit = room.commit(
        3,
        CommitPlan {
            refresh: true,
            ..CommitPlan::default()
        },
    );
    // Carol is out; the others follow whoever came back.
    room.people.remove(2);
    assert!(room.take(&commit, Some(2)).is_empty());
    room.agree();
}
