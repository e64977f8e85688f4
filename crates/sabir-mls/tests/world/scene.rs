//! A room of Alice, Bob and Carol with its hub, and rogues who hold Alice's and Bob's state.

use openmls::prelude::{Capabilities, Extension, KeyPackage, Proposal};
use rand_chacha::ChaCha20Rng;
use sabir_mls::group::{CommitPlan, Group, GroupInfoView, Incoming, OwnCommit, PublicState, join_welcome};
use sabir_mls::keys::sha256;
use sabir_mls::observer::{Observed, Observer};
use sabir_mls::rows::Rows;
use sabir_mls::{CommitFacts, Device, Judge, MlsError, key_package};
use sabir_wire::codec::Decode as _;
use sabir_wire::mls::RatchetTree;

use super::forge::Forge;
use super::rogue::{Leaf, Made, Rogue};
use super::world::Replace;

pub const GROUP: &[u8] = b"mimi://a.example/g/test";

/// A member and what it has on disk.
pub struct Member {
    pub device: Device,
    pub group: Group,
    pub rows: Rows,
}

/// The room. The certificates of `forge` are Alice's.
pub struct Scene {
    pub forge: Forge,
    pub hub: Observer,
    pub hub_rows: Rows,
    pub alice: Member,
    pub bob: Member,
    pub carol: Member,
    pub now: PublicState,
}

impl Scene {
    /// A room as our own clients make it.
    pub fn new(seed: u64) -> Self {
        let mut forge = Forge::new(seed);
        let alice = first(&forge);
        let group = forge.world.group(&alice);
        Self::of(forge, Member::new(alice, group))
    }

    /// A room that a rogue made: its context is given, and the library allows what it does not forbid.
    pub fn made_by_rogue(seed: u64, context: impl FnOnce(&mut Forge) -> Vec<Extension>) -> Self {
        let mut forge = Forge::new(seed);
        let context = context(&mut forge);
        let alice = first(&forge);
        let mut rng = forge.world.seed();
        let rogue = Rogue::create(&forge.good(), GROUP, context, &mut rng).unwrap();
        let rows = rogue.rows();
        let group = Group::load(rows.clone(), GROUP, &mut rng).unwrap();
        Self::of(
            forge,
            Member {
                device: alice,
                group,
                rows,
            },
        )
    }

    fn of(mut forge: Forge, mut alice: Member) -> Self {
        let mut rng = forge.world.seed();
        let start = alice.group.public_state(&alice.device).unwrap();
        let (mut hub, _) = Observer::create(view(&start), &judge(&forge), &mut rng).unwrap();
        let bob = forge.world.person('b', "bob").device;
        let carol = forge.world.person('b', "carol").device;
        let mut packages = Vec::new();
        let mut rows = Vec::new();
        for device in [&bob, &carol] {
            let made = key_package::generate(device, 1, forge.world.now, &mut rng)
                .unwrap()
                .remove(0);
            let mut private = Rows::new();
            made.private.apply_to(&mut private);
            rows.push(private);
            packages.push(key_package::verify(&made.bytes, &forge.world.anchors, forge.world.now).unwrap());
        }
        let plan = CommitPlan {
            adds: packages,
            ..CommitPlan::default()
        };
        let commit = alice
            .group
            .commit(&alice.device, plan, &Replace, &mut rng)
            .unwrap();
        accept(&mut hub, &forge, &commit).unwrap();
        alice.group.merge_own().unwrap();
        alice.group.take_changes().apply_to(&mut alice.rows);
        let mut join = |device: Device| {
            let welcome = commit.welcome.as_ref().unwrap();
            let tree = &commit.next.ratchet_tree;
            let rows = rows.remove(0);
            let group = join_welcome(rows, welcome, tree, &judge(&forge), &mut rng).unwrap();
            Member::new(device, group)
        };
        let (bob, carol) = (join(bob), join(carol));
        let mut hub_rows = Rows::new();
        hub.take_changes().apply_to(&mut hub_rows);
        Self {
            alice,
            bob,
            carol,
            hub,
            hub_rows,
            forge,
            now: commit.next,
        }
    }

    pub fn rng(&mut self) -> ChaCha20Rng {
        self.forge.world.seed()
    }

    /// Alice's state in the hands of somebody who ignores our rules.
    pub fn rogue_alice(&mut self) -> Rogue {
        let mut rng = self.rng();
        Rogue::load(&self.alice.rows, GROUP, &mut rng)
    }

    pub fn rogue_bob(&mut self) -> Rogue {
        let mut rng = self.rng();
        Rogue::load(&self.bob.rows, GROUP, &mut rng)
    }

    /// A commit of rogue Alice.
    pub fn alice_commits(&mut self, leaf: Option<&Leaf>, adds: Vec<KeyPackage>) -> Made<OwnCommit> {
        let key = self.alice.device.key.clone();
        self.rogue_alice().commit(&key, leaf, (adds, vec![]), |_| {})
    }

    /// Everything that hub and members hold, persisted or not, as one hash.
    pub fn hash(&mut self) -> [u8; 32] {
        let mut bytes = Vec::new();
        let mut put = |part: &[u8]| {
            bytes.extend_from_slice(&u64::try_from(part.len()).unwrap().to_be_bytes());
            bytes.extend_from_slice(part);
        };
        let rows = |rows: &Rows, put: &mut dyn FnMut(&[u8])| {
            for (key, value) in rows {
                put(key);
                put(value);
            }
        };
        self.hub.take_changes().apply_to(&mut self.hub_rows);
        rows(&self.hub_rows, &mut put);
        put(&self.hub.epoch().to_be_bytes());
        put(self.hub.transcript_hash());
        put(&self.hub.ratchet_tree().unwrap());
        for member in [&mut self.alice, &mut self.bob, &mut self.carol] {
            member.group.take_changes().apply_to(&mut member.rows);
            rows(&member.rows, &mut put);
            put(&member.group.epoch().to_be_bytes());
            put(member.group.transcript_hash());
            put(&[u8::from(member.group.has_pending_commit())]);
            for leaf in member.group.members() {
                put(&leaf.leaf.to_be_bytes());
                put(&leaf.credential);
                put(&leaf.signature_key);
            }
        }
        sha256(&bytes)
    }

    /// The hub's answer to a commit.
    pub fn at_hub(&mut self, commit: &OwnCommit) -> Result<(), MlsError> {
        let judge = judge(&self.forge);
        at_hub(&mut self.hub, &judge, &commit.commit)
    }

    /// Carol's answer to a commit.
    pub fn at_carol(&mut self, commit: &OwnCommit) -> Result<(), MlsError> {
        let mut rng = self.rng();
        let judge = judge(&self.forge);
        at_member(&mut self.carol.group, &judge, &commit.commit, &mut rng)
    }

    /// An honest commit of Bob's, and everybody takes it.
    pub fn goes_on(&mut self) {
        let mut rng = self.rng();
        let plan = CommitPlan {
            refresh: true,
            ..CommitPlan::default()
        };
        let commit = self
            .bob
            .group
            .commit(&self.bob.device, plan, &Replace, &mut rng)
            .unwrap();
        accept(&mut self.hub, &self.forge, &commit).unwrap();
        self.bob.group.merge_own().unwrap();
        for member in [&mut self.alice, &mut self.carol] {
            let judge = judge(&self.forge);
            match member
                .group
                .process(&commit.commit, &judge, &Replace, &mut rng)
                .unwrap()
            {
                Incoming::Commit(staged) => member.group.merge(*staged).unwrap(),
                other => panic!("{other:?}"),
            }
            assert_eq!(member.group.transcript_hash(), self.hub.transcript_hash());
        }
    }
}

impl Member {
    fn new(device: Device, mut group: Group) -> Self {
        let mut rows = Rows::new();
        group.take_changes().apply_to(&mut rows);
        Self { device, group, rows }
    }
}

/// What a client of a room announces, as our devices do.
pub fn usual(forge: &Forge) -> Capabilities {
    forge.good().capabilities
}

pub fn judge(forge: &Forge) -> Judge<'_> {
    forge.world.judge()
}

pub fn view(state: &PublicState) -> GroupInfoView<'_> {
    GroupInfoView {
        group_info: &state.group_info,
        ratchet_tree: &state.ratchet_tree,
    }
}

/// What a hub does with a commit up to its own policy.
pub fn at_hub(hub: &mut Observer, judge: &Judge<'_>, commit: &[u8]) -> Result<(), MlsError> {
    facts(hub.stage(commit, judge, &Replace)?)?.require_verified()
}

/// What a member does with a commit up to its own policy.
pub fn at_member(
    group: &mut Group,
    judge: &Judge<'_>,
    commit: &[u8],
    rng: &mut ChaCha20Rng,
) -> Result<(), MlsError> {
    match group.process(commit, judge, &Replace, rng)? {
        Incoming::Commit(staged) => staged.facts.require_verified(),
        other => panic!("{other:?}"),
    }
}

fn facts(observed: Observed) -> Result<CommitFacts, MlsError> {
    match observed {
        Observed::Commit(staged) => Ok(staged.facts),
        Observed::Proposal(proposal) => panic!("{proposal:?}"),
    }
}

fn accept(hub: &mut Observer, forge: &Forge, commit: &OwnCommit) -> Result<(), MlsError> {
    let Observed::Commit(staged) = hub.stage(&commit.commit, &judge(forge), &Replace)? else {
        panic!("a commit");
    };
    staged.facts.require_verified()?;
    hub.check_group_info(&staged, &commit.next.group_info)?;
    let tree = RatchetTree::from_bytes(&commit.next.ratchet_tree).unwrap();
    hub.check_tree(&staged, &tree)?;
    hub.merge(*staged)
}

fn first(forge: &Forge) -> Device {
    forge.as_device(forge.good().credential.serialized_content().to_vec())
}

/// No proposals of this kind.
pub fn none() -> (Vec<KeyPackage>, Vec<Proposal>) {
    (Vec::new(), Vec::new())
}
