use std::collections::{BTreeMap, BTreeSet};

use sabir_mls::rows::{RowChanges, Rows};
use sabir_wire::codec::{
    Decode, DecodeError, DecodeErrorKind, Encode, Reader, put_opaque, put_optional, put_vec,
};
use sabir_wire::uri::UserUri;

use crate::Millis;
use crate::hub::device_lists::Listed;
use crate::scope::{engine_key, engine_row};

const ROW: &str = "conversation";
const MAX_REQUEST: usize = 16 << 20;
const MAX_PEOPLE: usize = 4 << 20;
const MAX_KEY: usize = 1 << 10;
const MAX_REASON: usize = 1 << 10;

/// How far a conversation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// The room is asked for.
    Creating { request: Vec<u8> },
    /// The room is there, and this client follows it.
    Open,
    /// The hub is ahead; the log will bring this client to that epoch. Where it does not, this client comes back from
    /// outside.
    CatchingUp { epoch: u64, since: Millis },
    /// This client is out of the room.
    Closed,
}

/// The change of the room that is under way. There is one at a time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) enum Work {
    #[default]
    Idle,
    /// Somebody's key packages are asked for, for an intent or because their clients are owed.
    Keys {
        user: UserUri,
        request: Vec<u8>,
        intent: Option<u64>,
    },
    /// A commit; it is pending in the group until the log brings it, or something else.
    Commit {
        request: Vec<u8>,
        /// When this client heard that the hub accepted it.
        accepted: Option<Millis>,
        intent: Option<u64>,
        /// Whose clients it adds.
        added: Vec<UserUri>,
    },
    /// This person's departure; its proposals wait in the group.
    Leave {
        request: Vec<u8>,
        accepted: bool,
        intent: Option<u64>,
        references: Vec<Vec<u8>>,
    },
}

/// Clients of somebody on the list that this client is to add.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owed {
    /// How often it failed.
    pub(super) attempts: u32,
    /// When it is tried again.
    pub(super) not_before: Millis,
    /// Why it failed.
    pub(super) reason: String,
}

/// A return from outside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Repair {
    /// How often it failed in a row.
    pub(super) attempts: u32,
    /// How often in a row the hub would not let this client in.
    pub(super) refusals: u32,
    /// When it goes on.
    pub(super) not_before: Millis,
    /// No GroupInfo of an epoch before this one is taken.
    pub(super) at_least: u64,
    /// How far it is.
    pub(super) step: RepairStep,
}

/// How far a return is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum RepairStep {
    /// Nothing is asked yet.
    Wanted,
    /// The GroupInfo is asked for; the answer is encrypted to this key.
    Asking { request: Vec<u8>, private: Vec<u8> },
    /// The external commit is on its way; its group lies beside.
    Joining { request: Vec<u8>, commit: [u8; 32] },
}

/// A leaf whose identity is not proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Doubt {
    /// Whose it claims to be.
    pub(super) user: Option<UserUri>,
    /// What is known against it.
    pub(super) why: Why,
}

/// What is known against a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// It does not hold.
    Defect,
    /// Nothing but that its provider's authority could not be had.
    Missed,
    /// It is under an identity key that its person has replaced since. It goes out with the next commit of theirs.
    Replaced,
}

/// A leaf that a member let in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LetIn {
    /// Its signature key.
    pub(super) key: Vec<u8>,
    /// Who let it in.
    pub(super) by: UserUri,
    /// When the hub accepted that.
    pub(super) at: Millis,
}

/// What a conversation remembers beside group and outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) phase: Phase,
    pub(super) work: Work,
    /// Clients that this client is to add, by person.
    pub(super) owed: BTreeMap<UserUri, Owed>,
    /// The return from outside, where one is needed.
    pub(super) repair: Option<Repair>,
    /// People whose departure the hub accepted and who are on the list still.
    pub(super) departed: BTreeSet<UserUri>,
    /// Whether this client has seen every departure, since it was here from the start.
    pub(super) knows_all: bool,
    /// Whether the hub accepted this person's departure.
    pub(super) leaving: bool,
    /// When proposals that wait are committed although nothing is to be sent.
    pub(super) commit_at: Option<Millis>,
    /// Before this time no change of the room is tried again.
    pub(super) retry_at: Millis,
    /// Since when the hub refuses commits because of proposals that the log has not brought.
    pub(super) behind: Option<Millis>,
    /// How many commits in a row the hub refused that were for no intent.
    pub(super) refusals: u32,
    /// How many requests for key packages were made, so that no two are the same.
    pub(super) asked: u64,
    /// Everybody who has or had a client here whose identity was proved: the first identity key seen, the one that the
    /// person's recovery key put in its place, or the one somebody agreed to here; and their newest device list.
    pub(super) people: BTreeMap<UserUri, Listed>,
    /// Leaves that came in without proof, by signature key.
    pub(super) doubted: BTreeMap<Vec<u8>, Doubt>,
    /// The leaves that came in last and have not been heard of, oldest first.
    pub(super) let_in: Vec<LetIn>,
    /// Why nothing goes out until a person says so.
    pub(super) stopped: Option<String>,
}

impl Record {
    pub(super) fn new(phase: Phase) -> Self {
        Self {
            phase,
            work: Work::Idle,
            owed: BTreeMap::new(),
            repair: None,
            departed: BTreeSet::new(),
            knows_all: false,
            leaving: false,
            commit_at: None,
            retry_at: 0,
            behind: None,
            refusals: 0,
            asked: 0,
            people: BTreeMap::new(),
            doubted: BTreeMap::new(),
            let_in: Vec::new(),
            stopped: None,
        }
    }

    pub(super) fn read(rows: &Rows) -> Result<Self, DecodeError> {
        Self::from_bytes(engine_row(rows, ROW).unwrap_or_default())
    }

    pub(super) fn write(encoded: Vec<u8>, changes: &mut RowChanges) {
        changes.put(engine_key(ROW), encoded);
    }

    /// Stops sending, for the first of several reasons.
    pub(super) fn stop(&mut self, reason: &str) {
        self.stopped.get_or_insert_with(|| cut(reason));
    }
}

/// As much of a reason as is kept.
pub(super) fn cut(reason: &str) -> String {
    let end = (0..=reason.len().min(MAX_REASON))
        .rev()
        .find(|end| reason.is_char_boundary(*end));
    reason
        .get(..end.unwrap_or_default())
        .unwrap_or_default()
        .to_owned()
}

impl Encode for Phase {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Creating { request } => {
                out.push(1);
                put_opaque(out, request);
            }
            Self::Open => out.push(2),
            Self::CatchingUp { epoch, since } => {
                out.push(3);
                epoch.encode(out);
                since.encode(out);
            }
            Self::Closed => out.push(4),
        }
    }
}

impl Decode for Phase {
    const NAME: &'static str = "ConversationPhase";
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        Ok(match r.u8("phase")? {
            1 => Self::Creating {
                request: r.opaque("request", MAX_REQUEST)?.to_vec(),
            },
            2 => Self::Open,
            3 => Self::CatchingUp {
                epoch: r.u64("epoch")?,
                since: r.u64("since")?,
            },
            4 => Self::Closed,
            other => return Err(r.error_at(at, "phase", DecodeErrorKind::UnknownValue(other.into()))),
        })
    }
}

fn put_number(out: &mut Vec<u8>, number: Option<u64>) {
    out.push(u8::from(number.is_some()));
    number.unwrap_or_default().encode(out);
}

fn number(r: &mut Reader<'_>) -> Result<Option<u64>, DecodeError> {
    let is_some = r.flag("is_some")?;
    let number = r.u64("number")?;
    Ok(is_some.then_some(number))
}

impl Encode for Work {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Idle => out.push(1),
            Self::Keys {
                user,
                request,
                intent,
            } => {
                out.push(2);
                user.encode(out);
                put_opaque(out, request);
                put_number(out, *intent);
            }
            Self::Commit {
                request,
                accepted,
                intent,
                added,
            } => {
                out.push(3);
                put_opaque(out, request);
                put_number(out, *accepted);
                put_number(out, *intent);
                put_vec(out, added);
            }
            Self::Leave {
                request,
                accepted,
                intent,
                references,
            } => {
                out.push(4);
                put_opaque(out, request);
                out.push(u8::from(*accepted));
                put_number(out, *intent);
                let references: Vec<Reference> = references.iter().cloned().map(Reference).collect();
                put_vec(out, &references);
            }
        }
    }
}

impl Decode for Work {
    const NAME: &'static str = "ConversationWork";
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let at = r.offset();
        Ok(match r.u8("work")? {
            1 => Self::Idle,
            2 => Self::Keys {
                user: r.read_as("user")?,
                request: r.opaque("request", MAX_REQUEST)?.to_vec(),
                intent: number(r)?,
            },
            3 => Self::Commit {
                request: r.opaque("request", MAX_REQUEST)?.to_vec(),
                accepted: number(r)?,
                intent: number(r)?,
                added: r.list("added", MAX_PEOPLE)?,
            },
            4 => Self::Leave {
                request: r.opaque("request", MAX_REQUEST)?.to_vec(),
                accepted: r.flag("accepted")?,
                intent: number(r)?,
                references: {
                    let references: Vec<Reference> = r.list("references", MAX_REQUEST)?;
                    references.into_iter().map(|it| it.0).collect()
                },
            },
            other => return Err(r.error_at(at, "work", DecodeErrorKind::UnknownValue(other.into()))),
        })
    }
}

struct Reference(Vec<u8>);

impl Encode for Reference {
    fn encode(&self, out: &mut Vec<u8>) {
        put_opaque(out, &self.0);
    }
}

impl Decode for Reference {
    const NAME: &'static str = "ProposalRef";
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self(r.opaque("reference", MAX_KEY)?.to_vec()))
    }
}

struct Owing(UserUri, Owed);

impl Encode for Owing {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
        self.1.attempts.encode(out);
        self.1.not_before.encode(out);
        put_opaque(out, self.1.reason.as_bytes());
    }
}

impl Decode for Owing {
    const NAME: &'static str = "OwedClients";
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let user = r.read_as("user")?;
        let owed = Owed {
            attempts: r.u32("attempts")?,
            not_before: r.u64("not_before")?,
            reason: r.text("reason", MAX_REASON)?.to_owned(),
        };
        Ok(Self(user, owed))
    }
}

impl Encode for Repair {
    fn encode(&self, out: &mut Vec<u8>) {
        self.attempts.encode(out);
        self.refusals.encode(out);
        self.not_before.encode(out);
        self.at_least.encode(out);
        match &self.step {
            RepairStep::Wanted => out.push(1),
            RepairStep::Asking { request, private } => {
                out.push(2);
                put_opaque(out, request);
                put_opaque(out, private);
            }
            RepairStep::Joining { request, commit } => {
                out.push(3);
                put_opaque(out, request);
                out.extend_from_slice(commit);
            }
        }
    }
}

impl Decode for Repair {
    const NAME: &'static str = "Repair";
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (attempts, refusals) = (r.u32("attempts")?, r.u32("refusals")?);
        let (not_before, at_least) = (r.u64("not_before")?, r.u64("at_least")?);
        let at = r.offset();
        let step = match r.u8("step")? {
            1 => RepairStep::Wanted,
            2 => RepairStep::Asking {
                request: r.opaque("request", MAX_REQUEST)?.to_vec(),
                private: r.opaque("private", MAX_KEY)?.to_vec(),
            },
            3 => RepairStep::Joining {
                request: r.opaque("request", MAX_REQUEST)?.to_vec(),
                commit: r.array("commit")?,
            },
            other => return Err(r.error_at(at, "step", DecodeErrorKind::UnknownValue(other.into()))),
        };
        Ok(Self {
            attempts,
            refusals,
            not_before,
            at_least,
            step,
        })
    }
}

struct Person(UserUri, Listed);

impl Encode for Person {
    fn encode(&self, out: &mut Vec<u8>) {
        self.0.encode(out);
        self.1.encode(out);
    }
}

impl Decode for Person {
    const NAME: &'static str = "KnownPerson";
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self(r.read_as("user")?, r.read_as("listed")?))
    }
}

struct Doubted(Vec<u8>, Doubt);

impl Encode for Doubted {
    fn encode(&self, out: &mut Vec<u8>) {
        put_opaque(out, &self.0);
        put_optional(out, self.1.user.as_ref());
        out.push(match self.1.why {
            Why::Defect => 0,
            Why::Missed => 1,
            Why::Replaced => 2,
        });
    }
}

impl Decode for Doubted {
    const NAME: &'static str = "DoubtedLeaf";
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let (key, user) = (
            r.opaque("signature_key", MAX_KEY)?.to_vec(),
            r.optional("claims")?,
        );
        let at = r.offset();
        let why = match r.u8("why")? {
            0 => Why::Defect,
            1 => Why::Missed,
            2 => Why::Replaced,
            other => return Err(r.error_at(at, "why", DecodeErrorKind::UnknownValue(other.into()))),
        };
        Ok(Self(key, Doubt { user, why }))
    }
}

impl Encode for LetIn {
    fn encode(&self, out: &mut Vec<u8>) {
        put_opaque(out, &self.key);
        self.by.encode(out);
        self.at.encode(out);
    }
}

impl Decode for LetIn {
    const NAME: &'static str = "LeafLetIn";
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        Ok(Self {
            key: r.opaque("signature_key", MAX_KEY)?.to_vec(),
            by: r.read_as("by")?,
            at: r.u64("at")?,
        })
    }
}

impl Encode for Record {
    fn encode(&self, out: &mut Vec<u8>) {
        self.phase.encode(out);
        self.work.encode(out);
        let owed = self.owed.iter();
        let owed: Vec<Owing> = owed
            .map(|(user, owed)| Owing(user.clone(), owed.clone()))
            .collect();
        put_vec(out, &owed);
        put_optional(out, self.repair.as_ref());
        let departed: Vec<UserUri> = self.departed.iter().cloned().collect();
        put_vec(out, &departed);
        out.push(u8::from(self.knows_all));
        out.push(u8::from(self.leaving));
        put_number(out, self.commit_at);
        self.retry_at.encode(out);
        put_number(out, self.behind);
        self.refusals.encode(out);
        self.asked.encode(out);
        let people = self.people.iter();
        let people: Vec<Person> = people
            .map(|(user, known)| Person(user.clone(), known.clone()))
            .collect();
        put_vec(out, &people);
        let doubted = self.doubted.iter();
        let doubted: Vec<Doubted> = doubted
            .map(|(key, doubt)| Doubted(key.clone(), doubt.clone()))
            .collect();
        put_vec(out, &doubted);
        put_vec(out, &self.let_in);
        match &self.stopped {
            None => out.push(0),
            Some(reason) => {
                out.push(1);
                put_opaque(out, reason.as_bytes());
            }
        }
    }
}

impl Decode for Record {
    const NAME: &'static str = "ConversationRecord";
    fn decode(r: &mut Reader<'_>) -> Result<Self, DecodeError> {
        let phase = r.read_as("phase")?;
        let work = r.read_as("work")?;
        let owed: Vec<Owing> = r.list("owed", MAX_PEOPLE)?;
        let repair = r.optional("repair")?;
        let departed: Vec<UserUri> = r.list("departed", MAX_PEOPLE)?;
        let (knows_all, leaving) = (r.flag("knows_all")?, r.flag("leaving")?);
        let commit_at = number(r)?;
        let (retry_at, behind) = (r.u64("retry_at")?, number(r)?);
        let refusals = r.u32("refusals")?;
        let asked = r.u64("asked")?;
        let people: Vec<Person> = r.list("people", MAX_PEOPLE)?;
        let doubted: Vec<Doubted> = r.list("doubted", MAX_PEOPLE)?;
        let let_in = r.list("let_in", MAX_PEOPLE)?;
        let stopped = if r.flag("stopped")? {
            Some(r.text("reason", MAX_REASON)?.to_owned())
        } else {
            None
        };
        Ok(Self {
            phase,
            work,
            owed: owed.into_iter().map(|it| (it.0, it.1)).collect(),
            repair,
            departed: departed.into_iter().collect(),
            knows_all,
            leaving,
            commit_at,
            retry_at,
            behind,
            refusals,
            asked,
            people: people.into_iter().map(|it| (it.0, it.1)).collect(),
            doubted: doubted.into_iter().map(|it| (it.0, it.1)).collect(),
            let_in,
            stopped,
        })
    }
}
