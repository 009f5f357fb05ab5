package fault

// Rows returns how many rows the table has.
func Rows() int { return len(table) }
