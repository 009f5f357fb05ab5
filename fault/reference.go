package fault

import (
	"fmt"
	"strings"
)

// Reference returns docs/errors.md: the table, for readers.
func Reference() string {
	var b strings.Builder
	b.WriteString(`# Errors

Printed from the table in fault/table.go by ` + "`make generate`" + `.

A GraphQL error carries its code in ` + "`extensions.code`" + `; decide by that. The message is for people and may
change, except where it is the text that djangorestframework-simplejwt uses. The codes and the token problems are also
enums in the schema (` + "`ErrorCode`, `TokenProblem`" + `), so that typed codegen hands them to clients.

| code | when | message | also in ` + "`extensions`" + ` |
| --- | --- | --- | --- |
`)
	for _, k := range Kinds() {
		row := Lookup(k)
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", k, row.When, row.Message, row.Extra)
	}
	b.WriteString(`
## Token problems

` + "`extensions.reason`" + ` of UNAUTHENTICATED and TOKEN_NOT_VALID:

| reason | what it means | what a client does |
| --- | --- | --- |
`)
	for _, row := range problemRows() {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", row.problem, row.means, row.do)
	}
	b.WriteString(`
UNAUTHENTICATED without a reason means that no token was sent. A fault of the server is never told as a bad token: it is
INTERNAL_SERVER_ERROR, and the token may be good.
`)
	return b.String()
}

type problemRow struct {
	problem   TokenProblem
	means, do string
}

func problemRows() []problemRow {
	return []problemRow{
		{TokenExpired, "Its time is over.", "Access token: refresh. Refresh token: sign in again."},
		{TokenRevoked, "Its session was ended, or the refresh token was used up.", "Sign in again."},
		{TokenStale, "Roles, password or state of the user changed since.", "Refresh; where that is refused too, sign in again."},
		{TokenReused, "A refresh token that was used up came again: the whole session is ended.", "Sign in again."},
		{TokenWrongType, "A refresh token where an access token belongs, or the other way round.", "Mend the client."},
		{TokenMalformed, "Anything else: signature, algorithm, claims, shape.", "Sign in again; mend the client."},
	}
}
