// Package chain authenticates events and their order: each row carries an HMAC-SHA-256 (RFC 2104) over what it says and
// over that of the row before, and a mark says, authenticated as well, where the chain begins and ends. Who can write the
// database but does not have the key can neither change, insert, remove nor re-order rows unnoticed, nor cut off either
// end. Who puts back an older state of the whole, mark and all, is noticed only by a mark that was noted elsewhere.
//
// The package does no I/O.
package chain

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"time"

	"latchkey/models"
)

// KeySize is the length of a key, in bytes, and that of a hash.
const KeySize = sha256.Size

// What is authenticated begins with what it is, so that neither can be taken for the other.
const (
	eventLabel  = "latchkey/audit-event/v1"
	markLabel   = "latchkey/audit-mark/v2"
	markV1Label = "latchkey/audit-mark/v1" // of a chain that is the first, and does not say when it began
)

// Key authenticates. It is safe for use by many goroutines.
type Key struct{ secret []byte }

// NewKey returns the Key of a secret of KeySize random bytes.
func NewKey(secret []byte) (*Key, error) {
	if len(secret) != KeySize {
		return nil, fmt.Errorf("the key of the event chain is %d bytes long, it must be %d", len(secret), KeySize)
	}
	return &Key{append([]byte{}, secret...)}, nil
}

// Begin returns a chain without events that begins at the time given, for a database whose events up to the id and the
// place given are in none, or in a former one. Its key is still to be put in.
func (k *Key) Begin(at time.Time, beforeID, beforeSeq int64) models.EventChain {
	none := make([]byte, sha256.Size)
	return k.Seal(models.EventChain{
		BegunAt: at, BegunSeq: beforeSeq + 1, BeforeID: beforeID,
		FirstSeq: beforeSeq + 1, PrevHash: none, LastSeq: beforeSeq, LastHash: none,
	})
}

// Seal returns the chain with the MAC that it should have.
func (k *Key) Seal(c models.EventChain) models.EventChain {
	c.MAC = k.mark(c)
	return c
}

// Authentic reports whether the chain has the MAC that it should have.
func (k *Key) Authentic(c models.EventChain) bool { return hmac.Equal(c.MAC, k.mark(c)) }

// Link puts events at the end of the chain: it fills in their place and hash, and moves the end of the chain. Events must
// have their ids; the MAC is left as it was.
func (k *Key) Link(c models.EventChain, events []models.Event) (models.EventChain, error) {
	for i := range events {
		detail, err := DetailText(events[i])
		if err != nil {
			return c, err
		}
		events[i].Seq = c.LastSeq + 1
		events[i].Hash = k.Hash(c.LastHash, models.ChainedEvent{Event: events[i], DetailText: detail})
		c.LastSeq, c.LastHash = events[i].Seq, events[i].Hash
	}
	return c, nil
}

// DetailText returns the detail of an event as it is kept.
func DetailText(e models.Event) (string, error) {
	if e.Detail == nil {
		return "{}", nil
	}
	text, err := json.Marshal(e.Detail)
	if err != nil {
		return "", fmt.Errorf("detail of %s: %w", e.Type, err)
	}
	return string(text), nil
}

// Hash returns the hash of an event that follows the hash given.
func (k *Key) Hash(before []byte, e models.ChainedEvent) []byte { return k.sum(Encode(before, e)) }

func (k *Key) mark(c models.EventChain) []byte {
	var b encoder
	if c.BegunAt.IsZero() && c.BegunSeq == 1 {
		b.text(markV1Label)
	} else {
		b.text(markLabel)
		b.number(c.BegunAt.UnixMicro())
		b.number(c.BegunSeq)
	}
	b.number(c.BeforeID)
	b.number(c.FirstSeq)
	b.text(string(c.PrevHash))
	b.number(c.LastSeq)
	b.text(string(c.LastHash))
	return k.sum(b)
}

func (k *Key) sum(message []byte) []byte {
	m := hmac.New(sha256.New, k.secret)
	m.Write(message)
	return m.Sum(nil)
}

// Encode returns what is authenticated of an event: every column but the hash, and the hash of the row before. Numbers
// take 8 bytes, the highest first, times are microseconds since 1970, and in front of each text stands its length in
// bytes: no two events have the same encoding.
func Encode(before []byte, e models.ChainedEvent) []byte {
	var b encoder
	b.text(eventLabel)
	b.text(string(before))
	b.number(e.Seq)
	b.number(e.ID)
	b.number(e.At.UnixMicro())
	b.text(e.Type)
	b.number(e.ActorID)
	b.text(e.ActorName)
	b.number(e.SubjectID)
	b.text(e.SubjectName)
	b.text(e.SessionID)
	b.text(e.Address)
	b.text(e.UserAgent)
	b.text(e.DetailText)
	return b
}

// encoder appends what can be read back in one way only.
type encoder []byte

func (b *encoder) number(n int64) { *b = binary.BigEndian.AppendUint64(*b, uint64(n)) } //nolint:gosec // bit by bit

func (b *encoder) text(s string) {
	b.number(int64(len(s)))
	*b = append(*b, s...)
}
