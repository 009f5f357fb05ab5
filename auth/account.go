package auth

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"strings"
	"time"
	"unicode/utf8"

	"latchkey/auth/password"
	"latchkey/auth/username"
	"latchkey/fault"
	"latchkey/models"
)

// Bounds of the text fields, as in Django.
const (
	maxNameLength  = 150 // characters
	maxEmailLength = 254 // bytes, RFC 5321 section 4.5.3.1
)

// UserForm is what a new user is made from.
type UserForm struct {
	Username, Password, Email, FirstName, LastName string
	IsStaff, IsSuperuser                           bool
	Roles                                          []string // their names
}

// FormCode says what is wrong with a field of a form: the contract's UserErrorCode.
type FormCode string

// The codes of forms.
const (
	FormRequired   FormCode = "REQUIRED"
	FormInvalid    FormCode = "INVALID"
	FormTaken      FormCode = "TAKEN"
	FormTooShort   FormCode = "TOO_SHORT"
	FormTooLong    FormCode = "TOO_LONG"
	FormTooCommon  FormCode = "TOO_COMMON"
	FormTooSimilar FormCode = "TOO_SIMILAR"

	FormWrongPassword FormCode = "WRONG_PASSWORD"
	FormNotFound      FormCode = "NOT_FOUND"
)

// The texts of what is wrong with a form, in Django's words where it has them.
const (
	textRequired = "This field is required."
	textTooLong  = "Ensure this field has no more than %d characters."
	textNul      = "Null characters are not allowed."
	textTaken    = "A user with that username, or one that looks like it, already exists."
)

// FormProblem is one thing that is wrong with a form.
type FormProblem struct {
	Field   string // of an element of a list with its place, as in roles.0
	Code    FormCode
	Message string // for people
}

// FormError is everything that is wrong with a form. Nothing was written.
type FormError []FormProblem

// Error names the fields and says what is wrong with them.
func (e FormError) Error() string {
	texts := make([]string, len(e))
	for i, p := range e {
		texts[i] = p.Field + ": " + p.Message
	}
	return strings.Join(texts, " ")
}

// Has reports whether any problem has the code.
func (e FormError) Has(code FormCode) bool {
	for _, p := range e {
		if p.Code == code {
			return true
		}
	}
	return false
}

// about reports whether any problem is about the field.
func (e FormError) about(field string) bool {
	for _, p := range e {
		if p.Field == field {
			return true
		}
	}
	return false
}

func (e *FormError) add(field string, code FormCode, message string) {
	*e = append(*e, FormProblem{field, code, message})
}

// CreateUser makes a user. Needs users:write and everything that the user is given. A FormError says, all at once, what is
// wrong with the form; FORBIDDEN for what would be a way up.
func (s *Service) CreateUser(ctx context.Context, form UserForm) (models.User, error) {
	form.Username = username.Normalize(form.Username)
	user := models.User{
		Username: form.Username, UsernameKey: username.Skeleton(form.Username), Email: form.Email,
		FirstName: form.FirstName, LastName: form.LastName,
		IsActive: true, IsStaff: form.IsStaff, IsSuperuser: form.IsSuperuser, DateJoined: s.now(),
	}
	if _, err := s.mayCreate(ctx, s.Store, user, form); err != nil {
		return models.User{}, err
	}
	hash, err := s.Passwords.Hash(ctx, form.Password)
	if err != nil {
		return models.User{}, busy(err)
	}
	user.PasswordHash = models.Secret(hash)
	err = s.Recorder.change(ctx, func(tx models.Store) ([]event, error) {
		if err := tx.LockUsers(ctx); err != nil {
			return nil, err
		}
		roles, err := s.mayCreate(ctx, tx, user, form) // as it is now, when nobody else changes it
		if err != nil {
			return nil, err
		}
		if err := tx.CreateUser(ctx, &user); err != nil {
			return nil, err
		}
		made := event{name: EventUserCreated, subject: user.ID, detail: map[string]any{
			"is_staff": user.IsStaff, "is_superuser": user.IsSuperuser,
		}}
		if user.Roles = roles; len(roles) > 0 {
			made.detail["roles"] = user.RoleNames()
			if err := tx.SetUserRoles(ctx, user.ID, user.RoleNames()); err != nil {
				return nil, err
			}
		}
		return []event{made.by(ctx)}, nil
	})
	if problems, ok := taken(err); ok {
		return models.User{}, problems
	}
	if isRefusal(err) {
		return models.User{}, err
	}
	if err != nil {
		return models.User{}, fmt.Errorf("create user: %w", err)
	}
	return user, nil
}

// mayCreate finds out whether the caller may make the user, and what is wrong with the form. It returns the roles.
func (s *Service) mayCreate(ctx context.Context, kept models.Store, user models.User, form UserForm) ([]models.Role, error) {
	by, err := s.actorIn(ctx, kept, models.PermUsersWrite)
	if err != nil {
		return nil, err
	}
	if err := s.mayGive(ctx, by, models.User{}, user); err != nil {
		return nil, err
	}
	problems := checkForm(s.Policy, form)
	roles, err := rolesNamed(ctx, kept, form.Roles, &problems)
	if err != nil {
		return nil, err
	}
	if err := s.mayGiveRoles(ctx, by, models.User{}, roles); err != nil {
		return nil, err
	}
	if !problems.about("username") {
		if err := nameTaken(ctx, kept, user, &problems); err != nil {
			return nil, err
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	return roles, nil
}

// CheckUserForm returns what is wrong with a form by itself, all at once. Whether the name is taken, and whether there
// are such roles, only CreateUser can tell.
func CheckUserForm(form UserForm) FormError {
	form.Username = username.Normalize(form.Username)
	return checkForm(password.NewPolicy(), form)
}

func checkForm(policy *password.Policy, form UserForm) FormError {
	var e FormError
	e.addUsername(form.Username)
	e.addEmail(form.Email)
	e.addName("firstName", form.FirstName)
	e.addName("lastName", form.LastName)
	if form.Password == "" {
		e.add("password", FormRequired, textRequired)
		return e
	}
	e.addPassword("password", policy, form.Password, models.User{
		Username: form.Username, Email: form.Email, FirstName: form.FirstName, LastName: form.LastName,
	})
	return e
}

// addUsername adds what is wrong with a new username, in its normal form.
func (e *FormError) addUsername(name string) {
	if name == "" {
		e.add("username", FormRequired, textRequired)
		return
	}
	for _, p := range username.Check(name) {
		e.add("username", usernameCode(p.Kind), p.Message)
	}
}

func (e *FormError) addEmail(address string) {
	if address != "" && !isEmail(address) {
		e.add("email", FormInvalid, "Enter a valid email address.")
	}
}

func (e *FormError) addName(field, value string) {
	if !isText(value) {
		e.add(field, FormInvalid, textNul)
	} else if utf8.RuneCountInString(value) > maxNameLength {
		e.add(field, FormTooLong, fmt.Sprintf(textTooLong, maxNameLength))
	}
}

// addPassword adds what is wrong with a new password of the user.
func (e *FormError) addPassword(field string, policy *password.Policy, plain string, user models.User) {
	about := password.Attributes{
		Username: user.Username, Email: user.Email, FirstName: user.FirstName, LastName: user.LastName,
	}
	for _, p := range policy.Check(plain, about) {
		e.add(field, passwordCode(p.Kind), p.Message)
	}
}

// isEmail reports whether the text is a bare address, as in name@example.org.
func isEmail(text string) bool {
	if len(text) > maxEmailLength || !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		return false
	}
	address, err := mail.ParseAddress(text)
	return err == nil && address.Address == text
}

func usernameCode(k username.Kind) FormCode {
	if k == username.TooLong {
		return FormTooLong
	}
	return FormInvalid
}

func passwordCode(k password.Kind) FormCode {
	switch k {
	case password.TooShort:
		return FormTooShort
	case password.TooLong:
		return FormTooLong
	case password.TooCommon:
		return FormTooCommon
	case password.TooSimilar:
		return FormTooSimilar
	default:
		return FormInvalid
	}
}

// ChangePassword changes the caller's password, ends every session of theirs, this one too, and begins a new one. A
// FormError says what is wrong with the passwords.
func (s *Service) ChangePassword(ctx context.Context, current, replacement string) (Pair, error) {
	user, err := s.Me(ctx)
	if err != nil {
		return Pair{}, err
	}
	matches, err := s.isCurrent(ctx, user, current)
	if err != nil {
		return Pair{}, err
	}
	if problems := s.checkChange(user, matches, replacement); len(problems) > 0 {
		return Pair{}, problems
	}
	hash, err := s.Passwords.Hash(ctx, replacement)
	if err != nil {
		return Pair{}, busy(err)
	}
	now, until := s.now(), s.until()
	session, err := s.newSession(ctx, user, now)
	if err != nil {
		return Pair{}, err
	}
	err = s.Recorder.change(ctx, func(tx models.Store) ([]event, error) {
		replaced, err := tx.ReplacePasswordHash(ctx, user.ID, user.PasswordHash, models.Secret(hash))
		if err != nil {
			return nil, err
		}
		if !replaced { // it was changed meanwhile, so what was given as current no longer is
			return nil, FormError{wrongPassword()}
		}
		// The epoch makes every older access token stale, so the sessions need no revocation each.
		if _, err := tx.RaiseEpoch(ctx, user.ID, now, until); err != nil {
			return nil, err
		}
		// Hashing took its time: the roles of now, which nobody changes before the end of the transaction.
		if user, err = tx.UserByID(ctx, user.ID); err != nil {
			return nil, err
		}
		if _, err := tx.EndSessions(ctx, user.ID, "", now, time.Time{}); err != nil {
			return nil, err
		}
		changed := []event{self(EventPasswordChanged, user.ID, session.ID)}
		return changed, tx.StartSession(ctx, &session, user.Epoch, false)
	})
	if form, ok := errors.AsType[FormError](err); ok {
		s.passwordChangeFailed(ctx, user.ID)
		return Pair{}, form
	}
	if errors.Is(err, models.ErrNotFound) { // deactivated or deleted meanwhile
		return Pair{}, fault.Unauthenticated(fault.TokenStale, "User is inactive")
	}
	if err != nil {
		return Pair{}, fmt.Errorf("change password: %w", err)
	}
	s.live.set.Add(models.Revocation{UserID: user.ID, Epoch: user.Epoch, ExpiresAt: until})
	refresh, err := s.refresh(user, session, nil)
	if err != nil {
		return Pair{}, err
	}
	user.PasswordHash = models.Secret(hash)
	return s.signedIn(ctx, user, session, refresh, now)
}

// isCurrent reports whether the password is the caller's present one. RATE_LIMITED after too many that were not.
func (s *Service) isCurrent(ctx context.Context, user models.User, current string) (bool, error) {
	try, err := s.begin(ctx, s.bucketsOfCaller(ctx, user))
	if err != nil {
		return false, s.throttled(ctx, user.ID, err)
	}
	defer try.end(ctx)
	result, err := s.verifyPassword(ctx, user, current, try)
	if err != nil && !errors.Is(err, password.ErrMalformed) { // which nothing matches
		return false, s.throttled(ctx, user.ID, busy(err))
	}
	if !result.Match {
		s.passwordChangeFailed(ctx, user.ID)
		return false, try.fail(ctx)
	}
	return true, nil
}

// passwordChangeFailed records that the current password was not it.
func (s *Service) passwordChangeFailed(ctx context.Context, userID int64) {
	e := self(EventPasswordChangeFailed, userID, "")
	if caller, err := CallerFrom(ctx); err == nil {
		e.session = caller.SessionID
	}
	s.Recorder.fail(ctx, e, "")
}

func wrongPassword() FormProblem {
	return FormProblem{"current", FormWrongPassword, "Your old password was entered incorrectly. Please enter it again."}
}

func (s *Service) checkChange(user models.User, matches bool, replacement string) FormError {
	var e FormError
	if !matches {
		e = append(e, wrongPassword())
	}
	if replacement == "" {
		e.add("new", FormRequired, textRequired)
		return e
	}
	e.addPassword("new", s.Policy, replacement, user)
	return e
}
