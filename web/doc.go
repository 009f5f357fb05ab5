// Package web serves the pages that are part of the program.
//
// There is one: GraphiQL, the in-browser GraphQL editor. Its sources are in
// graphiql/, its build is in dist/ and is embedded, so that the page needs
// nothing but the binary: no other host, and no file beside it.
//
// The build is made by
//
//	cd web/graphiql && npm ci && npm run build
//
// and is the same to the byte wherever it is made, so that a check can make it
// again and compare.
package web
