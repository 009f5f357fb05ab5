package store

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/text/unicode/norm"
	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"latchkey/models"
)

// maxTerm is how much of a text is found by, in characters: an index of PostgreSQL takes some 2,700 bytes.
const maxTerm = 254

// userTerm is a text that a user is found by.
type userTerm struct {
	Term   string `gorm:"primaryKey"`
	UserID int64  `gorm:"primaryKey"`
}

// folded returns a text in the form in which texts are compared: in NFKC, without a difference of case.
func folded(text string) string {
	text = norm.NFKC.String(strings.ToLower(norm.NFKC.String(strings.TrimSpace(text))))
	if characters := []rune(text); len(characters) > maxTerm {
		text = string(characters[:maxTerm])
	}
	return text
}

// termsOf returns what a user is found by. The name stands in both orders, so that it is found by either part or by both.
func termsOf(u models.User) []string {
	terms := []string{
		folded(u.Username), folded(u.Email), folded(u.FirstName + " " + u.LastName), folded(u.LastName + " " + u.FirstName),
	}
	slices.Sort(terms)
	terms = slices.Compact(terms)
	return slices.DeleteFunc(terms, func(term string) bool { return term == "" })
}

// addTerms writes what the users are found by. It must be called in a transaction.
func (s *Store) addTerms(ctx context.Context, users []models.User) error {
	var rows []userTerm
	for _, u := range users {
		for _, term := range termsOf(u) {
			rows = append(rows, userTerm{term, u.ID})
		}
	}
	if len(rows) == 0 {
		return nil
	}
	again := clause.OnConflict{DoNothing: true}
	return s.mapped(gorm.G[userTerm](s.write, again).CreateInBatches(ctx, &rows, insertBatch), "write terms of users")
}

// renewTerms writes anew what a user is found by. It must be called in a transaction.
func (s *Store) renewTerms(ctx context.Context, id int64) error {
	user, err := gorm.G[models.User](s.read).Where("id = ?", id).Take(ctx)
	if err != nil {
		return s.mapped(err, "read user")
	}
	terms := termsOf(user)
	if _, err := gorm.G[userTerm](s.write).Where("user_id = ? AND term NOT IN ?", id, terms).Delete(ctx); err != nil {
		return s.mapped(err, "delete terms of user")
	}
	return s.addTerms(ctx, []models.User{user})
}

// writeTermsDue writes what those users are found by who were there before this was kept. Each batch is a transaction;
// several processes may be at it.
func (s *Store) writeTermsDue(ctx context.Context) error {
	for done := false; !done; {
		err := s.tx(ctx, func(tx *Store) error {
			var ids []int64
			err := tx.write.WithContext(ctx).Raw(`DELETE FROM user_terms_due WHERE user_id IN
				(SELECT user_id FROM user_terms_due ORDER BY user_id LIMIT ?) RETURNING user_id`, insertBatch).Scan(&ids).Error
			if err != nil {
				return tx.mapped(err, "read terms due")
			}
			if done = len(ids) == 0; done {
				return nil
			}
			are, argument := tx.dialect.among("id", ids)
			users, err := gorm.G[models.User](tx.read).Where(are, argument).Find(ctx)
			if err != nil {
				return tx.mapped(err, "read users")
			}
			return tx.addTerms(ctx, users)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// join writes ids with commas between them.
func join(ids []int64) string {
	var b []byte
	for i, id := range ids {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendInt(b, id, 10)
	}
	return string(b)
}
