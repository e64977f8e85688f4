//! Who may do what to which message, and what comes of it.

use sabir_wire::policy::CapabilityType;
use sabir_wire::uri::UserUri;
use thiserror::Error;

use super::act::{Act, Becomes};
use crate::room::{RoomState, allows};

/// Who acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Actor<'a> {
    /// The person, by the sending client's credential.
    pub user: &'a UserUri,
    /// Whether that credential was proved.
    pub verified: bool,
}

/// What is known of the message that an act is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fact<'a> {
    /// Who sent it.
    pub sender: &'a UserUri,
    /// What it is.
    pub kind: Kind,
    /// Whether it was taken back.
    pub deleted: bool,
}

/// What can be acted upon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A message of its own.
    Message,
    /// A reaction.
    Reaction,
}

/// What an act brings about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// A new message, which may be a reply, also to something that is not here.
    Add,
    /// Reactions on the target.
    React,
    /// The target says something else from now on.
    Edit,
    /// The target shows other reactions from now on.
    EditReaction,
    /// The target is gone, and so are its text and its reactions.
    Delete,
    /// The target is no longer shown.
    DeleteReaction,
    /// The report holds for the sender.
    Report,
    /// The new version of a message that is not here. It is shown as a message of its editor, who may not be the
    /// author: nothing proves it, and nothing is lost by it (draft-ietf-mimi-content §5.5).
    AddEdited,
    /// Its target is not here. It was there before this act in the room's order, so it will not come by itself; it lies
    /// before the time this client joined, or was lost to it (draft-ietf-mimi-content §9.1: no sign of malice).
    Pending,
    /// Nothing.
    Refused(Refusal),
}

/// Why an act has no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Refusal {
    /// The role of its sender lacks a capability.
    #[error("the role of its sender lacks {0}")]
    Role(CapabilityType),
    /// No capability lets a person change another one's words.
    #[error("only who wrote a message may change it")]
    NotAuthor,
    /// Nothing proves who its sender is.
    #[error("its sender is not verified")]
    Unverified,
    /// Messages stay messages, reactions reactions; and reactions are to messages.
    #[error("a message and a reaction cannot take each other's place")]
    OtherKind,
    /// The message is gone.
    #[error("the message was deleted")]
    Deleted,
    /// A report that is none.
    #[error("a report on messages is malformed")]
    Report,
}

impl Refusal {
    /// Whether an honest sender can come into it, since what it acts upon changed meanwhile: nobody needs to be told.
    #[must_use]
    pub fn is_innocent(self) -> bool {
        matches!(self, Self::Deleted)
    }
}

/// Decides what a message brings about that took its place in the room. `state` is the room's at that place, `target`
/// what is known of [`Act::target`].
#[must_use]
pub fn judge(state: &RoomState, actor: Actor<'_>, act: &Act, target: Option<Fact<'_>>) -> Effect {
    decide(state, actor, act, target).unwrap_or_else(Effect::Refused)
}

/// Whether `user` may send this, as far as can be told before the room's order is known.
///
/// # Errors
/// [`Refusal`], as it would be for everybody else, and for an answer to what is deleted.
pub fn permit(state: &RoomState, user: &UserUri, act: &Act, target: Option<Fact<'_>>) -> Result<(), Refusal> {
    let actor = Actor { user, verified: true };
    if matches!(act, Act::Reply { .. }) && target.is_some_and(|target| target.deleted) {
        return Err(Refusal::Deleted);
    }
    decide(state, actor, act, target).map(|_| ())
}

fn decide(
    state: &RoomState,
    actor: Actor<'_>,
    act: &Act,
    target: Option<Fact<'_>>,
) -> Result<Effect, Refusal> {
    let needs = |capability| {
        if allows(state, actor.user, capability) {
            Ok(())
        } else {
            Err(Refusal::Role(capability))
        }
    };
    // draft-ietf-mimi-room-policy-03 §8.3: "Setting specific message fields may require additional capabilities."
    needs(CapabilityType::CAN_SEND_MESSAGE)?;
    if !actor.verified && !act.is_message() {
        return Err(Refusal::Unverified);
    }
    let alive = |target: &Fact<'_>| {
        if target.deleted {
            Err(Refusal::Deleted)
        } else {
            Ok(())
        }
    };
    match (act, target) {
        (Act::Say, _) => Ok(Effect::Add),
        (Act::Report(_), _) => Ok(Effect::Report),
        (Act::Reply { .. }, _) => {
            needs(CapabilityType::CAN_REPLY_TO_MESSAGE)?;
            Ok(Effect::Add)
        }
        (Act::React { .. }, target) => {
            needs(CapabilityType::CAN_REACT_TO_MESSAGE)?;
            let Some(target) = target else {
                return Ok(Effect::Pending);
            };
            alive(&target)?;
            match target.kind {
                Kind::Message => Ok(Effect::React),
                Kind::Reaction => Err(Refusal::OtherKind),
            }
        }
        (Act::Edit { becomes, .. }, None) => match becomes {
            Becomes::Message => {
                needs(CapabilityType::CAN_EDIT_OWN_MESSAGE)?;
                Ok(Effect::AddEdited)
            }
            Becomes::Reactions(_) => {
                needs(CapabilityType::CAN_EDIT_REACTION)?;
                Ok(Effect::Pending)
            }
        },
        (Act::Edit { becomes, .. }, Some(target)) => {
            // draft-ietf-mimi-content §9.3: MUST NOT allow others to edit without "a specific, concrete authorization
            // policy which allows it", and no capability does.
            if target.sender != actor.user {
                return Err(Refusal::NotAuthor);
            }
            let effect = match (target.kind, becomes) {
                (Kind::Message, Becomes::Message) => {
                    needs(CapabilityType::CAN_EDIT_OWN_MESSAGE)?;
                    Effect::Edit
                }
                (Kind::Reaction, Becomes::Reactions(_)) => {
                    needs(CapabilityType::CAN_EDIT_REACTION)?;
                    Effect::EditReaction
                }
                _ => return Err(Refusal::OtherKind),
            };
            alive(&target)?;
            Ok(effect)
        }
        (Act::Delete { .. }, None) => Ok(Effect::Pending),
        (Act::Delete { .. }, Some(target)) => {
            let own = target.sender == actor.user;
            let (capability, effect) = match (target.kind, own) {
                (Kind::Message, true) => (CapabilityType::CAN_DELETE_OWN_MESSAGE, Effect::Delete),
                (Kind::Message, false) => (CapabilityType::CAN_DELETE_OTHER_MESSAGE, Effect::Delete),
                (Kind::Reaction, true) => (CapabilityType::CAN_DELETE_OWN_REACTION, Effect::DeleteReaction),
                (Kind::Reaction, false) => {
                    (CapabilityType::CAN_DELETE_OTHER_REACTION, Effect::DeleteReaction)
                }
            };
            needs(capability)?;
            alive(&target)?;
            Ok(effect)
        }
    }
}
