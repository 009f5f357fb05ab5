package fault

import "net/http"

// Kind names a class of failure. Its text is the `extensions.code` of a GraphQL error.
type Kind string

// The kinds. Each has one row in the table below.
const (
	KindUnauthenticated       Kind = "UNAUTHENTICATED"
	KindForbidden             Kind = "FORBIDDEN"
	KindInvalidCredentials    Kind = "INVALID_CREDENTIALS"
	KindTokenNotValid         Kind = "TOKEN_NOT_VALID"
	KindBadUserInput          Kind = "BAD_USER_INPUT"
	KindNotFound              Kind = "NOT_FOUND"
	KindConflict              Kind = "CONFLICT"
	KindRateLimited           Kind = "RATE_LIMITED"
	KindParseFailed           Kind = "GRAPHQL_PARSE_FAILED"
	KindValidationFailed      Kind = "GRAPHQL_VALIDATION_FAILED"
	KindComplexityLimit       Kind = "COMPLEXITY_LIMIT_EXCEEDED"
	KindPersistedQueryMissing Kind = "PERSISTED_QUERY_NOT_FOUND"
	KindCSRFRejected          Kind = "CSRF_REJECTED"
	KindInternal              Kind = "INTERNAL_SERVER_ERROR"
)

// TokenProblem says why a token was not accepted. Its text is the `extensions.reason` of a GraphQL error.
type TokenProblem string

// The token problems.
const (
	TokenExpired   TokenProblem = "EXPIRED"
	TokenRevoked   TokenProblem = "REVOKED"
	TokenStale     TokenProblem = "STALE"
	TokenReused    TokenProblem = "REUSED"
	TokenWrongType TokenProblem = "WRONG_TYPE"
	TokenMalformed TokenProblem = "MALFORMED"
)

// Row is what the outside sees of a Kind.
type Row struct {
	Status  int    // the HTTP status where the failure is the whole answer
	Message string // for people, where the Error has no text of its own
	When    string // for the reference
	Extra   string // other members of `extensions`, for the reference
}

// table is the one place where a Kind gets its status and its text. The texts of djangorestframework-simplejwt and of
// Django REST framework are kept to the letter, full stop or none.
var table = map[Kind]Row{
	KindUnauthenticated: {
		http.StatusUnauthorized, "Authentication credentials were not provided.",
		"A guarded field, and no valid access token.", "`reason`, where a token was sent",
	},
	KindForbidden: {
		http.StatusForbidden, "You do not have permission to perform this action.",
		"Signed in, but without the permission; or it would give, or change, what the caller does not have.", "`requires`, the permission, where one is missing",
	},
	KindInvalidCredentials: {
		http.StatusUnauthorized, "No active account found with the given credentials",
		"Wrong username or password, or the user is inactive: one and the same answer.", "",
	},
	KindTokenNotValid: {
		http.StatusUnauthorized, "Token is invalid",
		"A token given as an argument or in the cookie is not accepted.", "`reason`",
	},
	KindBadUserInput: {
		http.StatusBadRequest, "The input is not valid.",
		"An argument is not acceptable.", "`field`, and `fields` where several are",
	},
	KindNotFound: {
		http.StatusNotFound, "Not found.",
		"What was asked for does not exist.", "",
	},
	KindConflict: {
		http.StatusConflict, "The value is already taken.",
		"A value that must be unique is taken.", "`field`",
	},
	KindRateLimited: {
		http.StatusTooManyRequests, "Too many tries. Please wait and try again.",
		"Too many tries, or the server is busy checking passwords.", "`retryAfter`, seconds; also as HTTP `Retry-After`",
	},
	KindParseFailed: {
		http.StatusBadRequest, "The document is not valid GraphQL.",
		"The document does not parse.", "",
	},
	KindValidationFailed: {
		http.StatusBadRequest, "The request is not valid.",
		"The document or its variables do not fit the schema; or the document is not a trusted one where only those run.", "",
	},
	KindComplexityLimit: {
		http.StatusBadRequest, "The document asks for too much.",
		"The request passes a limit (body, tokens, depth, aliases, cost): docs/limits.md.", "",
	},
	KindPersistedQueryMissing: {
		http.StatusOK, "PersistedQueryNotFound",
		"The hash of a persisted query is not known: send the document with it. Or no trusted document has the id.", "",
	},
	KindCSRFRejected: {
		http.StatusForbidden, "The request was refused because a foreign page could have made it.",
		"A foreign web page could have made the request.", "",
	},
	KindInternal: {
		http.StatusInternalServerError, "Internal server error.",
		"A fault of the server. The log has its cause under the request id.", "`requestId`",
	},
}

// Lookup returns the row of k; an unknown kind is an internal error.
func Lookup(k Kind) Row {
	if row, ok := table[k]; ok {
		return row
	}
	return table[KindInternal]
}

// Kinds returns every kind in the order of the reference.
func Kinds() []Kind {
	return []Kind{
		KindUnauthenticated, KindForbidden, KindInvalidCredentials, KindTokenNotValid, KindBadUserInput,
		KindNotFound, KindConflict, KindRateLimited, KindParseFailed, KindValidationFailed, KindComplexityLimit,
		KindPersistedQueryMissing, KindCSRFRejected, KindInternal,
	}
}

// TokenProblems returns every token problem in the order of the reference.
func TokenProblems() []TokenProblem {
	return []TokenProblem{TokenExpired, TokenRevoked, TokenStale, TokenReused, TokenWrongType, TokenMalformed}
}
