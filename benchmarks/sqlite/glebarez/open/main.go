// Command open is a server's start on an existing file with this driver.
package main

import (
	"log"
	"os"

	"latchkey/benchmarks/sqlite/glebarez"
	"latchkey/benchmarks/sqlite/suite"
)

func main() {
	if err := suite.OpenAndRead(glebarez.Driver(), os.Args[1]); err != nil {
		log.Fatal(err)
	}
}
