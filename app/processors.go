package app

import "runtime"

// leaveRoom sees to it that requests are answered at once while passwords are hashed in all slots. It returns what undoes
// it.
//
// A goroutine that hashes keeps its processor, as the Go runtime calls the right to run, for ten milliseconds before
// another gets it. With one processor more for each slot there is always a free one, and the kernel, which lets a thread
// that has slept go first, shares the cores out.
func leaveRoom(slots int) (restore func()) {
	present := runtime.GOMAXPROCS(0)
	if wanted := processors(present, runtime.NumCPU(), slots); wanted != present {
		runtime.GOMAXPROCS(wanted)
		return func() { runtime.GOMAXPROCS(present) }
	}
	return func() {}
}

// processors returns how many processors to use in place of the present ones. They are left as they are where slots leave
// some free, and where they are fewer than the cores: that is the limit of a container, whose threads would be stopped
// for running too much, or what somebody asked for.
func processors(present, cores, slots int) int {
	if present < cores || slots < present {
		return present
	}
	return present + slots
}
