package db

// The columns of a row, under the prefix by which bun fills an embedded struct. They are spelled out: a statement is a
// constant that people can read, and is never put together at run time (KE-06).
const (
	userColumns = `u.id AS u_id, u.number AS u_number, u.email AS u_email, u.email_canonical AS u_email_canonical,
u.email_verified_at AS u_email_verified_at, u.username AS u_username, u.username_canonical AS u_username_canonical,
u.name AS u_name, u.metadata AS u_metadata, u.role AS u_role, u.status AS u_status, u.password_hash AS u_password_hash,
u.created_at AS u_created_at, u.updated_at AS u_updated_at, u.last_login_at AS u_last_login_at, u.locale AS u_locale,
u.pending_email AS u_pending_email, u.pending_email_canonical AS u_pending_email_canonical,
u.pending_shown AS u_pending_shown,
u.password_disabled_at AS u_password_disabled_at, u.devices_cleared_at AS u_devices_cleared_at,
u.mfa_enabled_at AS u_mfa_enabled_at, u.auth_version AS u_auth_version,
u.invited AS u_invited, u.external_id AS u_external_id, u.phone AS u_phone,
u.phone_verified_at AS u_phone_verified_at`

	sessionColumns = `s.id AS s_id, s.number AS s_number, s.user_id AS s_user_id, s.generation AS s_generation,
s.used_generation AS s_used_generation, s.methods AS s_methods, s.user_agent AS s_user_agent, s.ip AS s_ip,
s.dialect AS s_dialect, s.created_at AS s_created_at,
s.authenticated_at AS s_authenticated_at, s.proved_by AS s_proved_by,
s.factor_at AS s_factor_at,
 s.rotated_at AS s_rotated_at, s.last_used_at AS s_last_used_at,
s.expires_at AS s_expires_at, s.idle_seconds AS s_idle_seconds, s.revoked_at AS s_revoked_at,
s.revoked_reason AS s_revoked_reason`

	keyColumns = `k.id AS k_id, k.user_id AS k_user_id, k.handle AS k_handle, k.hash AS k_hash, k.prefix AS k_prefix,
  k.name AS k_name,
k.scopes AS k_scopes, k.created_at AS k_created_at, k.last_used_at AS k_last_used_at, k.expires_at AS k_expires_at`
)
