//! Messages made by hand: a follower verifies nothing, so they need no keys but those in credentials.

use std::collections::BTreeMap;

use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng as _;
use sabir_mls::{Device, key_package};
use sabir_wire::codec::Decode as _;
use sabir_wire::mls::{
    CipherSuite, Commit, ContentType, Credential, EncryptedGroupSecrets, FramedContent,
    FramedContentAuthData, FramedContentBody, HpkeCiphertext, KeyPackage, LeafNode, MlsMessage, Node,
    PrivateMessage, Proposal, ProposalOrRef, PublicMessage, RatchetTree, Sender, UpdatePath, Welcome,
};
use sabir_wire::protocol::{FanoutBody, FanoutMessage, RatchetTreeOption};
use sabir_wire::uri::ClientUri;

use super::world::World;
use crate::follower::step;
use crate::key_material;

/// The people of the tests: `a1`, `a2` … of the hub, `b1`, `b2` … of the follower.
pub struct Cast {
    world: World,
    packages: BTreeMap<String, KeyPackage>,
}

pub fn client(name: &str) -> ClientUri {
    ClientUri::parse(&format!("mimi://{}.example/d/{name}", &name[..1])).unwrap()
}

impl Cast {
    pub fn new() -> Self {
        Self {
            world: World::new(11),
            packages: BTreeMap::new(),
        }
    }

    pub fn package(&mut self, name: &str) -> KeyPackage {
        if let Some(package) = self.packages.get(name) {
            return package.clone();
        }
        let person = self
            .world
            .person(name.chars().next().unwrap(), &format!("{name}-user"));
        let device: Device = self.world.device(&person, name);
        let mut rng = ChaCha20Rng::seed_from_u64(self.packages.len() as u64);
        let made = key_package::generate(&device, 1, self.world.now, &mut rng)
            .unwrap()
            .remove(0);
        let package = KeyPackage::from_bytes(&made.bytes).unwrap();
        assert_eq!(
            key_material::reference(&package).unwrap().to_vec(),
            made.reference
        );
        self.packages.insert(name.to_owned(), package.clone());
        package
    }

    pub fn leaf(&mut self, name: &str) -> LeafNode {
        self.package(name).leaf_node
    }

    pub fn reference(&mut self, name: &str) -> Vec<u8> {
        key_material::reference(&self.package(name)).unwrap().to_vec()
    }

    pub fn add(&mut self, name: &str) -> Proposal {
        Proposal::Add(Box::new(self.package(name)))
    }

    /// A tree of these leaves, a dot for a blank one; its last leaf is not blank.
    pub fn tree(&mut self, leaves: &str) -> RatchetTree {
        let mut nodes = Vec::new();
        for name in leaves.split(' ') {
            if !nodes.is_empty() {
                nodes.push(None);
            }
            nodes.push((name != ".").then(|| Node::Leaf(Box::new(self.leaf(name)))));
        }
        RatchetTree(nodes)
    }

    /// A Welcome for `new`, with a tree of `leaves`.
    pub fn welcome(&mut self, new: &[&str], leaves: &str) -> FanoutMessage {
        let tree = RatchetTreeOption::Full(self.tree(leaves));
        self.welcome_with(new, tree)
    }

    pub fn welcome_with(&mut self, new: &[&str], ratchet_tree_option: RatchetTreeOption) -> FanoutMessage {
        let secrets = new
            .iter()
            .map(|name| EncryptedGroupSecrets {
                new_member: self.reference(name),
                encrypted_group_secrets: HpkeCiphertext {
                    kem_output: vec![1],
                    ciphertext: vec![2],
                },
            })
            .collect();
        let welcome = Welcome {
            cipher_suite: CipherSuite(1),
            secrets,
            encrypted_group_info: vec![3],
        };
        let message = Box::new(MlsMessage::Welcome(welcome));
        FanoutMessage {
            timestamp: 5,
            body: FanoutBody::Welcome {
                message,
                ratchet_tree_option,
            },
        }
    }

    /// A commit of the member at `leaf`, whose name is `name`, with a path.
    pub fn commit(
        &mut self,
        epoch: u64,
        leaf: u32,
        name: &str,
        proposals: Vec<ProposalOrRef>,
    ) -> FanoutMessage {
        let path = UpdatePath {
            leaf_node: self.leaf(name),
            nodes: Vec::new(),
        };
        commit_message(epoch, Sender::Member { leaf_index: leaf }, proposals, Some(path))
    }

    /// A commit by which `name` joins, removing these leaves.
    pub fn external(&mut self, epoch: u64, name: &str, removes: &[u32]) -> FanoutMessage {
        let path = UpdatePath {
            leaf_node: self.leaf(name),
            nodes: Vec::new(),
        };
        let removes = removes
            .iter()
            .map(|removed| by_value(Proposal::Remove { removed: *removed }))
            .collect();
        commit_message(epoch, Sender::NewMemberCommit, removes, Some(path))
    }
}

/// A leaf whose credential is not of our form.
pub fn stranger(mut leaf: LeafNode) -> LeafNode {
    leaf.credential = Credential::Basic {
        identity: b"somebody".to_vec(),
    };
    leaf
}

pub fn by_value(proposal: Proposal) -> ProposalOrRef {
    ProposalOrRef::Proposal(proposal)
}

/// The reference to a proposal that was sent by itself.
pub fn by_reference(message: &MlsMessage) -> ProposalOrRef {
    match message {
        MlsMessage::Public(public) => ProposalOrRef::Reference(step::proposal_reference(public).to_vec()),
        other => panic!("{:?}", other.wire_format()),
    }
}

pub fn commit_message(
    epoch: u64,
    sender: Sender,
    proposals: Vec<ProposalOrRef>,
    path: Option<UpdatePath>,
) -> FanoutMessage {
    let message = public(
        epoch,
        sender,
        FramedContentBody::Commit(Box::new(Commit { proposals, path })),
    );
    FanoutMessage {
        timestamp: 4,
        body: FanoutBody::Commit {
            message: Box::new(message),
            external_proposals: Vec::new(),
        },
    }
}

pub fn proposal(epoch: u64, sender: Sender, proposal: Proposal) -> MlsMessage {
    public(epoch, sender, FramedContentBody::Proposal(proposal))
}

pub fn proposals(mut messages: Vec<MlsMessage>) -> FanoutMessage {
    let message = Box::new(messages.remove(0));
    FanoutMessage {
        timestamp: 3,
        body: FanoutBody::Proposal {
            message,
            more_proposals: messages,
        },
    }
}

pub fn application(epoch: u64) -> FanoutMessage {
    let message = MlsMessage::Private(PrivateMessage {
        group_id: b"g".to_vec(),
        epoch,
        content_type: ContentType::Application,
        authenticated_data: Vec::new(),
        encrypted_sender_data: vec![1],
        ciphertext: vec![2],
    });
    FanoutMessage {
        timestamp: 2,
        body: FanoutBody::Application {
            message: Box::new(message),
            frank: None,
        },
    }
}

pub fn member(leaf_index: u32) -> Sender {
    Sender::Member { leaf_index }
}

fn public(epoch: u64, sender: Sender, body: FramedContentBody) -> MlsMessage {
    let is_commit = matches!(body, FramedContentBody::Commit(_));
    MlsMessage::Public(Box::new(PublicMessage {
        content: FramedContent {
            group_id: b"g".to_vec(),
            epoch,
            sender,
            authenticated_data: Vec::new(),
            body,
        },
        auth: FramedContentAuthData {
            signature: vec![7],
            confirmation_tag: is_commit.then(|| vec![8]),
        },
        membership_tag: matches!(sender, Sender::Member { .. }).then(|| vec![9]),
    }))
}
