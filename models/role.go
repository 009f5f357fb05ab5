package models

// Role is a named set of permissions.
type Role struct {
	ID          int64 `gorm:"primaryKey"`
	Name        string
	Description string
	Permissions []string `gorm:"serializer:json"`
}

// The server's own permissions. A role may also carry names that only mean something to other services.
const (
	PermUsersRead     = "users:read"
	PermUsersWrite    = "users:write"
	PermRolesRead     = "roles:read"
	PermRolesWrite    = "roles:write"
	PermSessionsWrite = "sessions:write"
	PermKeysWrite     = "keys:write"
	PermAuditRead     = "audit:read"
)

// Permissions returns the server's own permissions.
func Permissions() []string {
	return []string{
		PermUsersRead, PermUsersWrite, PermRolesRead, PermRolesWrite, PermSessionsWrite, PermKeysWrite, PermAuditRead,
	}
}
