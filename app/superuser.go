package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"latchkey/auth"
	"latchkey/auth/password"
)

// FirstSuperuser is the name of the superuser that is made in an empty database.
const FirstSuperuser = "admin"

// EnsureSuperuser makes the superuser "admin" in a database without users and returns the random password. It returns
// an empty text where there are users, or another node was first.
func (a *App) EnsureSuperuser(ctx context.Context) (string, error) {
	found, err := a.Store.HasUsers(ctx)
	if err != nil || found {
		return "", err
	}
	plain, err := password.Generate(rand.Reader)
	if err != nil {
		return "", fmt.Errorf("make first superuser: %w", err)
	}
	form := auth.UserForm{Username: FirstSuperuser, Password: plain, IsStaff: true, IsSuperuser: true}
	if _, err := a.Auth.CreateUser(auth.AsOperator(ctx), form); err != nil {
		if form, ok := errors.AsType[auth.FormError](err); ok && form.Has(auth.FormTaken) {
			return "", nil
		}
		return "", fmt.Errorf("make first superuser: %w", err)
	}
	return plain, nil
}
