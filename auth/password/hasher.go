package password

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"runtime"
	"time"

	"golang.org/x/crypto/argon2"
)

// ErrNotHashable is what Hash returns for text that is no password: not valid
// UTF-8, with a NUL, or longer than MaxLength.
var ErrNotHashable = errors.New("password: not valid text, or too long")

const (
	defaultMaxSlots     = 4
	defaultQueuePerSlot = 128 // about what a slot works off within the timeout
	defaultQueueTimeout = 5 * time.Second
)

// Options say how a Hasher works. The zero value is a good choice.
type Options struct {
	// Params are the parameters of new hashes. Zero: DefaultParams.
	Params Params

	// Slots is how many hashes run at once. Each takes Params.MemoryKiB.
	// Zero: the number of processors, four at most.
	Slots int

	// Queue is how many callers may wait for a slot. Zero: 128 for each slot.
	// Negative: nobody waits.
	Queue int

	// QueueTimeout is how long a caller may wait for a slot. Zero: 5 seconds.
	QueueTimeout time.Duration

	// Random is where salts come from. Nil: crypto/rand.Reader.
	Random io.Reader
}

// deriveFunc computes an argon2id tag; its signature is that of argon2.IDKey.
type deriveFunc func(password, salt []byte, time, memoryKiB uint32, threads uint8, tagLength uint32) []byte

// Hasher makes and checks password hashes, so many at a time and no more. It
// is safe for use by several goroutines.
type Hasher struct {
	params Params
	gate   *gate
	random io.Reader
	derive deriveFunc
}

// New returns a Hasher, or an error that names the option that is out of range.
func New(o Options) (*Hasher, error) {
	if o.Params == (Params{}) {
		o.Params = DefaultParams()
	}
	if o.Slots == 0 {
		o.Slots = min(runtime.GOMAXPROCS(0), defaultMaxSlots)
	}
	if o.Queue == 0 {
		o.Queue = defaultQueuePerSlot * o.Slots
	}
	if o.QueueTimeout == 0 {
		o.QueueTimeout = defaultQueueTimeout
	}
	if o.Random == nil {
		o.Random = rand.Reader
	}

	if err := o.Params.validate(); err != nil {
		return nil, fmt.Errorf("password: argon2id %w", err)
	}
	if o.Slots < 0 {
		return nil, fmt.Errorf("password: slots are %d, want 1 or more", o.Slots)
	}
	if o.QueueTimeout < 0 {
		return nil, fmt.Errorf("password: queue timeout is %v, want a positive one", o.QueueTimeout)
	}
	return &Hasher{
		params: o.Params,
		gate:   newGate(o.Slots, max(o.Queue, 0), o.QueueTimeout),
		random: o.Random,
		derive: argon2.IDKey,
	}, nil
}

// Slots returns how many hashes run at once.
func (h *Hasher) Slots() int { return cap(h.gate.slots) }

// Stats is what a Hasher is doing.
type Stats struct {
	Running, Waiting int    // callers that have a slot, and that wait for one
	Slots            int    // how many hashes run at once
	Refused          uint64 // how many callers were turned away, so far
}

// Stats returns what the hasher is doing just now.
func (h *Hasher) Stats() Stats {
	// Who comes or goes between the two looks must not make it negative.
	running, inside := len(h.gate.slots), len(h.gate.places)
	return Stats{
		Running: running, Waiting: max(0, inside-running), Slots: cap(h.gate.slots), Refused: h.gate.refused.Load(),
	}
}

// Hash returns the argon2id hash of password with the present parameters and a
// fresh salt, as a PHC string. It fails with ErrNotHashable, ErrBusy or ctx's
// error, or if the randomness does. It does not judge the password: Policy does.
func (h *Hasher) Hash(ctx context.Context, password string) (string, error) {
	if !hashable(password) {
		return "", ErrNotHashable
	}
	salt := make([]byte, saltLength)
	if _, err := io.ReadFull(h.random, salt); err != nil {
		return "", fmt.Errorf("password: reading a salt: %w", err)
	}
	leave, err := h.gate.enter(ctx)
	if err != nil {
		return "", err
	}
	defer leave()

	hash := argon2idHash{params: h.params, salt: salt}
	hash.tag = hash.compute(password, tagLength, h.derive)
	return hash.String(), nil
}

// Result is what Verify found out.
type Result struct {
	// Match is true if the password is the one that was hashed.
	Match bool

	// Stale is true if, besides, the hash has smaller parameters than the
	// present ones or another format: hash the password again and store that.
	Stale bool
}

// Verify compares password with a stored hash, at the whole cost of that hash
// whatever the outcome. A password that Hash would refuse matches nothing. An
// unusable hash (empty, or with Django's "!" in front) does so too, and costs as
// much as one with the present parameters.
//
// Besides what Hash returns it reads Django's pbkdf2_sha256, pbkdf2_sha1, argon2
// (argon2id and argon2i, version 19), bcrypt_sha256, bcrypt and scrypt, all of
// them stale. They cost another time than an unusable one, so until the first
// sign-in of a user with such a hash the time taken tells that there is this
// user. No padding would hide it but one that makes each refusal as dear as the
// dearest hash.
//
// It fails with ErrMalformed if encoded is not a hash this package can read,
// and with ErrBusy or ctx's error if no slot was to be had.
func (h *Hasher) Verify(ctx context.Context, password, encoded string) (Result, error) {
	return h.VerifyIf(ctx, password, encoded, func(context.Context) error { return nil })
}

// VerifyIf is Verify with a last question, which is asked when the slot is there
// and nothing is left to wait for: where ask returns an error, nothing is
// compared, and that is the error.
func (h *Hasher) VerifyIf(ctx context.Context, password, encoded string, ask func(context.Context) error) (Result, error) {
	hash, err := parse(encoded, h.params)
	if err != nil {
		return Result{}, err
	}
	leave, err := h.gate.enter(ctx)
	if err != nil {
		return Result{}, err
	}
	defer leave()
	if err := ask(ctx); err != nil {
		return Result{}, err
	}

	acceptable := hashable(password)
	if !acceptable {
		password = ""
	}
	match := hash.matches(password, h.derive) && acceptable
	return Result{Match: match, Stale: match && hash.stale(h.params)}, nil
}

// VerifyNothing does the work of a Verify that does not match, for a user who
// does not exist or may not sign in: so the time taken does not tell. It fails
// with ErrBusy or ctx's error if no slot was to be had.
func (h *Hasher) VerifyNothing(ctx context.Context, password string) error {
	return h.VerifyNothingIf(ctx, password, func(context.Context) error { return nil })
}

// VerifyNothingIf is VerifyNothing with the question of VerifyIf.
func (h *Hasher) VerifyNothingIf(ctx context.Context, password string, ask func(context.Context) error) error {
	_, err := h.VerifyIf(ctx, password, unusablePrefix, ask)
	return err
}
