package app

import (
	"context"
	"fmt"
	"net/http"
	"strings"

	"latchkey/auth"
	"latchkey/config"
	"latchkey/graph"
	"latchkey/rest"
	"latchkey/web"
)

// Handler returns the whole HTTP face: every path the server answers is on this page.
func (a *App) Handler() (http.Handler, error) {
	schema, err := graph.NewSchema(a.resolver())
	if err != nil {
		return nil, fmt.Errorf("schema: %w", err)
	}
	mux := http.NewServeMux()

	browsers := graph.Browsers{
		AllowedOrigins: a.Settings.AllowedOrigins,
		SameSite:       sameSite(a.Settings.CookieSameSite),
		HTTPS:          overTLS(a.Settings.Proxies()),
	}
	var begin func(context.Context, string, string) (context.Context, func([]string))
	if a.tracing != nil {
		begin = a.tracing.operation
	}
	identify := auth.Middleware(a.Auth, a.Settings.AuthHeaderTypes...)
	options := a.graphOptions()
	options.Schema, options.Browsers, options.Begin, options.Admit = schema, browsers, begin, admitted
	if err := a.ReadTrustedDocuments(); err != nil {
		return nil, err
	}
	options.Trusted = a.trusted
	mux.Handle("/graphql", identify(a.limitAnonymous(graph.NewHandler(options))))
	if a.Settings.IntrospectionOn() {
		mux.Handle("GET /schema.graphql", text(graph.SDL()))
	}
	if a.Settings.GraphiQLOn() {
		page := web.GraphiQL(a.Settings.AuthHeaderTypes[0])
		mux.Handle("/{$}", page)
		mux.Handle("/graphiql", page)
		mux.Handle("/graphiql/", page)
	}

	views := rest.NewViews(rest.Options{
		Tokens: a.Auth, Rotate: a.Settings.RotateRefreshTokens, Schemes: a.Settings.AuthHeaderTypes,
		UsernameField: a.Settings.UsernameField, Timeout: a.Settings.OperationTimeout,
		RequestID: requestID, Logger: a.Logger,
		Admit: admitted, Devices: &browsers,
	})
	for path, view := range map[string]http.Handler{
		"/api/token/":           views.Obtain(),
		"/api/token/refresh/":   views.Refresh(),
		"/api/token/verify/":    views.Verify(),
		"/api/token/blacklist/": views.Blacklist(),
		"/protected/":           views.Protected(),
	} {
		mux.Handle(path+"{$}", identify(a.limitAnonymous(browsers.Share(view))))
		mux.HandleFunc(strings.TrimSuffix(path, "/"), rest.WithSlash)
	}

	mux.Handle("GET /.well-known/jwks.json", rest.JWKS(func() []byte { return a.Keys.Ring().JWKS() }))
	mux.Handle("GET /.well-known/openid-configuration", rest.Discovery(a.Settings.Issuer, func() []string { return a.Keys.Ring().Algorithms() },
		overTLS(a.Settings.Proxies())))

	mux.HandleFunc("GET /healthz", alive)
	mux.HandleFunc("GET /readyz", a.ready)

	return a.around(mux), nil
}

// ReadTrustedDocuments reads the documents of LATCHKEY_TRUSTED_DOCUMENTS, unless that was done. Handler does it, too; a command calls it
// first to find a fault in them before it does anything else.
func (a *App) ReadTrustedDocuments() error {
	path := a.Settings.TrustedDocuments
	if path == "" || a.trusted != nil {
		return nil
	}
	schema, err := graph.NewSchema(a.resolver())
	if err != nil {
		return fmt.Errorf("schema: %w", err)
	}
	options := a.graphOptions()
	options.Schema = schema
	if a.trusted, err = graph.ReadTrusted(path, options); err != nil {
		return fmt.Errorf("LATCHKEY_TRUSTED_DOCUMENTS: %w", err)
	}
	a.Logger.Info("only trusted documents run", "operations", a.trusted.Len())
	return nil
}

// graphOptions returns the options of the GraphQL endpoint, but for the schema and what is not of one document.
func (a *App) graphOptions() graph.Options {
	return graph.Options{
		Introspection: a.Settings.IntrospectionOn(),
		RequestID:     requestID,
		Logger:        a.Logger,
		Limits:        limits(a.Settings),
	}
}

// resolver returns what the resolvers call.
func (a *App) resolver() *graph.Resolver {
	return &graph.Resolver{Auth: a.Auth}
}

// limits returns what the settings say of what a GraphQL request may ask for.
func limits(s *config.Settings) graph.Limits {
	return graph.Limits{
		Body: s.MaxBodyBytes, Document: s.MaxDocumentBytes, Tokens: s.MaxTokens, Directives: s.MaxDirectives,
		Fragments: s.MaxFragments, Depth: s.MaxDepth, Aliases: s.MaxAliases, RootFields: s.MaxRootFields,
		Fields: s.MaxSelections, Cost: s.MaxCost, Cache: s.DocumentCacheBytes, Timeout: s.OperationTimeout,
	}
}

// text answers with a fixed text.
func text(body string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		_, _ = w.Write([]byte(body)) // a client that is gone needs no answer
	})
}
