//! Organisations, members and invitations on the wire, contract section 2.16.

use chrono::{DateTime, Utc};
use posthouse_schema::{
    invite::Invite, member::Member, organisation::Organisation, plain_token::PlainToken, user::User, words::Role,
};
use salvo::oapi::ToSchema;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::{accounts::wire::UserWire, error::ApiError};

/// What an organisation is made or changed with.
#[derive(Debug, Deserialize, ToSchema)]
pub struct OrganisationBody {
    /// What it is called.
    pub name: Option<String>,
    /// Not supported by this version: only empty.
    pub custom_domain: Option<String>,
}

/// A role, as it is given.
#[derive(Debug, Deserialize, ToSchema)]
pub struct RoleBody {
    /// `organisation_admin`, `billing_admin`, `project_admin` or `project_viewer`; `instance_admin` by another one alone.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Not supported by this version: a role holds for the whole organisation.
    pub project: Option<String>,
    /// Not supported by this version.
    pub endpoint: Option<String>,
}

/// What a member is changed to.
#[derive(Debug, Deserialize, ToSchema)]
pub struct MemberBody {
    /// The new role.
    pub role: Option<RoleBody>,
}

/// Who is invited.
#[derive(Debug, Deserialize, ToSchema)]
pub struct InviteBody {
    /// The address.
    pub invitee_email: Option<String>,
    /// As what.
    pub role: Option<RoleBody>,
}

/// What somebody without an account accepts an invitation with.
#[derive(Debug, Default, Deserialize, ToSchema)]
pub struct InviteeBody {
    /// First name.
    pub first_name: Option<String>,
    /// Last name.
    pub last_name: Option<String>,
    /// The invited address, where it is given.
    pub email: Option<String>,
    /// The password: 8 characters or more.
    #[salvo(schema(value_type = Option<String>))]
    pub password: Option<SecretString>,
}

/// An organisation.
#[derive(Debug, Serialize, ToSchema)]
pub struct OrganisationWire {
    /// The organisation.
    pub uid: String,
    /// Who made it, or who came after them.
    #[serde(rename = "OwnerID")]
    pub owner_id: String,
    /// What it is called.
    pub name: String,
    /// Always null.
    pub custom_domain: Option<String>,
    /// Always null.
    pub assigned_domain: Option<String>,
    /// Always null.
    pub disabled_at: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// Always null.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// A role.
#[derive(Debug, Serialize, ToSchema)]
pub struct RoleWire {
    /// The role.
    #[serde(rename = "type")]
    pub kind: String,
    /// Always empty: it holds for the whole organisation.
    pub project: &'static str,
}

/// A member.
#[derive(Debug, Serialize, ToSchema)]
pub struct MemberWire {
    /// The member; the same as the user.
    pub uid: String,
    /// Of which organisation.
    pub organisation_id: String,
    /// Who.
    pub user_id: String,
    /// As what.
    pub role: RoleWire,
    /// The user's names and address.
    pub user_metadata: UserMetadata,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// When the role last changed.
    pub updated_at: DateTime<Utc>,
    /// Always null.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// A user's names and address.
#[derive(Debug, Serialize, ToSchema)]
pub struct UserMetadata {
    /// The user.
    pub uid: String,
    /// First name.
    pub first_name: String,
    /// Last name.
    pub last_name: String,
    /// The address.
    pub email: String,
}

/// An invitation.
#[derive(Debug, Serialize, ToSchema)]
pub struct InviteWire {
    /// The invitation.
    pub uid: String,
    /// To which organisation.
    pub organisation_id: String,
    /// The organisation's name, for who is invited.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub organisation_name: Option<String>,
    /// Address of who is invited.
    pub invitee_email: String,
    /// What accepts it: in the answers that make or renew it, else empty.
    pub token: String,
    /// As what.
    pub role: RoleWire,
    /// `pending`, `accepted`, `declined` or `cancelled`.
    pub status: String,
    /// When it can no longer be accepted.
    pub expires_at: DateTime<Utc>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it last changed.
    pub updated_at: DateTime<Utc>,
    /// Always null.
    pub deleted_at: Option<DateTime<Utc>>,
}

/// An invitation with the account of who is invited, where there is one.
#[derive(Debug, Serialize, ToSchema)]
pub struct FoundInviteWire {
    /// The invitation.
    pub token: InviteWire,
    /// The account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<UserWire>,
}

impl From<Organisation> for OrganisationWire {
    fn from(row: Organisation) -> Self {
        Self {
            uid: row.id.to_string(),
            owner_id: row.owner_id.map(|id| id.to_string()).unwrap_or_default(),
            name: row.name,
            custom_domain: None,
            assigned_domain: None,
            disabled_at: None,
            created_at: row.created_at,
            updated_at: row.updated_at,
            deleted_at: None,
        }
    }
}

impl From<Role> for RoleWire {
    fn from(role: Role) -> Self {
        Self { kind: role.to_string(), project: "" }
    }
}

impl From<(Member, User)> for MemberWire {
    fn from((row, user): (Member, User)) -> Self {
        Self {
            uid: row.user_id.to_string(),
            organisation_id: row.organisation_id.to_string(),
            user_id: row.user_id.to_string(),
            role: row.role.into(),
            user_metadata: UserMetadata {
                uid: user.id.to_string(),
                first_name: user.first_name,
                last_name: user.last_name,
                email: user.email,
            },
            created_at: row.created_at,
            updated_at: row.updated_at,
            deleted_at: None,
        }
    }
}

impl InviteWire {
    /// An invitation; its token is known only when it is made.
    #[must_use]
    pub fn new(row: Invite, token: Option<&PlainToken>, organisation_name: Option<String>) -> Self {
        Self {
            uid: row.id.to_string(),
            organisation_id: row.organisation_id.to_string(),
            organisation_name,
            invitee_email: row.invitee_email,
            token: token.map(|token| token.expose().to_string()).unwrap_or_default(),
            role: row.role.into(),
            status: row.status.to_string(),
            expires_at: row.expires_at,
            created_at: row.created_at,
            updated_at: row.updated_at,
            deleted_at: None,
        }
    }
}

/// The role that a body names, if its giver may give it: nobody gives more than they have.
///
/// # Errors
/// 400 naming the field; 403 for a role above the giver's.
pub fn granted(body: Option<RoleBody>, giver: Role) -> Result<Role, ApiError> {
    let body = body.ok_or_else(|| ApiError::invalid("role:please provide a valid role"))?;
    for (field, given) in [("role.project", &body.project), ("role.endpoint", &body.endpoint)] {
        if given.as_ref().is_some_and(|given| !given.is_empty()) {
            return Err(ApiError::invalid(format!("{field}: in this version a role holds for the whole organisation")));
        }
    }
    match body.kind.as_deref().and_then(Role::parse) {
        None | Some(Role::Api) => Err(ApiError::invalid(
            "role.type: one of organisation_admin, billing_admin, project_admin, project_viewer is expected",
        )),
        Some(Role::InstanceAdmin) if giver != Role::InstanceAdmin => Err(ApiError::Forbidden("Unauthorized")),
        Some(role) => Ok(role),
    }
}
