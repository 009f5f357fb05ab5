package password

import "fmt"

// Limits of the parameters that are accepted, from the configuration and from
// a stored hash alike. They bound what one hash can cost, so that a row written
// by somebody else takes neither gigabytes nor minutes: 128 MiB, and about 27
// times the work of the default.
const (
	maxMemoryKiB   = 128 << 10
	maxWork        = 1 << 20 // KiB of memory times iterations
	maxParallelism = 64

	saltLength = 16
	tagLength  = 32
)

// Params are the cost parameters of argon2id (RFC 9106, section 3.1).
type Params struct {
	MemoryKiB   uint32 // m, in KiB; at least 8 for each lane
	Iterations  uint32 // t, passes over the memory; at least 1
	Parallelism uint8  // p, lanes; at least 1
}

// DefaultParams returns the least that OWASP's password storage cheat sheet
// recommends: 19 MiB of memory, two passes, one lane.
func DefaultParams() Params {
	return Params{MemoryKiB: 19456, Iterations: 2, Parallelism: 1}
}

// validate tells what is wrong with the parameters, or nil.
func (p Params) validate() error {
	switch {
	case p.Parallelism < 1 || p.Parallelism > maxParallelism:
		return fmt.Errorf("parallelism is %d, want 1 to %d", p.Parallelism, maxParallelism)
	case p.MemoryKiB < 8*uint32(p.Parallelism) || p.MemoryKiB > maxMemoryKiB:
		return fmt.Errorf("memory is %d KiB, want %d to %d", p.MemoryKiB, 8*uint32(p.Parallelism), maxMemoryKiB)
	case p.Iterations < 1 || uint64(p.Iterations)*uint64(p.MemoryKiB) > maxWork:
		return fmt.Errorf("iterations are %d, want 1 to %d with %d KiB", p.Iterations, maxWork/p.MemoryKiB, p.MemoryKiB)
	}
	return nil
}

// below tells whether any parameter is smaller than that of other.
func (p Params) below(other Params) bool {
	return p.MemoryKiB < other.MemoryKiB || p.Iterations < other.Iterations || p.Parallelism < other.Parallelism
}
