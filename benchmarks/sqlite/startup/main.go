// Command startup runs each given program on a file in turn and prints the
// medians of its wall time, CPU time and peak RSS.
//
//	startup FILE PROGRAM...
package main

import (
	"fmt"
	"log"
	"os"
	"os/exec"
	"slices"
	"syscall"
	"time"
)

const runs = 21

func main() {
	type costs struct{ wall, cpu, rss []int64 }
	file, programs := os.Args[1], os.Args[2:]
	seen := make([]costs, len(programs))
	for range runs {
		for i, program := range programs {
			cmd := exec.Command(program, file)
			cmd.Stderr = os.Stderr
			began := time.Now()
			if err := cmd.Run(); err != nil {
				log.Fatal(program, ": ", err)
			}
			s := cmd.ProcessState
			seen[i].wall = append(seen[i].wall, time.Since(began).Microseconds())
			seen[i].cpu = append(seen[i].cpu, (s.UserTime() + s.SystemTime()).Microseconds())
			seen[i].rss = append(seen[i].rss, s.SysUsage().(*syscall.Rusage).Maxrss)
		}
	}
	for i, program := range programs {
		info, err := os.Stat(program)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf("%s: wall %d µs, CPU %d µs, peak RSS %d KiB, %.2f MB\n", program,
			median(seen[i].wall), median(seen[i].cpu), median(seen[i].rss), float64(info.Size())/1e6)
	}
}

func median(v []int64) int64 {
	slices.Sort(v)
	return v[len(v)/2]
}
