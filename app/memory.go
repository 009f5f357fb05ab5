package app

import "github.com/KimMachineGun/automemlimit/memlimit"

// memoryShare is how much of the memory of its container, or else of the machine, the runtime tries to stay within.
const memoryShare = 0.9

// leastMemory is what it is not asked to stay below, in bytes: passwords are hashed in four slots of 19 MiB at most, and
// a limit that does not hold them would have it collect garbage without end.
const leastMemory = 192 << 20

// LimitMemory tells the runtime how much memory there is (see debug.SetMemoryLimit), so that the memory of finished
// password hashes is used again before it is all taken. GOMEMLIMIT in the environment goes before it. Where it cannot be
// found out how much there is, nothing changes.
func LimitMemory() {
	provider := memlimit.ApplyFallback(memlimit.FromCgroup, memlimit.FromSystem)
	_, _ = memlimit.Set(memlimit.WithRatio(memoryShare), memlimit.WithMin(leastMemory), memlimit.WithProvider(provider)) // nothing changed
}
