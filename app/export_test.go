package app

// Processors is what Serve uses in place of the present ones.
var Processors = processors
