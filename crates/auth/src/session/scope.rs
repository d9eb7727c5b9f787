//! What a session token is bound to: the seven fields that a proof covers, and the same fields as a peer presents them.

use core::fmt;

use fedcell_protocol_defs::client_api::{Key, ProofSyntax, Version};
use subtle::{Choice, ConstantTimeEq as _};

use super::error::{ScopeError, ScopeFault};
use super::repr::python_repr;

/// A field of the scope of a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum ScopeField {
    /// The job that the trainer works for.
    JobId,
    /// The site (federated-learning client) on which the job runs.
    SiteName,
    /// The attach, or launch, that the token was made for.
    AttachId,
    /// FQCN of the job cell that the trainer talks to.
    TargetFqcn,
    /// FQCN under which the trainer's own cell joins.
    TrainerFqcn,
    /// Which ranks of a distributed training may attach.
    RankPolicy,
    /// Version of the Client API control protocol.
    ProtocolVersion,
}

impl ScopeField {
    /// All fields, in the order in which a proof covers them.
    pub const ALL: [Self; 7] = [
        Self::JobId,
        Self::SiteName,
        Self::AttachId,
        Self::TargetFqcn,
        Self::TrainerFqcn,
        Self::RankPolicy,
        Self::ProtocolVersion,
    ];

    /// The key of this field in a body.
    #[must_use]
    pub const fn key(self) -> Key<'static> {
        match self {
            Self::JobId => Key::JOB_ID,
            Self::SiteName => Key::SITE_NAME,
            Self::AttachId => Key::ATTACH_ID,
            Self::TargetFqcn => Key::TARGET_FQCN,
            Self::TrainerFqcn => Key::TRAINER_FQCN,
            Self::RankPolicy => Key::RANK_POLICY,
            Self::ProtocolVersion => Key::PROTOCOL_VERSION,
        }
    }
}

/// The text fields of a scope by name, so that a call cannot swap two of them unseen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScopeText<'a> {
    /// The job that the trainer works for.
    pub job_id: &'a str,
    /// The site on which the job runs.
    pub site_name: &'a str,
    /// The attach, or launch, that the token was made for.
    pub attach_id: &'a str,
    /// FQCN of the job cell that the trainer talks to.
    pub target_fqcn: &'a str,
    /// FQCN under which the trainer's own cell joins.
    pub trainer_fqcn: &'a str,
    /// Which ranks of a distributed training may attach.
    pub rank_policy: &'a str,
}

/// The scope of a session token: a token proves nothing outside of it.
///
/// All text is ASCII and at most [`MAX_FIELD_LEN`](Self::MAX_FIELD_LEN) bytes long; a field may be empty. Nothing in a
/// scope is secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenScope {
    /// Each text field with its `repr`, which a proof needs and which cannot fail after construction.
    text: [Field; 6],
    protocol_version: u32,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Field {
    value: String,
    repr: String,
}

impl TokenScope {
    /// Longest text of one field, in bytes. A limit of ours: a peer presents these fields before it is trusted.
    pub const MAX_FIELD_LEN: usize = 1024;

    /// The scope with these fields and the current protocol version.
    ///
    /// # Errors
    ///
    /// [`ScopeError`] names the first field that is too long or not ASCII, and where.
    pub fn new(text: ScopeText<'_>) -> Result<Self, ScopeError> {
        // Taken apart by name, so that a field added to the struct cannot be forgotten here.
        let ScopeText { job_id, site_name, attach_id, target_fqcn, trainer_fqcn, rank_policy } = text;
        Ok(Self {
            text: [
                Field::new(ScopeField::JobId, job_id)?,
                Field::new(ScopeField::SiteName, site_name)?,
                Field::new(ScopeField::AttachId, attach_id)?,
                Field::new(ScopeField::TargetFqcn, target_fqcn)?,
                Field::new(ScopeField::TrainerFqcn, trainer_fqcn)?,
                Field::new(ScopeField::RankPolicy, rank_policy)?,
            ],
            protocol_version: Version::V1.get(),
        })
    }

    /// The same scope for another version of the control protocol.
    #[must_use]
    pub const fn with_protocol_version(mut self, version: u32) -> Self {
        self.protocol_version = version;
        self
    }

    /// The job that the trainer works for.
    #[must_use]
    pub const fn job_id(&self) -> &str {
        let [job_id, ..] = &self.text;
        job_id.value.as_str()
    }

    /// The site on which the job runs.
    #[must_use]
    pub const fn site_name(&self) -> &str {
        let [_, site_name, ..] = &self.text;
        site_name.value.as_str()
    }

    /// The attach, or launch, that the token was made for.
    #[must_use]
    pub const fn attach_id(&self) -> &str {
        let [_, _, attach_id, ..] = &self.text;
        attach_id.value.as_str()
    }

    /// FQCN of the job cell that the trainer talks to.
    #[must_use]
    pub const fn target_fqcn(&self) -> &str {
        let [_, _, _, target_fqcn, ..] = &self.text;
        target_fqcn.value.as_str()
    }

    /// FQCN under which the trainer's own cell joins.
    #[must_use]
    pub const fn trainer_fqcn(&self) -> &str {
        let [_, _, _, _, trainer_fqcn, _] = &self.text;
        trainer_fqcn.value.as_str()
    }

    /// Which ranks of a distributed training may attach.
    #[must_use]
    pub const fn rank_policy(&self) -> &str {
        let [_, _, _, _, _, rank_policy] = &self.text;
        rank_policy.value.as_str()
    }

    /// Version of the Client API control protocol.
    #[must_use]
    pub const fn protocol_version(&self) -> u32 {
        self.protocol_version
    }

    /// The fields as they enter a proof: type name, colon, value in Python's form; in the order of the protocol.
    pub(super) fn proof_items(&self) -> impl Iterator<Item = String> + '_ {
        let item = |type_name: ProofSyntax<'_>, value: &dyn fmt::Display| {
            format!("{type_name}{}{value}", ProofSyntax::FIELD_SEPARATOR)
        };
        let text = self.text.iter().map(move |field| item(ProofSyntax::TYPE_STR, &field.repr));
        text.chain(core::iter::once(item(ProofSyntax::TYPE_INT, &self.protocol_version)))
    }

    /// The scope as its owner presents it to a peer.
    #[must_use]
    pub fn present(&self) -> PresentedScope<'_> {
        let [job_id, site_name, attach_id, target_fqcn, trainer_fqcn, rank_policy] =
            self.text.each_ref().map(|field| FieldValue::Text(&field.value));
        PresentedScope {
            fields: [
                job_id,
                site_name,
                attach_id,
                target_fqcn,
                trainer_fqcn,
                rank_policy,
                FieldValue::Int(i64::from(self.protocol_version)),
            ],
        }
    }
}

impl Field {
    fn new(field: ScopeField, value: &str) -> Result<Self, ScopeError> {
        if value.len() > TokenScope::MAX_FIELD_LEN {
            let cause = ScopeFault::TooLong { length: value.len(), limit: TokenScope::MAX_FIELD_LEN };
            return Err(ScopeError { field, cause });
        }
        let repr = python_repr(value).map_err(|at| ScopeError { field, cause: ScopeFault::NotAscii { at } })?;
        Ok(Self { value: value.to_owned(), repr })
    }
}

/// A value of a body that a peer sent, as far as this crate must tell types apart.
///
/// A truth value is a type of its own: Python counts `True` and `1` as equal, a proof does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FieldValue<'a> {
    /// Text.
    Text(&'a str),
    /// A whole number that fits in 64 bits.
    Int(i64),
    /// A truth value.
    Bool(bool),
    /// The key is missing, or its value is null.
    Absent,
    /// Anything else: bytes, floating-point and long numbers, containers, objects.
    Other,
}

impl<'a> FieldValue<'a> {
    /// The text, if this is text.
    #[must_use]
    pub const fn text(self) -> Option<&'a str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Whether both values have one type and are equal, without a branch on where the first difference is.
    fn is_same(self, other: Self) -> Choice {
        match (self, other) {
            (Self::Text(ours), Self::Text(theirs)) => ours.as_bytes().ct_eq(theirs.as_bytes()),
            (Self::Int(ours), Self::Int(theirs)) => ours.ct_eq(&theirs),
            _ => Choice::from(0),
        }
    }
}

/// A scope as a peer presents it: any types, any lengths, nothing checked.
#[derive(Debug, Clone, Copy)]
pub struct PresentedScope<'a> {
    fields: [FieldValue<'a>; 7],
}

impl<'a> PresentedScope<'a> {
    /// The scope whose fields `value_of` gives.
    pub fn from_fields(value_of: impl FnMut(ScopeField) -> FieldValue<'a>) -> Self {
        Self { fields: ScopeField::ALL.map(value_of) }
    }

    /// The fields with their values, in the order of the protocol.
    pub fn fields(&self) -> impl Iterator<Item = (ScopeField, FieldValue<'a>)> {
        ScopeField::ALL.into_iter().zip(self.fields)
    }

    /// The value of one field.
    #[must_use]
    pub fn field(&self, wanted: ScopeField) -> FieldValue<'a> {
        self.fields().find_map(|(field, value)| (field == wanted).then_some(value)).unwrap_or(FieldValue::Absent)
    }

    /// Whether every field has the type and the value that `expected` has. All fields are looked at in any case.
    pub(super) fn is_exactly(&self, expected: &TokenScope) -> Choice {
        let pairs = self.fields.into_iter().zip(expected.present().fields);
        pairs.fold(Choice::from(1), |same, (theirs, ours)| same & ours.is_same(theirs))
    }
}
