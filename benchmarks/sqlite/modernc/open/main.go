// Command open is a server's start on an existing file with this driver.
package main

import (
	"log"
	"os"

	"latchkey/benchmarks/sqlite/modernc"
	"latchkey/benchmarks/sqlite/suite"
)

func main() {
	if err := suite.OpenAndRead(modernc.Driver(false), os.Args[1]); err != nil {
		log.Fatal(err)
	}
}
