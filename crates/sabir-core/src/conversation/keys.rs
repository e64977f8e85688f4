//! Key packages of people whose clients come in, one person after another.

use rand_core::CryptoRng;
use sabir_mls::MlsError;
use sabir_mls::group::CommitPlan;
use sabir_mls::identity::CredentialError;
use sabir_mls::key_package::VerifiedKeyPackage;
use sabir_wire::codec::{Decode, DecodeError, Encode};
use sabir_wire::protocol::{KeyMaterialRequest, KeyMaterialResponse, KeyMaterialUserCode};
use sabir_wire::uri::UserUri;

use super::record::Work;
use super::{Conversation, ConversationContext, ConversationError, Effects, Request, RequestKind};
use crate::Millis;
use crate::hub::device_lists;
use crate::key_material;

/// What an answer holds.
enum Found {
    Packages(Vec<VerifiedKeyPackage>),
    /// Nothing now; later there may be something.
    Nothing(String),
    /// There are some, of somebody whose provider's authority is done without.
    Unproved(String),
    /// Nothing, and there will be nothing.
    Never(&'static str),
}

impl Conversation {
    /// Asks for somebody's key packages; the request is outstanding afterwards.
    pub(super) fn ask_keys(
        &mut self,
        cx: ConversationContext<'_>,
        user: UserUri,
        intent: Option<u64>,
    ) -> Result<(), ConversationError> {
        let suites = [vec![self.group.suite()], grease(self.record.asked)].concat();
        let request = key_material::build_request_for(cx.device, cx.me, &user, Some(&self.room), &suites)
            .map_err(|error| ConversationError::Internal(error.to_string()))?;
        self.record.work = Work::Keys {
            user,
            request: request.to_bytes(),
            intent,
        };
        Ok(())
    }

    /// Takes it that a request for key packages has no answer for now: the provider that was to give them cannot be
    /// reached, as the own provider says. Nothing else of the room waits for it: the person comes onto the list without
    /// clients, and it is tried again. Where it is the own provider that cannot be reached, the request is simply
    /// sent again.
    ///
    /// # Errors
    /// A fault of ours.
    pub fn unreachable(
        &mut self,
        cx: ConversationContext<'_>,
        now: Millis,
        request: &Request,
        rng: &mut dyn CryptoRng,
    ) -> Result<Effects, ConversationError> {
        let mut effects = Effects::default();
        if request.kind == RequestKind::KeyMaterial && self.unanswered(now).as_ref() == Some(request) {
            let reason = "their provider cannot be reached".to_owned();
            self.keys_found(cx, now, Found::Nothing(reason), rng, &mut effects)?;
        }
        Ok(self.finish(effects))
    }

    pub(super) fn keys_came(
        &mut self,
        cx: ConversationContext<'_>,
        now: Millis,
        (request, response): (&[u8], &[u8]),
        rng: &mut dyn CryptoRng,
        effects: &mut Effects,
    ) -> Result<(), ConversationError> {
        let malformed = |error: DecodeError| ConversationError::Refused(error.to_string());
        let request = KeyMaterialRequest::from_bytes(request).map_err(malformed)?;
        let response = KeyMaterialResponse::from_bytes(response).map_err(malformed)?;
        let found = match key_material::check_response(&request, &response, cx.anchors, now) {
            Ok(packages) if packages.is_empty() => nothing(&response),
            Ok(packages) => match self.usable(packages) {
                Ok(packages) => Found::Packages(packages),
                Err(reason) => Found::Nothing(reason.to_owned()),
            },
            Err(key_material::ResponseError::Mls(MlsError::UnknownProvider(domain))) => {
                return Err(ConversationError::UnknownProvider(domain));
            }
            // The packages are as good as any, and are not taken without knowing whose they are: more of them are of no
            // use.
            Err(key_material::ResponseError::Mls(MlsError::Credential(
                error @ CredentialError::NoAuthority,
            ))) => Found::Unproved(error.to_string()),
            // Asked again, the provider may have something better; this answer stays what it is.
            Err(error) => Found::Nothing(error.to_string()),
        };
        self.keys_found(cx, now, found, rng, effects)
    }

    fn keys_found(
        &mut self,
        cx: ConversationContext<'_>,
        now: Millis,
        found: Found,
        rng: &mut dyn CryptoRng,
        effects: &mut Effects,
    ) -> Result<(), ConversationError> {
        let Work::Keys { user, intent, .. } = std::mem::take(&mut self.record.work) else {
            return Ok(());
        };
        if self.record.stopped.is_some() {
            // Nobody is let in meanwhile; it is asked again.
            return Ok(());
        }
        let is_unproved = matches!(found, Found::Unproved(_));
        let (packages, reason) = match found {
            Found::Packages(packages) => (packages, None),
            Found::Never(reason) if intent.is_some() => {
                self.record.asked = self.record.asked.saturating_add(1);
                if let Some(number) = intent {
                    self.intent_refused(number, reason.to_owned(), effects);
                }
                return Ok(());
            }
            Found::Never(reason) => (Vec::new(), Some(reason.to_owned())),
            Found::Nothing(reason) | Found::Unproved(reason) => (Vec::new(), Some(reason)),
        };
        let mut reason = reason;
        if !packages.is_empty() {
            match self.add(cx, &user, packages, intent, rng) {
                Ok(()) => return Ok(()),
                Err(ConversationError::Refused(refused)) => reason = Some(refused),
                Err(error) => return Err(error),
            }
        }
        // Asked in the same words, the provider would answer the same.
        if !is_unproved {
            self.record.asked = self.record.asked.saturating_add(1);
        }
        let reason = reason.unwrap_or_default();
        self.still_owed(user.clone(), now, &reason, effects);
        // Nothing is committed on top of what waits; the intent's turn comes again after it.
        if intent.is_some() && !self.must_commit() {
            match self.add(cx, &user, Vec::new(), intent, rng) {
                Ok(()) => {}
                Err(ConversationError::Refused(reason)) => {
                    if let Some(number) = intent {
                        self.intent_refused(number, reason, effects);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Commits somebody's clients, and their place on the list where an intent asks for it.
    fn add(
        &mut self,
        cx: ConversationContext<'_>,
        user: &UserUri,
        adds: Vec<VerifiedKeyPackage>,
        intent: Option<u64>,
        rng: &mut dyn CryptoRng,
    ) -> Result<(), ConversationError> {
        if self.must_commit() {
            // Proposals have come meanwhile; the same packages are to be had by the same request.
            return Ok(());
        }
        let wanted = intent.and_then(|number| self.intents.get(number));
        let mut plan = match wanted.map(|stored| stored.intent.clone()) {
            // The room may have changed while the key packages were on their way.
            Some(wanted) if matches!(self.goal(cx, &wanted), super::goal::Goal::Keys(_)) => {
                self.plan(&wanted).unwrap_or_default()
            }
            Some(_) => return Ok(()),
            None if self.is_present(user) => return Ok(()),
            None => CommitPlan::default(),
        };
        let added = if adds.is_empty() {
            Vec::new()
        } else {
            vec![user.clone()]
        };
        plan.adds = adds;
        self.commit_plan(cx, plan, intent, added, rng)
    }

    /// The key packages of devices that are on their person's newest list, and of the person known here.
    fn usable(&self, packages: Vec<VerifiedKeyPackage>) -> Result<Vec<VerifiedKeyPackage>, &'static str> {
        let lists = packages.iter().map(|it| (&it.client, it.device_list.as_deref()));
        let beside = device_lists::newest(lists);
        let mut why = "there is no device to add";
        let mut usable = Vec::new();
        for package in packages {
            let list = package.device_list.as_deref();
            match device_lists::check(&package.client, list, &self.record.people, &beside) {
                Ok(_) => usable.push(package),
                Err(reason) => why = reason,
            }
        }
        if usable.is_empty() { Err(why) } else { Ok(usable) }
    }
}

fn nothing(response: &KeyMaterialResponse) -> Found {
    match response.user_status {
        KeyMaterialUserCode::UserUnknown => Found::Never("there is no such person at that provider"),
        KeyMaterialUserCode::UserDeleted => Found::Never("this person's account was deleted"),
        KeyMaterialUserCode::NoConsent | KeyMaterialUserCode::NoConsentForThisRoom => {
            Found::Never("this person cannot be reached from here")
        }
        // None of their devices has what was asked for, above all a key package of the room's suite.
        KeyMaterialUserCode::NoCompatibleMaterial => Found::Nothing(
            "none of this person's devices can do what this room needs, or has keys left for it".to_owned(),
        ),
        _ => Found::Nothing("none of this person's devices can be added right now".to_owned()),
    }
}

/// Cipher suites that mean nothing (RFC 9420 §13.5), another list for each number. Providers answer the same
/// request with the same key packages, so that a repeat uses up no more; one that is meant anew must differ.
fn grease(number: u64) -> Vec<u16> {
    let value = |digit: u64| {
        u16::try_from(digit).map_or(0x0a0a, |digit| {
            0x0a0a_u16.saturating_add(digit.saturating_mul(0x1010))
        })
    };
    let mut suites = Vec::new();
    let mut rest = number;
    while rest > 0 {
        suites.push(value(rest % 14));
        rest /= 14;
    }
    suites
}
