module latchkey/benchmarks/load

go 1.26.8
